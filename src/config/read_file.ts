/**
 * The text of a configuration file as settings. It knows which sections and keys exist, but not
 * what their values mean.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import {
  type GroupNames,
  GROUPS_MAX,
  type Section,
  type SectionName,
  SECTIONS,
} from "./declarations.ts";
import { type KeyNode, keyNodes, type Keys } from "./key.ts";
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
    if (section.groups === undefined) groups.set("", this.#readGroup(section, entry));
    else this.#readGroups(section, section.groups, entry, groups);
    return { place: entry.keyPlace, groups };
  }

  #readGroups(
    section: Section,
    names: GroupNames,
    entry: YamlEntry,
    groups: Map<string, WrittenGroup>,
  ): void {
    const expected = `${section.name} by name, such as "${names.example}:" with its keys below`;
    const entries = this.#entries(entry.node, entry.valuePlace, expected);
    for (const group of this.#withoutOwnKeys(section, entry, entries, groups)) {
      if (groups.size >= GROUPS_MAX + (groups.has("") ? 1 : 0)) {
        this.#problems.add(group.keyPlace, `more than ${GROUPS_MAX} groups in ${section.name}`);
        return;
      }
      if (!new RegExp(names.pattern, "u").test(group.key)) {
        this.#problems.add(group.keyPlace, wrongNameMessage(section, names, group));
      }
      // Kept under a wrong name too, so that what refers to it is not called dangling.
      groups.set(group.key, this.#readGroup(section, group));
    }
  }

  /** Reads what is the section's own. @returns What else there is: groups. */
  #withoutOwnKeys(
    section: Section,
    { keyPlace: place }: YamlEntry,
    entries: readonly YamlEntry[],
    groups: Map<string, WrittenGroup>,
  ): readonly YamlEntry[] {
    if (section.ownKeys === undefined) return entries;
    const nodes = keyNodes(section.ownKeys);
    const known = nodes.map(({ name }) => name);
    // A single value is no group: a key that is misspelt.
    const isOwn = ({ key, node }: YamlEntry) =>
      known.includes(key) ||
      !this.#file.isNothing(node) && this.#file.entries(node, "") === undefined &&
        nearest(key, known) !== undefined;
    const keys = new Map<string, WrittenValue>();
    this.#readEntries(section, nodes, entries.filter(isOwn), "", keys);
    groups.set("", { place, keys });
    return entries.filter((one) => !isOwn(one));
  }

  #readGroup(section: Section, group: YamlEntry): WrittenGroup {
    const keys = new Map<string, WrittenValue>();
    const expected = `the keys of ${
      section.groups === undefined ? section.name : `a ${section.singular}`
    }`;
    this.#readKeys(section, keyNodes(section.keys), group, expected, "", keys);
    return { place: group.keyPlace, keys };
  }

  /** @param prefix In front of the names: "" or that of a group of keys and a dot. */
  #readKeys(
    section: Section,
    nodes: readonly KeyNode[],
    parent: YamlEntry,
    expected: string,
    prefix: string,
    keys: Map<string, WrittenValue>,
  ): void {
    const entries = this.#entries(parent.node, parent.valuePlace, expected);
    this.#readEntries(section, nodes, entries, prefix, keys);
  }

  #readEntries(
    section: Section,
    nodes: readonly KeyNode[],
    entries: readonly YamlEntry[],
    prefix: string,
    keys: Map<string, WrittenValue>,
  ): void {
    const known = nodes.map(({ name }) => name);
    const elsewhere = (key: string) => sectionOwning(key, section, prefix);
    for (const [name, entry] of recognize(entries, known, this.#problems, elsewhere)) {
      const { key, below } = nodes.find((node) => node.name === name)!;
      const path = prefix + name;
      if (key?.type.isFree === true) keys.set(path, this.#file.freeValue(entry));
      else if (below === undefined) keys.set(path, this.#file.value(entry));
      else this.#readKeys(section, keyNodes(below), entry, `the keys of ${path}`, `${path}.`, keys);
    }
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
export function recognize<Entry extends { readonly key: string; readonly keyPlace: Place }>(
  entries: readonly Entry[],
  known: readonly string[],
  problems: Problems,
  elsewhere: (key: string) => string | undefined,
): Map<string, Entry> {
  const found = new Map<string, Entry>();
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
function sectionOwning(key: string, here?: Section, prefix = ""): string | undefined {
  const owners: string[] = [];
  for (const section of SECTIONS) {
    for (const place of placesOf(key, section.keys)) {
      if (section === here && place === prefix) continue;
      const words = [section.name, section.groups === undefined ? "" : "NAME", place.slice(0, -1)];
      owners.push(words.filter((word) => word !== "").join("."));
    }
  }
  return owners.length === 0 ? undefined : owners.join(" or ");
}

/** Returns the prefixes with which `key` is declared: "" for a key of the group itself. */
function placesOf(key: string, keys: Keys): readonly string[] {
  // A key that is written with its dots is right one level further down.
  const last = key.slice(key.lastIndexOf(".") + 1);
  return Object.keys(keys).filter((path) => path === last || path.endsWith(`.${last}`))
    .map((path) => path.slice(0, path.length - last.length));
}

function wrongNameMessage(section: Section, names: GroupNames, group: YamlEntry): string {
  const lower = group.key.toLowerCase().replaceAll(/[\s.]/g, "-");
  const guess = new RegExp(names.pattern, "u").test(lower) ? lower : undefined;
  const rule = `the name of a ${section.singular} must be ${names.rule}`;
  return `${rule}; got ${quote(group.key)}${didYouMean(guess)}`;
}
