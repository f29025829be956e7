/**
 * The words that mean something here, and a way to recognize them among bytes without making a
 * string of each word of a text.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { COMMANDS } from "./traits.ts";

/** Words inside statements, and names of functions and schemas, in lower case. */
const OTHER_KEYWORDS = [
  ...["all", "analyse", "analyze", "and", "as", "atomic", "authorization", "case", "catalog"],
  ...["chain", "characteristics", "constraints", "default", "for", "from", "function"],
  ...["global", "hold", "into", "isolation", "local", "names", "no", "on", "only", "or"],
  ...["overriding", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock_all"],
  ...["pg_settings", "pg_temp", "pg_try_advisory_lock", "pg_try_advisory_lock_shared", "plans"],
  ...["prepared", "procedure", "replace", "role", "schema", "sequences", "session", "set_config"],
  ...["temp", "temporary", "time", "to", "transaction", "true", "uescape", "unlogged", "using"],
  ...["verbose", "where", "work", "xml", "zone"],
] as const;

const KEYWORDS = [...COMMANDS, ...OTHER_KEYWORDS] as const;

const KEYWORD_OF_NAME: ReadonlyMap<string, Keyword> = new Map(
  KEYWORDS.map((keyword) => [keyword, keyword]),
);

/** A word that means something here; "" for all others. */
export type Keyword = (typeof KEYWORDS)[number] | "";

/**
 * The bit that makes an ASCII letter lower case. Of the other bytes that a word may have it changes
 * "_" only, to a byte that no word has: so folded words are equal if the words are.
 */
export const FOLD = 0x20;

/** A power of two, about ten times as many as there are keywords: most words meet a free slot. */
const SLOTS = 1024;

const KEYWORD_OF_SLOT: readonly Keyword[] = fillSlots();

/** The bytes of the keyword in a slot, each with {@linkcode FOLD} set. */
const BYTES_OF_SLOT: readonly Uint8Array[] = KEYWORD_OF_SLOT.map((keyword) =>
  utf8(keyword).map((byte) => byte | FOLD)
);

/** Adds a byte, with {@linkcode FOLD} set, to a word's hash, which begins with 0. */
export function addToHash(hash: number, foldedByte: number): number {
  return (Math.imul(hash, 31) + foldedByte) | 0;
}

/** The keyword that stands in `text` from `start` to `end`, in any case, and has this hash. */
export function keywordAt(text: Uint8Array, start: number, end: number, hash: number): Keyword {
  let slot = slotOf(hash);
  for (;;) {
    const keyword = KEYWORD_OF_SLOT[slot]!;
    if (keyword === "") return "";
    if (keyword.length === end - start && hasBytes(text, start, BYTES_OF_SLOT[slot]!)) {
      return keyword;
    }
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/** The keyword that `name` is, in lower case. */
export function keywordOf(name: string): Keyword {
  return KEYWORD_OF_NAME.get(name) ?? "";
}

function hasBytes(text: Uint8Array, start: number, folded: Uint8Array): boolean {
  for (let i = 0; i < folded.length; i++) {
    if ((text[start + i]! | FOLD) !== folded[i]) return false;
  }
  return true;
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 13)) & (SLOTS - 1);
}

function fillSlots(): Keyword[] {
  const slots = new Array<Keyword>(SLOTS).fill("");
  for (const keyword of KEYWORDS) {
    let hash = 0;
    for (const byte of utf8(keyword)) hash = addToHash(hash, byte | FOLD);
    let slot = slotOf(hash);
    while (slots[slot] !== "") slot = (slot + 1) & (SLOTS - 1);
    slots[slot] = keyword;
  }
  return slots;
}
