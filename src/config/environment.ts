/**
 * Environment variables as settings: `SLUICE_POOLS_DEFAULT_SIZE=20` is `pools.default.size: 20`.
 * They win over the file.
 *
 * Names are compared without case, `_` and `-`, because a variable's name cannot show them:
 * `SLUICE_POOLS_READ_ONLY_WAITERS_MAX` is `waitersMax` of the pool `read-only`. What could mean
 * two things is a problem, not a guess.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import {
  ENVIRONMENT_PREFIX,
  GROUPS_MAX,
  keysOf,
  type Section,
  type SectionName,
  SECTIONS,
} from "./declarations.ts";
import { GROUP_NAME_PATTERN, isSettable } from "./key_types.ts";
import { didYouMean, ENVIRONMENT, type Place, printable, type Problems } from "./problems.ts";
import type { Settings, WrittenValue } from "./settings.ts";

/** How many names are compared to find out what an unknown variable was meant to be. */
const GUESSES_MAX = 2_000;

/** A value of this size is no setting; PostgreSQL's names and paths are all shorter. */
const VALUE_SIZE_MAX = 65_536;

/** What a variable sets. */
interface Target {
  readonly section: Section;
  readonly group: string;
  readonly key: string;
}

/** Returns the variable that sets a key: words in upper case, joined by `_`. */
export function variableName(section: SectionName, group: string, key: string): string {
  const words = [section, group, key.replaceAll(/[A-Z]/g, "_$&")].filter((word) => word !== "");
  return (ENVIRONMENT_PREFIX + words.join("_")).replaceAll(/[.-]/g, "_").toUpperCase();
}

/**
 * Puts the values of all `SLUICE_` variables into `settings`.
 *
 * @param ignored Names of variables that are no settings, such as `SLUICE_CONFIG`.
 * @param notes Gets a line for each value of the file that a variable replaces.
 */
export function readEnvironment(
  settings: Settings,
  env: Readonly<Record<string, string>>,
  ignored: readonly string[],
  problems: Problems,
  notes: Problems,
): void {
  /** Which variable set a key, to find two that set the same one. */
  const setBy = new Map<string, string>();
  const variables = Object.keys(env).filter((variable) =>
    variable.startsWith(ENVIRONMENT_PREFIX) && !ignored.includes(variable)
  );
  if (variables.length === 0) return;
  const index = new TargetIndex(settings);
  for (const variable of variables.toSorted()) {
    const place = { file: ENVIRONMENT, line: 1, column: 1, path: printable(variable) };
    const targets = index.find(variable);
    const [target, other] = targets;
    if (problems.isFull) return;
    if (target === undefined) {
      problems.add(place, unknownMessage(settings, variable));
    } else if (other !== undefined) {
      problems.add(place, `could mean ${targets.map(targetText).join(" or ")}; rename one of them`);
    } else {
      const path = targetText(target);
      const first = setBy.get(path);
      if (first === undefined) setValue(settings, target, env[variable]!, place, problems, notes);
      else problems.add(place, `sets ${path}, and so does ${first}; unset one of them`);
      setBy.set(path, first ?? place.path);
    }
  }
}

function setValue(
  settings: Settings,
  target: Target,
  text: string,
  place: Place,
  problems: Problems,
  notes: Problems,
): void {
  const { groups } = settings.get(target.section.name)!;
  let group = groups.get(target.group);
  if (group === undefined) {
    if (groups.size >= GROUPS_MAX) {
      problems.add(place, `more than ${GROUPS_MAX} groups in ${target.section.name}`);
      return;
    }
    group = { place, keys: new Map() };
    groups.set(target.group, group);
  }
  if (text.length > VALUE_SIZE_MAX) {
    problems.add(place, `the value is longer than ${VALUE_SIZE_MAX} characters`);
    return;
  }
  const replaced = group.keys.get(target.key);
  if (replaced !== undefined) notes.add(replaced.place, `replaced by ${place.path}`);
  const { separator } = keysOf(target.section, target.group)[target.key]!.type;
  const value = separator === undefined
    ? writtenText(text, place)
    : writtenList(text, separator, place);
  group.keys.set(target.key, value);
}

function writtenText(text: string, place: Place): WrittenValue {
  return { kind: "text", text, isQuoted: false, place };
}

function writtenList(text: string, separator: "," | "\n", place: Place): WrittenValue {
  const items = (text === "" ? [] : text.split(separator)).map((item) => item.trim());
  // Lines of text may have empty ones between them, as in a file.
  const kept = separator === "\n" ? items.filter((item) => item !== "") : items;
  return { kind: "list", items: kept.map((item) => writtenText(item, place)), place };
}

/** Finds the key that a variable means among the groups that the file has. */
class TargetIndex {
  /** By section: the folded name of a group and a key, and what it can mean. */
  readonly #declared = new Map<Section, ReadonlyMap<string, readonly Target[]>>();
  /**
   * Pools and proxies may be left out of the file and still have a name: that of their client,
   * server or proxy.
   */
  readonly #implied = new Map<Section, ReadonlyMap<string, readonly Target[]>>();

