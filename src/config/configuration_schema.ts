/**
 * What a plugin's configuration may be, as its manifest says in JSON Schema: checked before the
 * plugin is told, with every default filled in.
 *
 * Schemas come with plugins, so that their regular expressions are not JavaScript's own, which can
 * take for ever. No message repeats a value: any of them may be a secret.
 *
 * @module
 */

import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { messageOf } from "../base/errors.ts";
import { LinearRegExp } from "../base/linear_regexp.ts";
import { nearest } from "../base/suggest.ts";
import { type FreeKeys, pointerTo } from "./free_keys.ts";
import type { JsonSchema } from "./key_types.ts";
import {
  didYouMean,
  nameList,
  type Place,
  printable,
  printableMessage,
  type Problems,
  quote,
} from "./problems.ts";

/**
 * A schema of the library's needs its expressions' code for what is not used here, and tells
 * expressions apart by their text.
 */
const REGULAR_EXPRESSIONS = Object.assign(
  (pattern: string) => Object.assign(new LinearRegExp(pattern), { toString: () => pattern }),
  { code: "" },
);

/** What a schema may say without telling of a key. */
const SAYS_NOTHING: ReadonlySet<string> = new Set([
  "$comment",
  "$id",
  "$schema",
  "additionalProperties",
  "description",
  "properties",
  "title",
  "type",
]);

/** A manifest's schema. */
export class ConfigurationSchema {
  /** False if it knows of no key that a plugin could be told. */
  readonly hasKeys: boolean;
  readonly #validate: ValidateFunction;

  /** @throws {Error} If it is no schema of JSON Schema draft 7; it says why. */
  constructor(schema: JsonSchema) {
    const ajv = new Ajv({
      allErrors: true,
      useDefaults: true,
      verbose: true,
      strictTypes: false,
      strictTuples: false,
      strictRequired: false,
      validateFormats: false,
      logger: false,
      keywords: ["secret"],
      code: { regExp: REGULAR_EXPRESSIONS },
    });
    this.#validate = ajv.compile(schema);
    this.hasKeys = Object.keys((schema["properties"] ?? {}) as object).length > 0 ||
      typeof schema["additionalProperties"] === "object" ||
      Object.keys(schema).some((word) => !SAYS_NOTHING.has(word));
  }

  /** @returns The configuration with every default, unless there are problems. */
  check({ json, places }: FreeKeys, problems: Problems): Readonly<Record<string, unknown>> {
    const copy = structuredClone(json);
    if (this.#validate(copy)) return copy;
    // What is wrong within one of several choices is said of the choice.
    const errors = this.#validate.errors!.filter(({ schemaPath }) =>
      !/\/(anyOf|oneOf|if|not)\//.test(schemaPath)
    );
    for (const error of errors) {
      const step = error.keyword === "additionalProperties"
        ? error.params["additionalProperty"] as string
        : undefined;
      const pointer = step === undefined ? error.instancePath : pointerTo(error.instancePath, step);
      problems.add(placeAt(places, pointer), messageFor(error));
    }
    return copy;
  }
}

/**
 * Makes a schema of what a manifest says.
 *
 * @returns Undefined if it is none: there is a problem then.
 */
export function configurationSchema(
  schema: JsonSchema,
  place: Place,
  problems: Problems,
): ConfigurationSchema | undefined {
  try {
    return new ConfigurationSchema(schema);
  } catch (error) {
    problems.add(place, `not valid as JSON Schema draft 7: ${printableMessage(messageOf(error))}`);
    return undefined;
  }
}

/** Where a value is, or what it is in. A variable has one place for all that it says. */
function placeAt(places: ReadonlyMap<string, Place>, pointer: string): Place {
  const place = places.get(pointer);
  if (place !== undefined || pointer === "") return place!;
  return placeAt(places, pointer.slice(0, pointer.lastIndexOf("/")));
}

function messageFor({ keyword, params, message, parentSchema }: ErrorObject): string {
  switch (keyword) {
    case "additionalProperties": {
      const known = Object.keys((parentSchema?.["properties"] ?? {}) as object);
      const key = String(params["additionalProperty"]);
      const guess = nearest(key, known);
      const all = guess === undefined ? `; the keys here are ${nameList(known)}` : "";
      return `unknown key ${quote(key)}${didYouMean(guess)}${all}`;
    }
    case "required":
      return `the key ${quote(String(params["missingProperty"]))} is required; add it`;
    case "enum": {
      const allowed = (params["allowedValues"] as readonly unknown[]).map((one) =>
        typeof one === "string" ? one : JSON.stringify(one)
      );
      return `expected one of ${nameList(allowed)}`;
    }
    case "type": {
      const types = [params["type"] as string | readonly string[]].flat();
      return `expected ${types.join(" or ")}`;
    }
    default:
      return printable(`the value ${message ?? "is not allowed"}`);
  }
}
