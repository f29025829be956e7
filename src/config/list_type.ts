/**
 * Lists of single values.
 *
 * @module
 */

import { type KeyType, notList, wrong } from "./key_types.ts";
import { quote } from "./problems.ts";

/**
 * A list of values of one type, none of them twice; it may be empty.
 *
 * @param what Names the values, in the plural.
 * @param sizeMax Values in one list.
 */
export function listOf<T extends string>(
  item: KeyType<T>,
  what: string,
  sizeMax: number,
): KeyType<readonly T[]> {
  return {
    name: `list of ${what}`,
    range: item.range,
    rule: `a list of at most ${sizeMax} ${what}: each ${item.rule}`,
    namesEveryValue: true,
    isList: true,
    separator: ",",
    isSecret: false,
    schema: { type: "array", maxItems: sizeMax, uniqueItems: true, items: item.schema },
    json: (value) => value,
    read: (written) => {
      if (written.kind !== "list") return wrong(written, notList(written));
      if (written.items.length > sizeMax) return wrong(written, `${written.items.length} of them`);
      const found: T[] = [];
      for (const one of written.items) {
        const reading = item.read(one);
        if (!reading.ok) return reading;
        if (found.includes(reading.value)) return wrong(one, `${quote(reading.value)} twice`);
        found.push(reading.value);
      }
      return { ok: true, value: found };
    },
  };
}
