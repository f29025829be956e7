/**
 * The addresses of servers that replicate one another: one, or a list.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { addressText } from "../base/address.ts";
import type { AddressRule } from "./address.ts";
import { address, describe, type KeyType, wrong } from "./key_types.ts";
import { quote } from "./problems.ts";

/** Servers of one group. Each of them costs metrics, and each session a pool's entry. */
const MEMBERS_MAX = 100;

/** One address, or a list of them without any twice; never empty. */
export function addresses(rule: AddressRule): KeyType<readonly Address[]> {
  const item = address(rule);
  return {
    ...item,
    name: "address or list of addresses",
    range: `${item.range}; at most ${MEMBERS_MAX}`,
    rule: `${item.rule}, or a list of them`,
    isList: true,
    separator: ",",
    schema: {
      anyOf: [item.schema, {
        type: "array",
        minItems: 1,
        maxItems: MEMBERS_MAX,
        uniqueItems: true,
        items: item.schema,
      }],
    },
    json: (value) => value,
    read: (written) => {
      if (written.kind === "text") {
        const reading = item.read(written);
        return reading.ok ? { ok: true, value: [reading.value] } : reading;
      }
      if (written.kind !== "list") return wrong(written, describe(written));
      if (written.items.length === 0) return wrong(written, "an empty list");
      if (written.items.length > MEMBERS_MAX) {
        return wrong(written, `${written.items.length} addresses`);
      }
      const found = new Map<string, Address>();
      for (const one of written.items) {
        const reading = item.read(one);
        if (!reading.ok) return reading;
        const text = addressText(reading.value);
        if (found.has(text)) return wrong(one, `${quote(text)} twice`);
        found.set(text, reading.value);
      }
      return { ok: true, value: [...found.values()] };
    },
  };
}
