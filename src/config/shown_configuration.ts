/**
 * A checked configuration as JSON, for who is to know all of it but its secrets: in the shape of
 * the file, with every default filled in, and each value as somebody would write it.
 *
 * @module
 */

import type { CheckedGroup } from "./check.ts";
import type { Key, Keys } from "./key.ts";
import type { KeyType } from "./key_types.ts";
import type { WrittenEntry, WrittenValue } from "./settings.ts";

/** Part of a JSON object. */
export type JsonObject = { [key: string]: unknown };

/** A group of a section, and the keys that it may have. */
export interface ShownGroup {
  readonly group: CheckedGroup<Keys>;
  readonly keys: Keys;
}

/** A section: one group, or groups by name, which may have keys of the section beside them. */
export type ShownSection = ShownGroup | {
  readonly groups: ReadonlyMap<string, CheckedGroup<Keys>>;
  /** Of each group. */
  readonly keys: Keys;
  readonly own?: ShownGroup;
};

/** Returns the sections by name. */
export function shownConfiguration(sections: Readonly<Record<string, ShownSection>>): JsonObject {
  return Object.fromEntries(
    Object.entries(sections).map(([name, section]) => [name, shownSection(section)]),
  );
}

function shownSection(section: ShownSection): JsonObject {
  if ("group" in section) return shownGroup(section.group, section.keys);
  const { groups, keys, own } = section;
  return {
    ...own === undefined ? {} : shownGroup(own.group, own.keys),
    ...Object.fromEntries([...groups].map(([name, group]) => [name, shownGroup(group, keys)])),
  };
}

function shownGroup({ name, written }: CheckedGroup<Keys>, keys: Keys): JsonObject {
  const shown: JsonObject = {};
  for (const [path, declared] of Object.entries(keys)) {
    if (declared.type.isSecret) continue;
    const value = written.get(path);
    const json = value === undefined
      ? shownDefault(declared, name)
      : shownValue(value, declared.type);
    if (json !== undefined) put(shown, path.split("."), json);
  }
  return shown;
}

function put(shown: JsonObject, path: readonly string[], json: unknown): void {
  const [first, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) shown[first] = json;
  else put((shown[first] ??= {}) as JsonObject, rest, json);
}

/** Undefined for a key that is only there when it is written. */
function shownDefault({ fallback, type }: Key<unknown>, groupName: string): unknown {
  switch (fallback.kind) {
    case "value":
      return type.json(fallback.text);
    case "empty list":
      return [];
    case "empty keys":
      return {};
    case "own name":
      return type.isList ? [groupName] : groupName;
    case "required":
    case "only with":
      return undefined;
  }
}

function shownValue(written: WrittenValue, type: KeyType<unknown>): unknown {
  switch (written.kind) {
    case "text":
      return written.isQuoted ? written.text : type.json(written.text);
    case "list":
      return written.items.map((item) =>
        item.kind === "keys" && type.items !== undefined
          ? shownObject(item.entries, type.items)
          : shownText(item)
      );
    case "keys":
      return Object.fromEntries(written.entries.map(({ key, value }) => [key, shownText(value)]));
    case "nothing":
      return undefined;
  }
}

/** One object of a list: only what is written, and declared, and no secret. */
function shownObject(entries: readonly WrittenEntry[], keys: Keys): JsonObject {
  const shown: JsonObject = {};
  for (const { key, value } of entries) {
    const declared = keys[key];
    if (declared === undefined || declared.type.isSecret) continue;
    shown[key] = shownValue(value, declared.type);
  }
  return shown;
}

function shownText(written: WrittenValue): unknown {
  return written.kind === "text" ? written.text : undefined;
}