  constructor(settings: Settings) {
    const allNames = allGroupNames(settings);
    for (const section of SECTIONS) {
      const names = new Set([...settings.get(section.name)!.groups.keys(), ""]);
      this.#declared.set(section, targetsByName(section, names));
      if (section.name === "pools" || section.name === "proxies") {
        this.#implied.set(section, targetsByName(section, allNames));
      }
    }
  }

  /** Every key that `variable` can mean: one for most, none if unknown, several if ambiguous. */
  find(variable: string): readonly Target[] {
    const { section, rest } = splitVariable(variable);
    if (section === undefined) return [];
    const folded = fold(rest);
    return this.#declared.get(section)?.get(folded) ?? this.#implied.get(section)?.get(folded) ??
      targetsToCreate(section, rest);
  }
}

function targetsByName(
  section: Section,
  groups: Iterable<string>,
): ReadonlyMap<string, readonly Target[]> {
  const found = new Map<string, Target[]>();
  for (const group of groups) {
    for (const key of settableKeys(section, group)) {
      const folded = fold(group) + fold(key);
      const targets = found.get(folded);
      if (targets === undefined) found.set(folded, [{ section, group, key }]);
      else targets.push({ section, group, key });
    }
  }
  return found;
}

/** A variable can create a group whose name is one word: `SLUICE_POOLS_REPORTS_SIZE`. */
function targetsToCreate(section: Section, rest: string): readonly Target[] {
  if (section.groups === undefined) return [];
  const underscore = rest.indexOf("_");
  const group = rest.slice(0, Math.max(underscore, 0)).toLowerCase();
  if (!/^[a-z0-9]+$/.test(group) || !new RegExp(GROUP_NAME_PATTERN).test(group)) return [];
  const key = fold(rest.slice(underscore));
  return settableKeys(section, group).filter((one) => fold(one) === key)
    .map((one) => ({ section, group, key: one }));
}

/** The section is the first word behind the prefix. */
function splitVariable(variable: string): { section: Section | undefined; rest: string } {
  const words = variable.slice(ENVIRONMENT_PREFIX.length);
  const underscore = words.indexOf("_");
  const name = underscore < 0 ? words : words.slice(0, underscore);
  const section = SECTIONS.find((one) => fold(one.name) === fold(name));
  return { section, rest: underscore < 0 ? "" : words.slice(underscore + 1) };
}

function unknownMessage(settings: Settings, variable: string): string {
  const guess = nearest(variable, knownVariables(settings, variable));
  if (guess !== undefined) return `unknown variable${didYouMean(guess)}`;
  const { section } = splitVariable(variable);
  if (section === undefined) {
    const sections = SECTIONS.map((one) => one.name.toUpperCase()).join(", ");
    return `unknown variable; behind ${ENVIRONMENT_PREFIX} comes one of ${sections}`;
  }
  const group = section.groups === undefined ? "" : "default";
  const keys = settableKeys(section, group).join(", ");
  if (section.groups === undefined) {
    return `unknown variable; the keys of ${section.name} are ${keys}`;
  }
  const shape = `${ENVIRONMENT_PREFIX}${section.name.toUpperCase()}_NAME_KEY`;
  return `unknown variable; expected ${shape} with the keys ${keys}, and a NAME that is in the ` +
    "file or one word";
}

/** Variables for the groups that exist, for one named as in `variable`, and for the others. */
function* knownVariables(settings: Settings, variable: string): Generator<string> {
  let left = GUESSES_MAX;
  const { section: meant, rest } = splitVariable(variable);
  const created = rest.split("_", 1)[0]!.toLowerCase();
  const sections = meant === undefined ? SECTIONS : [meant];
  for (const section of sections) {
    const { name, groups: names } = section;
    const groups = new Set([...settings.get(name)!.groups.keys(), ""]);
    if (names !== undefined && /^[a-z][a-z0-9]*$/.test(created)) groups.add(created);
    if (names !== undefined) groups.add(names.example);
    for (const group of groups) {
      for (const key of settableKeys(section, group)) {
        left -= 1;
        if (left < 0) return;
        yield variableName(name, group, key);
      }
    }
  }
}

/** Keys of a section that a variable can set. */
function settableKeys(section: Section, group: string): readonly string[] {
  const keys = keysOf(section, group);
  return Object.keys(keys).filter((key) => isSettable(keys[key]!.type));
}

function allGroupNames(settings: Settings): readonly string[] {
  const names = new Set<string>();
  for (const section of ["servers", "clients", "pools", "proxies"] as const) {
    for (const name of settings.get(section)!.groups.keys()) names.add(name);
  }
  return [...names];
}

function targetText({ section, group, key }: Target): string {
  return [section.name, group, key].filter((word) => word !== "").map(printable).join(".");
}

/** What is left of a name when everything that a variable's name cannot show is gone. */
function fold(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "");
}
