/**
 * The declarations as JSON Schema, for editors that check and complete YAML while it is typed.
 *
 * It knows everything about a single value except the range of durations and of sizes with a
 * unit, and nothing about names that other groups must have; the loader knows those as well.
 *
 * @module
 */

import { GROUPS_MAX, type Section, SECTIONS } from "./declarations.ts";
import { type Key, keyNodes, type Keys } from "./key.ts";
import type { JsonSchema } from "./key_types.ts";

/** Returns the JSON Schema of a configuration file: draft 7, which every YAML editor reads. */
export function configSchema(): JsonSchema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Sluice configuration",
    type: "object",
    additionalProperties: false,
    required: SECTIONS.filter((section) => section.isRequired).map((section) => section.name),
    properties: Object.fromEntries(
      SECTIONS.map((section) => [section.name, sectionSchema(section)]),
    ),
  };
}

function sectionSchema(section: Section): JsonSchema {
  const keys = keysSchema(section.keys);
  if (section.groups === undefined) return { description: section.doc, ...keys };
  return {
    description: section.doc,
    // A section whose groups are all commented out is null.
    type: section.isRequired ? "object" : ["object", "null"],
    ...(section.isRequired ? { minProperties: 1 } : {}),
    maxProperties: GROUPS_MAX,
    additionalProperties: false,
    patternProperties: { [section.groups.pattern]: keys },
  };
}

function keysSchema(keys: Keys): JsonSchema {
  const entries = Object.entries(keys);
  const required = entries.filter(([, { fallback }]) => fallback.kind === "required");
  const conditions = entries.flatMap(([name, { fallback }]) =>
    fallback.kind === "only with" ? [conditionSchema(name, fallback.key, fallback.value)] : []
  );
  return {
    type: required.length > 0 ? "object" : ["object", "null"],
    additionalProperties: false,
    ...(required.length > 0 ? { required: required.map(([name]) => name) } : {}),
    properties: Object.fromEntries(
      keyNodes(keys).map(({ name, key, below }) => [
        name,
        key === undefined ? keysSchema(below ?? {}) : keySchema(key),
      ]),
    ),
    ...(conditions.length > 0 ? { allOf: conditions } : {}),
  };
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
    : {};
  return { description: doc, ...type.schema, ...byDefault };
}
