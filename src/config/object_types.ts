/**
 * Types of keys with keys of somebody's own below them: lists of objects, and maps of single
 * values. No environment variable can set them.
 *
 * @module
 */

import type { Keys } from "./key.ts";
import { describe, type JsonSchema, type KeyType, wrong } from "./key_types.ts";
import { keysSchema } from "./keys_schema.ts";
import type { WrittenEntry, WrittenValue } from "./settings.ts";

/** One object of a list, as written: what its keys say is checked by `check_objects.ts`. */
export type WrittenObject = WrittenValue & { readonly kind: "keys" };

/** Entries of a map of somebody's own. */
const ENTRIES_MAX = 50;

const KEY_PATTERN = "^[A-Za-z][A-Za-z0-9_-]{0,63}$";

const KEY_RULE = "1 to 64 of A-Z, a-z, 0-9, _ and -, a letter first";

/**
 * A list of objects that each have the same keys.
 *
 * @param singular Word for one of them.
 * @param keys What each has. Values of other keys cannot refer to them.
 */
export function objects(
  singular: string,
  sizeMax: number,
  keys: Keys,
): KeyType<readonly WrittenObject[]> {
  return {
    name: "list of objects",
    range: `at most ${sizeMax}`,
    rule: `a list of at most ${sizeMax} objects, each "- " and then the keys of a ${singular}`,
    namesEveryValue: true,
    isList: true,
    separator: undefined,
    isSecret: false,
    items: keys,
    schema: { type: "array", maxItems: sizeMax, items: keysSchema(keys) },
    json: (value) => value,
    read: (written) => {
      if (written.kind !== "list") return wrong(written, describe(written));
      if (written.items.length > sizeMax) return wrong(written, `${written.items.length} of them`);
      const found: WrittenObject[] = [];
      for (const item of written.items) {
        if (item.kind !== "keys") return wrong(item, describe(item));
        found.push(item);
      }
      return { ok: true, value: found };
    },
  };
}

/** A map of text, numbers and truth values, by names of somebody's own. */
export function scalars(): KeyType<ReadonlyMap<string, string | number | boolean>> {
  const schema = { type: ["string", "number", "boolean"] };
  return mapType("text, numbers, true and false by name", false, schema, ({ value }) => {
    if (value.kind !== "text") return undefined;
    if (value.isQuoted) return value.text;
    if (value.text === "true" || value.text === "false") return value.text === "true";
    return /^-?[0-9]{1,15}(\.[0-9]{1,15})?$/.test(value.text) ? Number(value.text) : value.text;
  });
}

/** A map of secrets, by names of somebody's own. */
export function secrets(): KeyType<ReadonlyMap<string, string>> {
  const range = "secrets by name, without line ends";
  return mapType(range, true, { type: "string" }, ({ value }) => {
    const isLine = value.kind === "text" && !/\p{Cc}/u.test(value.text);
    return isLine ? value.text : undefined;
  });
}

function mapType<T>(
  range: string,
  isSecret: boolean,
  schema: JsonSchema,
  parse: (entry: WrittenEntry) => T | undefined,
): KeyType<ReadonlyMap<string, T>> {
  return {
    name: isSecret ? "map of secrets" : "map",
    range,
    rule: `keys below it: ${range}, each name ${KEY_RULE}, at most ${ENTRIES_MAX}`,
    namesEveryValue: true,
    isList: false,
    separator: undefined,
    isSecret,
    hasOwnKeys: true,
    schema: {
      type: "object",
      maxProperties: ENTRIES_MAX,
      additionalProperties: false,
      patternProperties: { [KEY_PATTERN]: schema },
    },
    json: (value) => value,
    read: (written) => {
      if (written.kind !== "keys") return wrong(written, "no keys");
      if (written.entries.length > ENTRIES_MAX) {
        return wrong(written, `${written.entries.length} of them`);
      }
      const found = new Map<string, T>();
      for (const entry of written.entries) {
        const { key, keyPlace, value } = entry;
        const isNamed = new RegExp(KEY_PATTERN).test(key);
        if (!isNamed) return { ok: false, place: keyPlace, got: "another name" };
        const parsed = parse(entry);
        if (parsed === undefined) return wrong(value, "a value of another kind");
        found.set(key, parsed);
      }
      return { ok: true, value: found };
    },
  };
}
