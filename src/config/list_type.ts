/**
 * Lists of single values.
 *
 * @module
 */

import { type KeyType, notList, readDistinct, wrong } from "./key_types.ts";

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
      return readDistinct(written.items, item);
    },
  };
}
