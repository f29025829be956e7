/**
 * The declarations as JSON Schema, for editors that check and complete YAML while it is typed.
 *
 * It knows everything about a single value except the range of durations and of sizes with a
 * unit, and nothing about names that other groups must have; the loader knows those as well.
 *
 * @module
 */

import { GROUPS_MAX, type Section, SECTIONS } from "./declarations.ts";
import type { JsonSchema } from "./key_types.ts";
import { keyNodes } from "./key.ts";
import { keysSchema, propertiesOf } from "./keys_schema.ts";

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
    maxProperties: GROUPS_MAX + keyNodes(section.ownKeys ?? {}).length,
    additionalProperties: false,
    ...(section.ownKeys === undefined ? {} : { properties: propertiesOf(section.ownKeys) }),
    patternProperties: { [section.groups.pattern]: keys },
  };
}
