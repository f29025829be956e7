/**
 * The text of a configuration file as settings. It knows which sections and keys exist, but not
 * what their values mean.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import { GROUPS_MAX, type Section, type SectionName, SECTIONS } from "./declarations.ts";
import { GROUP_NAME_PATTERN, GROUP_NAME_RULE } from "./key_types.ts";
import { didYouMean, type Place, type Problems, quote } from "./problems.ts";
import type { Settings, WrittenGroup, WrittenSection, WrittenValue } from "./settings.ts";
import { type YamlEntry, YamlFile, type YamlNode } from "./yaml_file.ts";

/**
 * Reads the text of a file. Where a key is misspelt and it is clear what was meant, it is a
 * problem and read as what was meant, so that one mistake does not look like several. `isYaml`
 * is false when the text cannot be taken apart; then it says nothing, not even what is missing.
 */
export function readFile(
  text: string,
  fileName: string,
  problems: Problems,
): { readonly settings: Settings; readonly isYaml: boolean } {
  const file = new YamlFile(text, fileName, problems);
  const settings = new Map<SectionName, WrittenSection>();
  for (const { name } of SECTIONS) {
    settings.set(name, { place: { ...file.start, path: name }, groups: new Map() });
  }
  const { isYaml } = file;
  if (file.isNothing(file.root)) return { settings, isYaml };
  const entries = file.entries(file.root, "");
  if (entries === undefined) {
    problems.add(
      file.start,
      `expected sections such as "servers:"; got ${file.describe(file.root)}`,
    );
    return { settings, isYaml: false };
  }
  const names = SECTIONS.map((section) => section.name);
  const reader = new SectionReader(file, problems);
  for (const [name, entry] of recognize(entries, names, problems, sectionOwning)) {
    const section = SECTIONS.find((one) => one.name === name)!;
    settings.set(section.name, reader.read(section, entry));
  }
  return { settings, isYaml };
}

class SectionReader {
  readonly #file: YamlFile;
  readonly #problems: Problems;

  constructor(file: YamlFile, problems: Problems) {
    this.#file = file;
    this.#problems = problems;
  }

  read(section: Section, entry: YamlEntry): WrittenSection {
    const groups = new Map<string, WrittenGroup>();
    if (section.hasGroups) this.#readGroups(section, entry, groups);
    else groups.set("", this.#readGroup(section, entry));
    return { place: entry.keyPlace, groups };
  }

  #readGroups(section: Section, entry: YamlEntry, groups: Map<string, WrittenGroup>): void {
    const expected = `${section.name} by name, such as "default:" with its keys below`;
    for (const group of this.#entries(entry.node, entry.valuePlace, expected)) {
      if (groups.size === GROUPS_MAX) {
        this.#problems.add(group.keyPlace, `more than ${GROUPS_MAX} groups in ${section.name}`);
        return;
      }
      if (!new RegExp(GROUP_NAME_PATTERN).test(group.key)) {
        this.#problems.add(group.keyPlace, wrongNameMessage(section, group));
      }
      // Kept under a wrong name too, so that what refers to it is not called dangling.
      groups.set(group.key, this.#readGroup(section, group));
    }
  }

  #readGroup(section: Section, group: YamlEntry): WrittenGroup {
    const keys = new Map<string, WrittenValue>();
    const expected = `the keys of ${section.hasGroups ? `a ${section.singular}` : section.name}`;
    const entries = this.#entries(group.node, group.valuePlace, expected);
    const known = Object.keys(section.keys);
    const elsewhere = (key: string) => sectionOwning(key, section);
    for (const [key, entry] of recognize(entries, known, this.#problems, elsewhere)) {
      keys.set(key, this.#file.value(entry));
    }
    return { place: group.keyPlace, keys };
  }

  /** The entries of a map; none, and a problem, when it is something else. */
  #entries(node: YamlNode, place: Place, expected: string): readonly YamlEntry[] {
    if (this.#file.isNothing(node)) return [];
    const entries = this.#file.entries(node, place.path);
    if (entries !== undefined) return entries;
    this.#problems.add(place, `expected ${expected}; got ${this.#file.describe(node)}`);
    return [];
  }
}

/**
 * Returns the entries whose keys are known, by the known key. An unknown key is a problem; it
 * still counts as the known one it resembles unless that one is written as well.
 */
function recognize(
  entries: readonly YamlEntry[],
  known: readonly string[],
  problems: Problems,
  elsewhere: (key: string) => string | undefined,
): Map<string, YamlEntry> {
  const found = new Map<string, YamlEntry>();
  for (const entry of entries) if (known.includes(entry.key)) found.set(entry.key, entry);
  for (const entry of entries) {
    if (known.includes(entry.key) || problems.isFull) continue;
    const guess = nearest(entry.key, known);
    const owner = guess === undefined ? elsewhere(entry.key) : undefined;
    const hint = owner === undefined ? didYouMean(guess) : `; it belongs to ${owner}`;
    const all = hint === "" ? `; the keys here are ${known.join(", ")}` : "";
    problems.add(entry.keyPlace, `unknown key${hint}${all}`);
    if (guess !== undefined && !found.has(guess)) found.set(guess, entry);
  }
  return found;
}

/** Returns where a key that is unknown in `here` would be right: `pools.NAME`, or undefined. */
function sectionOwning(key: string, here?: Section): string | undefined {
  const owners = SECTIONS.filter((section) => section !== here && Object.hasOwn(section.keys, key));
  if (owners.length === 0) return undefined;
  return owners.map(({ name, hasGroups }) => hasGroups ? `${name}.NAME` : name).join(" or ");
}

function wrongNameMessage(section: Section, group: YamlEntry): string {
  const lower = group.key.toLowerCase().replaceAll(/[\s.]/g, "-");
  const guess = new RegExp(GROUP_NAME_PATTERN).test(lower) ? lower : undefined;
  const rule = `the name of a ${section.singular} must be ${GROUP_NAME_RULE}`;
  return `${rule}; got ${quote(group.key)}${didYouMean(guess)}`;
}
