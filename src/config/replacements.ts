/**
 * What plugins say instead of a configuration's file: values of single keys, by their path. They
 * win over the file, and the environment wins over them.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import { GROUPS_MAX, keysOf, type Section, type SectionName, SECTIONS } from "./declarations.ts";
import { isSettable, type KeyType } from "./key_types.ts";
import { didYouMean, type Place, printable, type Problems, quote } from "./problems.ts";
import type { Settings, WrittenValue } from "./settings.ts";

/** What one plugin says. */
export interface Replacement {
  /** Name of the plugin. */
  readonly plugin: string;
  /** JSON values by the path of a key, such as `pools.default.size`. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Keys that one plugin may set: more than any configuration has that somebody can still read. */
const KEYS_MAX = 1_000;

/** As for an environment variable. */
const VALUE_SIZE_MAX = 65_536;

/**
 * What is read before plugins are asked, and what operators decide about plugins, is nothing that a
 * plugin may change.
 */
const OUT_OF_REACH: readonly SectionName[] = ["plugins", "act", "loggers"];

/** Puts what plugins say into `settings`, one after the other: the last one wins. */
export function applyReplacements(
  settings: Settings,
  replacements: readonly Replacement[],
  problems: Problems,
): void {
  for (const { plugin, values } of replacements) {
    const entries = Object.entries(values);
    const file = `plugin ${quote(plugin)}`;
    if (entries.length > KEYS_MAX) {
      const place = { file, line: 0, column: 0, path: "" };
      problems.add(place, `more than ${KEYS_MAX} keys; set fewer`);
    }
    for (const [path, value] of entries.slice(0, KEYS_MAX)) {
      setValue(
        settings,
        path,
        value,
        { file, line: 0, column: 0, path: printable(path) },
        problems,
      );
    }
  }
}

function setValue(
  settings: Settings,
  path: string,
  value: unknown,
  place: Place,
  problems: Problems,
): void {
  const found = find(path);
  if (typeof found === "string") return problems.add(place, found);
  const { section, name, key, type } = found;
  if (!isSettable(type)) return problems.add(place, "no plugin can set this key");
  const written = writtenValue(value, type, place);
  if (typeof written === "string") return problems.add(place, written);
  const { groups } = settings.get(section.name)!;
  const group = groups.get(name) ?? { place, keys: new Map() };
  if (!groups.has(name) && groups.size >= GROUPS_MAX) {
    return problems.add(place, `more than ${GROUPS_MAX} groups in ${section.name}`);
  }
  groups.set(name, group);
  group.keys.set(key, written);
}

/** Which key it is. */
interface Found {
  readonly section: Section;
  /** "" where a section has no groups. */
  readonly name: string;
  readonly key: string;
  readonly type: KeyType<unknown>;
}

/** @returns What is wrong with the path, or which key it means. */
function find(path: string): Found | string {
  const dot = path.indexOf(".");
  const section = SECTIONS.find(({ name }) => name === path.slice(0, Math.max(dot, 0)));
  if (section === undefined) {
    const names = SECTIONS.map(({ name }) => name).filter((name) => !OUT_OF_REACH.includes(name));
    return `unknown key; expected one such as pools.default.size, in ${names.join(", ")}`;
  }
  if (OUT_OF_REACH.includes(section.name)) return `no plugin can set keys of ${section.name}`;
  const rest = path.slice(dot + 1);
  if (section.groups === undefined) {
    const declared = section.keys[rest];
    if (declared !== undefined) return { section, name: "", key: rest, type: declared.type };
    return `unknown key${didYouMean(nearest(rest, Object.keys(section.keys)))}`;
  }
  const keys = keysOf(section, "default");
  // Names of groups may have dots, and so may keys: the longest key is meant.
  const key = Object.keys(keys).filter((one) => rest.endsWith(`.${one}`))
    .sort((a, b) => b.length - a.length)[0];
  if (key === undefined) {
    const last = rest.slice(rest.indexOf(".") + 1);
    return `unknown key${didYouMean(nearest(last, Object.keys(keys)))}`;
  }
  const name = rest.slice(0, -key.length - 1);
  const { pattern, rule } = section.groups;
  if (!new RegExp(pattern, "u").test(name)) {
    return `the name of a ${section.singular} must be ${rule}; got ${quote(name)}`;
  }
  return { section, name, key, type: keys[key]!.type };
}

/** @returns What is wrong with the value, without showing it; or the value. */
function writtenValue(
  value: unknown,
  { separator }: KeyType<unknown>,
  place: Place,
): WrittenValue | string {
  if (Array.isArray(value)) {
    const items = value.map((item) => writtenScalar(item, place));
    const wrong = items.find((item) => typeof item === "string");
    return wrong ?? { kind: "list", items: items as WrittenValue[], place };
  }
  const scalar = writtenScalar(value, place);
  if (typeof scalar === "string" || separator === undefined) return scalar;
  return { kind: "list", items: [scalar], place };
}

function writtenScalar(value: unknown, place: Place): WrittenValue | string {
  if (!["string", "number", "boolean"].includes(typeof value)) {
    return "expected text, a number, true, false, or a list of those; got another kind of JSON";
  }
  const text = String(value);
  if (text.length > VALUE_SIZE_MAX) return `the value is longer than ${VALUE_SIZE_MAX} characters`;
  return { kind: "text", text, isQuoted: false, place };
}
