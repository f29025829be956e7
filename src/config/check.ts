/**
 * Settings as typed values: every key read by its type, every default filled in, every problem
 * reported. What a group refers to is checked later, in `links.ts`.
 *
 * @module
 */

import { type SectionName, SECTIONS } from "./declarations.ts";
import { variableName } from "./environment.ts";
import { exampleText, type Key, type Keys, type Values } from "./key.ts";
import { ENVIRONMENT, keyPlace, type Place, type Problems } from "./problems.ts";
import type { Settings, WrittenGroup, WrittenValue } from "./settings.ts";

/** A group with its values. */
export interface CheckedGroup<K extends Keys> {
  readonly place: Place;
  /** What was written, for the places of values. */
  readonly written: ReadonlyMap<string, WrittenValue>;
  /** Every key, except those that were wrong: without problems it is a `Values<K>`. */
  readonly values: Partial<Values<K>>;
}

/**
 * Returns where the value of a key is written; where it would be, if it is not.
 */
export function placeOf<K extends Keys>(group: CheckedGroup<K>, key: keyof K & string): Place {
  return group.written.get(key)?.place ?? keyPlace(group.place, key);
}

/** Returns the groups of a section with their values, in the order of the settings. */
export function checkGroups<K extends Keys>(
  settings: Settings,
  sectionName: SectionName,
  keys: K,
  problems: Problems,
): Map<string, CheckedGroup<K>> {
  const section = SECTIONS.find(({ name }) => name === sectionName)!;
  const { place, groups } = settings.get(sectionName)!;
  if (groups.size === 0 && section.isRequired) {
    const required = Object.entries(keys).find(([, key]) => key.fallback.kind === "required");
    const example = required === undefined
      ? "default: {}"
      : `default: { ${required[0]}: "${exampleText(required[1], "default")}" }`;
    const message = `at least one ${section.singular} is required; add "${sectionName}:" with `;
    problems.add(place, `${message}groups such as ${example}`);
  }
  const checked = new Map<string, CheckedGroup<K>>();
  for (const [name, group] of groups) {
    checked.set(name, checkGroup(sectionName, name, group, keys, problems));
  }
  return checked;
}

/** Returns the one group of a section without group names. */
export function checkSection<K extends Keys>(
  settings: Settings,
  sectionName: SectionName,
  keys: K,
  problems: Problems,
): CheckedGroup<K> {
  const { place, groups } = settings.get(sectionName)!;
  const group = groups.get("") ?? { place, keys: new Map() };
  return checkGroup(sectionName, "", group, keys, problems);
}

/** Returns a group that nobody wrote: every default. Only for keys without required ones. */
export function defaultGroup<K extends Keys>(keys: K, name: string, place: Place): CheckedGroup<K> {
  const values: { [key: string]: unknown } = {};
  for (const [key, declared] of Object.entries(keys)) {
    values[key] = fallbackValue(declared, name, place);
  }
  return { place, written: new Map(), values: values as Partial<Values<K>> };
}

function checkGroup<K extends Keys>(
  section: SectionName,
  name: string,
  group: WrittenGroup,
  keys: K,
  problems: Problems,
): CheckedGroup<K> {
  const values: { [key: string]: unknown } = {};
  for (const [key, declared] of Object.entries(keys)) {
    const written = group.keys.get(key);
    if (written === undefined) {
      values[key] = fallbackValue(declared, name, group.place);
      reportMissing(section, name, group, key, declared, problems);
      continue;
    }
    const reading = declared.type.read(written);
    if (reading.ok) values[key] = reading.value;
    else problems.add(reading.place, expectedMessage(declared, name, reading.got));
    if (reading.ok) reportNeedless(group, written, declared, problems);
  }
  // Object.entries forgets which type belongs to which key; `keys` is where they come from.
  return { place: group.place, written: group.keys, values: values as Partial<Values<K>> };
}

function expectedMessage(declared: Key<unknown>, groupName: string, got: string): string {
  const example = exampleText(declared, groupName === "" ? "default" : groupName);
  const isClear = declared.type.namesEveryValue || example === '""';
  const suchAs = isClear ? "" : `, such as ${example}`;
  const advice = got === "nothing" ? "; write a value or remove the key" : "";
  return `expected ${declared.type.rule}${suchAs}; got ${got}${advice}`;
}

function reportMissing(
  section: SectionName,
  name: string,
  group: WrittenGroup,
  key: string,
  declared: Key<unknown>,
  problems: Problems,
): void {
  const { fallback } = declared;
  const isDue = fallback.kind === "required" ||
    (fallback.kind === "only with" && isMet(fallback, group));
  if (!isDue) return;
  const because = fallback.kind === "only with" ? ` with ${fallback.key}: ${fallback.value}` : "";
  if (group.place.file === ENVIRONMENT) {
    const variable = variableName(section, name, key);
    const rule = `${section}.${name} is not in the file and needs ${key}${because}`;
    problems.add(group.place, `${rule}; set ${variable} too`);
  } else {
    const example = `${key}: ${exampleText(declared, name)}`;
    problems.add(
      keyPlace(group.place, key),
      `this key is required${because}; add it, as in "${example}"`,
    );
  }
}

/** True when the other key that `fallback` depends on has the value it depends on. */
function isMet(
  fallback: { readonly key: string; readonly value: string },
  group: WrittenGroup,
): boolean {
  const other = group.keys.get(fallback.key);
  return other?.kind === "text" && other.text === fallback.value;
}

/** A key that only means something with another one is an error without it, not a surprise. */
function reportNeedless(
  group: WrittenGroup,
  written: WrittenValue,
  declared: Key<unknown>,
  problems: Problems,
): void {
  const { fallback } = declared;
  if (fallback.kind !== "only with" || isMet(fallback, group)) return;
  const need = `${fallback.key}: ${fallback.value}`;
  problems.add(written.place, `only allowed with ${need}; add "${need}" or remove this key`);
}

function fallbackValue(declared: Key<unknown>, groupName: string, place: Place): unknown {
  const { fallback, type } = declared;
  switch (fallback.kind) {
    case "required":
      return undefined;
    case "only with":
      return "";
    case "empty list":
      return [];
    case "own name":
      return type.isList ? [groupName] : groupName;
    case "value": {
      const reading = type.read({ kind: "text", text: fallback.text, isQuoted: false, place });
      return reading.ok ? reading.value : undefined; // a test reads every default
    }
  }
}
