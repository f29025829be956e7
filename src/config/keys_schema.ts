/**
 * Declared keys as JSON Schema.
 *
 * @module
 */

import { type Key, keyNodes, type Keys } from "./key.ts";
import type { JsonSchema } from "./key_types.ts";

/** Returns what a place with these keys looks like. */
export function keysSchema(keys: Keys): JsonSchema {
  const entries = Object.entries(keys);
  const required = entries.filter(([, { fallback }]) => fallback.kind === "required");
  const conditions = entries.flatMap(([name, { fallback }]) =>
    fallback.kind === "only with" ? [conditionSchema(name, fallback.key, fallback.value)] : []
  );
  return {
    type: required.length > 0 ? "object" : ["object", "null"],
    additionalProperties: false,
    ...(required.length > 0 ? { required: required.map(([name]) => name) } : {}),
    properties: propertiesOf(keys),
    ...(conditions.length > 0 ? { allOf: conditions } : {}),
  };
}

/** Returns what each of the keys looks like. */
export function propertiesOf(keys: Keys): JsonSchema {
  return Object.fromEntries(
    keyNodes(keys).map(({ name, key, below }) => [
      name,
      key === undefined ? keysSchema(below ?? {}) : keySchema(key),
    ]),
  );
}

/** The key `name` is required when `other` has `value`, and forbidden otherwise. */
function conditionSchema(name: string, other: string, value: string): JsonSchema {
  return {
    if: { type: "object", required: [other], properties: { [other]: { const: value } } },
    then: { required: [name] },
    else: { properties: { [name]: false } },
  };
}

function keySchema({ type, fallback, doc }: Key<unknown>): JsonSchema {
  const byDefault = fallback.kind === "value"
    ? { default: type.json(fallback.text) }
    : fallback.kind === "empty list"
    ? { default: [] }
    : fallback.kind === "empty keys"
    ? { default: {} }
    : {};
  return { description: doc, ...type.schema, ...byDefault };
}
