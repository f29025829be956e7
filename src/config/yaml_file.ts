/**
 * A YAML file as entries with places. It reads keys and text, never numbers or dates: what a value
 * means is decided by the key's type. Anchors, aliases and merge keys (`<<`) work; what they
 * expand to is limited, and so is the time that a file can take.
 *
 * @module
 */

import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import { utf8 } from "../base/bytes.ts";
import { FILE_SIZE_MAX } from "./declarations.ts";
import { type Place, printable, type Problems, quote } from "./problems.ts";
import type { WrittenValue } from "./settings.ts";

/**
 * Entries and list items that are looked at before a file counts as an alias bomb. A file of the
 * largest size without aliases has fewer than this.
 */
const ENTRIES_MAX = 400_000;

/** Nobody configures anything this deep; an alias inside of what it stands for is without end. */
const DEPTH_MAX = 32;

/** A merge inside a merge this deep is a mistake, most likely a circle. */
const MERGE_DEPTH_MAX = 10;

/** Lists and keys inside of each other, below a key: the deepest that is declared has three. */
const VALUE_DEPTH_MAX = 8;

const NO_ANCHOR = 'there is no anchor of this name above; text that begins with "*" needs quotes';

/** A node, or null where a key has nothing behind it. */
export type YamlNode = Node | null;

/** One `key: value`. */
export interface YamlEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly node: YamlNode;
  /** Where the value is; where the key is when it has none. */
  readonly valuePlace: Place;
}

/** What hints at a common mistake, by the YAML parser's code for it. */
const SYNTAX_HINTS: ReadonlyMap<string, string> = new Map([
  ["TAB_AS_INDENT", "a tab cannot indent; use spaces"],
  ["BLOCK_AS_IMPLICIT_KEY", 'this line does not fit; text that contains ": " needs quotes'],
  ["MULTILINE_IMPLICIT_KEY", 'a key needs a colon and a space behind it, as in "size: 50"'],
  ["MULTIPLE_DOCS", 'a file holds one configuration; remove the second "---" and what follows'],
  ["TAG_RESOLVE_FAILED", 'tags such as "!!int" have no meaning here; remove the tag'],
  ["RESOURCE_EXHAUSTION", "brackets or lists are nested too deep"],
]);

/** A parsed file. Everything it finds wrong goes to the list of problems it was given. */
export class YamlFile {
  readonly #fileName: string;
  readonly #problems: Problems;
  readonly #lines = new LineCounter();
  /** What every alias stands for: the last anchor of its name before it. */
  readonly #targets = new Map<Node, Node>();
  #entriesLeft = ENTRIES_MAX;
  #isYaml = false;

  /** The outermost node; null when the file says nothing or is not YAML. */
  readonly root: YamlNode;

  /** Parses `text`. `fileName` is only used in places. */
  constructor(text: string, fileName: string, problems: Problems) {
    this.#fileName = fileName;
    this.#problems = problems;
    this.root = this.#parse(text);
  }

  /** False when the file is too large or not YAML: what it says is unknown. */
  get isYaml(): boolean {
    return this.#isYaml;
  }

