/**
 * What a declaration of a key consists of. The declarations themselves are in the files named after
 * what they are about, and gathered in `declarations.ts`.
 *
 * A key inside of a group of keys, such as `mode` below `tls:`, is declared under both names with a
 * dot between them: `tls.mode`. Only what reads and writes YAML has to know that they are nested.
 *
 * @module
 */

import type { KeyType } from "./key_types.ts";

/** What a key is when nobody writes it. */
export type Fallback =
  /** It must be written; `example` is what the template and messages show. */
  | { readonly kind: "required"; readonly example: string }
  /** A value, as somebody would write it. */
  | { readonly kind: "value"; readonly text: string }
  /** A list without anything in it. */
  | { readonly kind: "empty list" }
  /** A map of somebody's own keys without any. */
  | { readonly kind: "empty keys" }
  /** The name of the group that the key is in. */
  | { readonly kind: "own name" }
  /** Required when another key of the group has a certain value, an error when it has not. */
  | {
    readonly kind: "only with";
    readonly key: string;
    readonly value: string;
    readonly example: string;
  };

/** One key: its type, what it is when nobody writes it, and what it means. */
export interface Key<T> {
  readonly type: KeyType<T>;
  readonly fallback: Fallback;
  /** Whole sentences; the first one stands alone. */
  readonly doc: string;
}

/** The keys of a group in the order they are shown; those of one group of keys are neighbours. */
export type Keys = { readonly [key: string]: Key<unknown> };

/** What a group looks like when every key is read and every default filled in. */
export type Values<K extends Keys> = {
  readonly [N in keyof K]: K[N] extends Key<infer T> ? T : never;
};

/** Declares a key. A fallback that is text is its default. */
export function key<T>(type: KeyType<T>, fallback: Fallback | string, doc: string): Key<T> {
  const isText = typeof fallback === "string";
  return { type, fallback: isText ? { kind: "value", text: fallback } : fallback, doc };
}

/** One key, or a group of keys, of a place in a file. */
export interface KeyNode {
  /** As it is written there: `address`, or `tls` for a group of keys. */
  readonly name: string;
  /** Undefined for a group of keys. */
  readonly key: Key<unknown> | undefined;
  /** The keys below, without the group's name; undefined for a key. */
  readonly below: Keys | undefined;
}

/** Returns what is directly below a group of a section, in the order of the declarations. */
export function keyNodes(keys: Keys): readonly KeyNode[] {
  const nodes: KeyNode[] = [];
  const groups = new Map<string, { [key: string]: Key<unknown> }>();
  for (const [path, declared] of Object.entries(keys)) {
    const dot = path.indexOf(".");
    if (dot < 0) {
      nodes.push({ name: path, key: declared, below: undefined });
      continue;
    }
    const name = path.slice(0, dot);
    let below = groups.get(name);
    if (below === undefined) {
      below = {};
      groups.set(name, below);
      nodes.push({ name, key: undefined, below });
    }
    below[path.slice(dot + 1)] = declared;
  }
  return nodes;
}

/**
 * Returns the value that shows how a key is written in YAML: its default, or an example where it
 * has none. Text that YAML would take for a number is in quotes.
 */
export function exampleText(declared: Key<unknown>, groupName: string): string {
  const { fallback, type } = declared;
  if (fallback.kind === "own name") return type.isList ? `[${groupName}]` : groupName;
  if (fallback.kind === "empty list") return "[]";
  if (fallback.kind === "empty keys") return "{}";
  const example = fallback.kind === "value" ? fallback.text : fallback.example;
  const looksLikeNumber = !Number.isNaN(Number(example));
  return looksLikeNumber && typeof type.json(example) === "string" ? `"${example}"` : example;
}
