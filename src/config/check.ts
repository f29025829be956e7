/**
 * Settings as typed values: every key read by its type, every default filled in, every problem
 * reported. What a group refers to is checked later, in `links.ts`.
 *
 * @module
 */

import { type SectionName, SECTIONS } from "./declarations.ts";
import { variableName } from "./environment.ts";
import { referenceIn } from "./expand_secrets.ts";
import { exampleText, type Key, type Keys, type Values } from "./key.ts";
import { ENVIRONMENT, keyPlace, type Place, type Problems, quote } from "./problems.ts";
import type { Settings, WrittenGroup, WrittenValue } from "./settings.ts";

/** Which group it is, and where it is written. */
export interface GroupPlace {
  readonly section: SectionName;
  /** "" where a section has no names. */
  readonly name: string;
  readonly place: Place;
}

/** A group with its values. */
export interface CheckedGroup<K extends Keys> extends GroupPlace {
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
    const [key, declared] = required!; // of every required section: a test reads all
    const example = `default: { ${key}: "${exampleText(declared, "default")}" }`;
    const advice = place.file === ENVIRONMENT
      ? `set ${variableName(sectionName, "default", key)}`
      : `add "${sectionName}:" with groups such as ${example}`;
    problems.add(place, `at least one ${section.singular} is required; ${advice}`);
  }
  const checked = new Map<string, CheckedGroup<K>>();
  for (const [name, group] of groups) {
    if (name === "") continue; // the section itself
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
export function defaultGroup<K extends Keys>(
  section: SectionName,
  keys: K,
  name: string,
  place: Place,
): CheckedGroup<K> {
  const values: { [key: string]: unknown } = {};
  for (const [key, declared] of Object.entries(keys)) {
    values[key] = fallbackValue(declared, name, place);
  }
  return { section, name, place, written: new Map(), values: values as Partial<Values<K>> };
}

/**
 * Returns one object of a list with its values.
 *
 * @param group Its keys, by the names that are declared.
 */
export function checkObject<K extends Keys>(
  section: SectionName,
  group: WrittenGroup,
  keys: K,
  problems: Problems,
): CheckedGroup<K> {
  return checkGroup(section, "", group, keys, problems, false);
}

function checkGroup<K extends Keys>(
  section: SectionName,
  name: string,
  group: WrittenGroup,
  keys: K,
  problems: Problems,
  isSettable = true,
): CheckedGroup<K> {
  const values: { [key: string]: unknown } = {};
  for (const [key, declared] of Object.entries(keys)) {
    const written = group.keys.get(key);
    if (written === undefined) {
      values[key] = fallbackValue(declared, name, group.place);
      reportMissing({ section, name, place: group.place }, group, key, declared, problems);
      continue;
    }
    const reference = declared.type.isSecret ? undefined : referenceIn(written);
    if (reference !== undefined) {
      const rule = `${quote(reference.name)} stands for a variable in secrets only`;
      const isVariable = written.place.file === ENVIRONMENT;
      const other = isVariable || !isSettable ? "" : `, or set ${variableName(section, name, key)}`;
      problems.add(reference.place, `${rule}; write the value itself${other}`);
      continue;
    }
    const reading = declared.type.read(written);
    if (reading.ok) values[key] = reading.value;
    else problems.add(reading.place, didNotFit(declared, name, reading.got));
    if (reading.ok) reportNeedless(section, name, group, written, declared, problems);
  }
  // Object.entries forgets which type belongs to which key; `keys` is where they come from.
  const { place, keys: all } = group;
  return { section, name, place, written: all, values: values as Partial<Values<K>> };
}

/** Says what was expected of a value, and what was found. */
export function didNotFit(declared: Key<unknown>, groupName: string, got: string): string {
  const example = exampleText(declared, groupName === "" ? "default" : groupName);
  const isClear = declared.type.namesEveryValue || example === '""';
  const suchAs = isClear ? "" : `, such as ${example}`;
  const advice = got === "nothing" ? "; write a value or remove the key" : "";
  return `expected ${declared.type.rule}${suchAs}; got ${got}${advice}`;
}

function reportMissing(
  groupPlace: GroupPlace,
  group: WrittenGroup,
  key: string,
  declared: Key<unknown>,
  problems: Problems,
): void {
  const { fallback } = declared;
  const isDue = fallback.kind === "required" ||
    (fallback.kind === "only with" && isMet(fallback, group));
  if (!isDue) return;
  const because = fallback.kind === "only with" ? `${fallback.key}: ${fallback.value}` : "";
  addRequired(groupPlace, key, exampleText(declared, groupPlace.name), because, problems);
}

/**
 * Adds that a key has to be written.
 *
 * @param because Another key that asks for it; "" if it is needed in any case.
 */
export function addRequired(
  { section, name, place }: GroupPlace,
  key: string,
  example: string,
  because: string,
  problems: Problems,
): void {
  const condition = because === "" ? "" : ` with ${because}`;
  if (place.file === ENVIRONMENT) {
    const rule = `${section}.${name} comes from variables alone and needs ${key}${condition}`;
    problems.add(place, `${rule}; set ${variableName(section, name, key)} too`);
  } else {
    const last = key.slice(key.lastIndexOf(".") + 1);
    const rule = `this key is required${condition}`;
    problems.add(keyPlace(place, key), `${rule}; add it, as in "${last}: ${example}"`);
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
  section: SectionName,
  name: string,
  group: WrittenGroup,
  written: WrittenValue,
  declared: Key<unknown>,
  problems: Problems,
): void {
  const { fallback } = declared;
  if (fallback.kind !== "only with" || isMet(fallback, group)) return;
  const need = `${fallback.key}: ${fallback.value}`;
  const advice = written.place.file === ENVIRONMENT
    ? `set ${variableName(section, name, fallback.key)}=${fallback.value} or unset this variable`
    : `add "${need}" or remove this key`;
  problems.add(written.place, `only allowed with ${need}; ${advice}`);
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
    case "empty keys": {
      const reading = type.read({ kind: "keys", entries: [], place });
      return reading.ok ? reading.value : undefined; // a test reads every default
    }
    case "own name":
      return type.isList ? [groupName] : groupName;
    case "value": {
      const reading = type.read({ kind: "text", text: fallback.text, isQuoted: false, place });
      return reading.ok ? reading.value : undefined; // a test reads every default
    }
  }
}