  /** Where the file begins. */
  get start(): Place {
    return { file: this.#fileName, line: 1, column: 1, path: "" };
  }

  /**
   * Returns the entries of `node`, merged ones last, or undefined when it is not a map. `path` is
   * the path of the node itself. A key that is written twice counts once.
   */
  entries(node: YamlNode, path: string): readonly YamlEntry[] | undefined {
    const map = this.#resolve(node);
    if (!isMap(map)) return undefined;
    const found = new Map<string, YamlEntry>();
    this.#addEntries(map, path, found, 0);
    return [...found.values()];
  }

  /** True for nothing at all, `~` and `null`. */
  isNothing(node: YamlNode): boolean {
    const target = this.#resolve(node);
    if (target === null) return true;
    // YAML 1.2.2, section 10.3.2: what null looks like in the core schema.
    return isScalar(target) && target.type === "PLAIN" &&
      /^(|~|null|Null|NULL)$/.test(String(target.value));
  }

  /** Returns the value of an entry as it is written. */
  value(entry: YamlEntry): WrittenValue {
    return this.#value(entry.node, entry.valuePlace, 0);
  }

  /** Returns the value of an entry with all that is below it, however deep, as it is written. */
  freeValue(entry: YamlEntry): WrittenValue {
    return this.#free(entry.node, entry.valuePlace, 0);
  }

  /** Says what `node` is where keys were expected, to put behind "got". */
  describe(node: YamlNode): string {
    const target = this.#resolve(node);
    if (!isScalar(target)) return isSeq(target) ? "a list" : "nothing";
    const text = String(target.value);
    return quote(text) + (/^[A-Za-z]+:\S/.test(text) ? "; a colon needs a space behind it" : "");
  }

  #value(node: YamlNode, place: Place, depth: number): WrittenValue {
    const target = this.#resolve(node);
    if (this.isNothing(target)) return { kind: "nothing", place };
    if (isScalar(target)) {
      const isQuoted = target.type !== "PLAIN";
      return { kind: "text", text: String(target.value), isQuoted, place };
    }
    // An alias to what it stands in would go on for ever.
    const isTooDeep = depth >= VALUE_DEPTH_MAX;
    if (isTooDeep) this.#problems.add(place, `more than ${VALUE_DEPTH_MAX} values in each other`);
    if (!isSeq(target)) {
      const entries = isTooDeep ? [] : this.entries(target, place.path) ?? [];
      return {
        kind: "keys",
        entries: entries.map(({ key, keyPlace, node, valuePlace }) => ({
          key,
          keyPlace,
          value: this.#value(node, valuePlace, depth + 1),
        })),
        place,
      };
    }
    const items: WrittenValue[] = [];
    for (const [i, item] of (isTooDeep ? [] : target.items).entries()) {
      if (!this.#takeEntry(place)) break;
      const itemNode = isNode(item) ? item : null;
      // Which of the objects it is, their keys do not say.
      const path = isMap(this.#resolve(itemNode)) ? `${place.path}[${i}]` : place.path;
      const itemPlace = itemNode === null ? place : this.#place(itemNode, path);
      items.push(this.#value(itemNode, itemPlace, depth + 1));
    }
    return { kind: "list", items, place };
  }

  #free(node: YamlNode, place: Place, depth: number): WrittenValue {
    if (depth > DEPTH_MAX) {
      this.#problems.add(place, `more than ${DEPTH_MAX} keys and lists inside each other`);
      return { kind: "nothing", place };
    }
    const target = this.#resolve(node);
    if (isMap(target)) {
      const entries = (this.entries(target, place.path) ?? []).map((entry) => ({
        key: entry.key,
        keyPlace: entry.keyPlace,
        value: this.#free(entry.node, entry.valuePlace, depth + 1),
      }));
      return { kind: "keys", entries, place };
    }
    if (!isSeq(target)) return this.#value(target, place, 0);
    const items: WrittenValue[] = [];
    for (const [i, item] of target.items.entries()) {
      if (!this.#takeEntry(place)) break;
      const itemNode = isNode(item) ? item : null;
      const at = itemNode === null ? place : this.#place(itemNode, `${place.path}.${i}`);
      items.push(this.#free(itemNode, at, depth + 1));
    }
    return { kind: "list", items, place };
  }

  #parse(text: string): YamlNode {
    // The length in code units is never above the size in bytes, so it is a cheap first check.
    if (
      text.length > FILE_SIZE_MAX || utf8(text).length > FILE_SIZE_MAX
    ) {
      this.#problems.add(this.start, `the file is larger than ${FILE_SIZE_MAX} bytes`);
      return null;
    }
    // A byte order mark is no character of the first line.
    const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
    const document = parseDocument(source, {
      lineCounter: this.#lines,
      prettyErrors: false, // no excerpts: a place says it shorter
      schema: "failsafe", // all scalars stay text
      merge: false, // done here, where duplicates and limits are known
      uniqueKeys: false, // theirs compares every key with every other
      version: "1.2",
    });
    const errors = [...document.errors, ...document.warnings];
    if (errors.length > 0) {
      this.#reportSyntax(errors, source);
      return null;
    }
    this.#isYaml = true;
    this.#findTargets(document);
    return document.contents;
  }

  /** What follows from a broken tree would confuse: one problem for each line, and no more. */
  #reportSyntax(errors: readonly YAMLError[], source: string): void {
    const linesSeen = new Set<number>();
    for (const error of errors.toSorted((a, b) => a.pos[0] - b.pos[0])) {
      const { line, col } = this.#lines.linePos(error.pos[0]);
      if (linesSeen.has(line) || this.#problems.isFull) continue;
      linesSeen.add(line);
      const place = { file: this.#fileName, line, column: Math.max(col, 1), path: "" };
      this.#problems.add(place, `not valid YAML: ${this.#syntaxHint(error, line, source)}`);
    }
  }

  #syntaxHint(error: YAMLError, line: number, source: string): string {
    const start = this.#lines.lineStarts[line - 1] ?? 0;
    const lineText = source.slice(start, start + 500).split(/\r?\n/, 1)[0]!;
    const ipv6 = /(\[[0-9A-Fa-f:.]*::[0-9A-Fa-f:.]*\]:[0-9]+)/.exec(lineText);
    if (ipv6 !== null) return `an IPv6 address needs quotes: "${ipv6[1]}"`;
    // What follows a colon repeats the file, which may be a password.
    return SYNTAX_HINTS.get(error.code) ?? printable(error.message.split(/:?\n|: /, 1)[0]!);
  }

  /** Walks the tree in the order of the text, without recursion: a file decides how deep it is. */
  #findTargets(document: Document): void {
    const anchors = new Map<string, Node>();
    const left: unknown[] = [document.contents];
    while (left.length > 0) {
      const node = left.pop();
      if (isPair(node)) {
        left.push(node.value, node.key);
      } else if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) this.#targets.set(node, target);
        // The name is not repeated: it may be the beginning of a password.
        else this.#problems.add(this.#place(node, ""), NO_ANCHOR);
      } else if (isNode(node)) {
        if ("anchor" in node && typeof node.anchor === "string") anchors.set(node.anchor, node);
        if (isCollection(node)) {
          for (let i = node.items.length - 1; i >= 0; i--) left.push(node.items[i]);
        }
      }
    }
  }

