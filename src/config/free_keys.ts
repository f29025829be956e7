/**
 * Keys that only somebody else knows: what a plugin is told. They are read as JSON, with the place
 * of each value, so that whoever knows the rules can say where one is broken.
 *
 * @module
 */

import { describe, type KeyType, wrong } from "./key_types.ts";
import type { Place } from "./problems.ts";
import type { WrittenValue } from "./settings.ts";

/** What a variable may say: as much as any. */
const RULE = "keys and values";

/** Free keys as they were read. May hold secrets: never to be shown. */
export interface FreeKeys {
  /** A JSON object. */
  readonly json: Readonly<Record<string, unknown>>;
  /** By JSON Pointer (RFC 6901); "" is the whole. */
  readonly places: ReadonlyMap<string, Place>;
}

/**
 * Any keys and values. Text stands for a number, true, false or null where YAML 1.2 and JSON say
 * so, and is text in quotes. `${NAME}` in text stands for an environment variable, because any of
 * it may be a secret. As a variable, it is JSON.
 */
export function freeKeys(): KeyType<FreeKeys> {
  return {
    name: "keys",
    range: "as the plugin's manifest says; ${VARIABLE} in text is an environment variable",
    rule: RULE,
    namesEveryValue: true,
    isList: false,
    separator: undefined,
    isSecret: true,
    isFree: true,
    schema: { type: "object" },
    json: (text) => text,
    read: (written) => {
      const places = new Map<string, Place>();
      if (written.kind === "keys") {
        const json = toJson(written, "", places) as Readonly<Record<string, unknown>>;
        return { ok: true, value: { json, places } };
      }
      if (written.kind !== "text") return wrong(written, describe(written));
      const json = parsed(written.text);
      if (json === undefined) return wrong(written, "what is no JSON object");
      return { ok: true, value: { json, places: places.set("", written.place) } };
    },
  };
}

/** Returns a JSON Pointer one step further down. */
export function pointerTo(pointer: string, step: string | number): string {
  return `${pointer}/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function toJson(written: WrittenValue, pointer: string, places: Map<string, Place>): unknown {
  places.set(pointer, written.place);
  switch (written.kind) {
    case "nothing":
      return null;
    case "list":
      return written.items.map((item, i) => toJson(item, pointerTo(pointer, i), places));
    case "keys":
      return Object.fromEntries(
        written.entries.map(({ key, value }) => [
          key,
          toJson(value, pointerTo(pointer, key), places),
        ]),
      );
    case "text":
      return written.isQuoted ? written.text : plainValue(written.text);
  }
}

/** YAML 1.2.2, section 10.3.2, as far as JSON has it. */
function plainValue(text: string): unknown {
  if (text === "true" || text === "True" || text === "TRUE") return true;
  if (text === "false" || text === "False" || text === "FALSE") return false;
  if (/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  return text;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    return isObject ? json as Readonly<Record<string, unknown>> : undefined;
  } catch {
    return undefined;
  }
}