  #resolve(node: YamlNode): YamlNode {
    return isAlias(node) ? this.#targets.get(node) ?? null : node;
  }

  #place(node: Node, path: string): Place {
    const { line, col } = this.#lines.linePos(node.range?.[0] ?? 0);
    return { file: this.#fileName, line, column: Math.max(col, 1), path };
  }

  /** Adds what is not there yet, so that a group's own keys win over merged ones. */
  #addEntries(map: YAMLMap, path: string, found: Map<string, YamlEntry>, depth: number): void {
    const own = new Map<string, Place>();
    const merges: { readonly node: YamlNode; readonly place: Place }[] = [];
    for (const pair of map.items) {
      const entry = this.#entry(pair, path);
      if (entry === undefined) continue;
      const { key, keyPlace } = entry;
      if (!this.#takeEntry(keyPlace)) return;
      const first = own.get(key);
      if (first !== undefined) {
        this.#problems.add(keyPlace, `this key is already in line ${first.line}; remove one`);
        continue;
      }
      own.set(key, keyPlace);
      if (key === "<<") merges.push({ node: entry.node, place: entry.valuePlace });
      else if (!found.has(key)) found.set(key, entry);
    }
    for (const { node, place } of merges) this.#merge(node, place, path, found, depth);
  }

  #merge(
    node: YamlNode,
    place: Place,
    path: string,
    found: Map<string, YamlEntry>,
    depth: number,
  ): void {
    const target = this.#resolve(node);
    const sources = isSeq(target) ? target.items : [target];
    for (const source of sources) {
      const map = this.#resolve(isNode(source) ? source : null);
      if (!isMap(map)) {
        this.#problems.add(place, 'expected keys to merge, such as an alias; "<<: *defaults"');
      } else if (depth >= MERGE_DEPTH_MAX) {
        this.#problems.add(place, `more than ${MERGE_DEPTH_MAX} merges inside each other`);
        this.#entriesLeft = 0; // most likely a circle: look no further
        return;
      } else {
        if (!this.#takeEntry(place)) return;
        this.#addEntries(map, path, found, depth + 1);
      }
    }
  }

  #entry(pair: Pair, path: string): YamlEntry | undefined {
    const keyNode = this.#resolve(isNode(pair.key) ? pair.key : null);
    const node = isNode(pair.value) ? pair.value : null;
    if (!isScalar(keyNode) || String(keyNode.value) === "") {
      const place = isNode(pair.key) ? pair.key : node;
      const at = place === null ? this.start : this.#place(place, path);
      this.#problems.add({ ...at, path }, "a key must be a word");
      return undefined;
    }
    const key = String(keyNode.value);
    const keyPath = path === "" ? printable(key) : `${path}.${printable(key)}`;
    const keyPlace = this.#place(isNode(pair.key) ? pair.key : keyNode, keyPath);
    const isWritten = node !== null && !this.isNothing(node);
    return { key, keyPlace, node, valuePlace: isWritten ? this.#place(node, keyPath) : keyPlace };
  }

  /** False when the file expands to too much; said once. */
  #takeEntry(place: Place): boolean {
    this.#entriesLeft -= 1;
    if (this.#entriesLeft === 0) {
      this.#problems.add(place, `aliases expand to more than ${ENTRIES_MAX} entries`);
    }
    return this.#entriesLeft > 0;
  }
}
