/**
 * What is known of the texts, or of the shapes of texts, that came last.
 *
 * @module
 */

import { isEqual } from "../../base/bytes.ts";
import type { StatementClass } from "./statement_class.ts";

/** Limits of a cache. */
export interface ClassCacheLimits {
  readonly entriesMax: number;
  /** Bytes that the entries together are estimated to need. */
  readonly sizeMax: number;
}

/** A number made of all bytes of a text. */
export function hashOf(text: Uint8Array): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text[at]!) | 0;
  return hash;
}

interface Entry {
  readonly text: Uint8Array;
  readonly result: StatementClass;
  readonly size: number;
  /** Whether it was asked for since it came, or since its last second chance. */
  isUsed: boolean;
}

/**
 * Drops the oldest when there are too many, or they are too large, but gives those that are in use
 * a second chance: nearly what was used longest ago, and asking for one only sets a flag.
 */
export class ClassCache {
  readonly #limits: ClassCacheLimits;
  /** By the hash of the text; two texts of one hash have one place. */
  readonly #entries = new Map<number, Entry>();
  #size = 0;

  constructor(limits: ClassCacheLimits) {
    this.#limits = limits;
  }

  /** How many there are. */
  get count(): number {
    return this.#entries.size;
  }

  /** Bytes that they are estimated to need. */
  get size(): number {
    return this.#size;
  }

  /**
   * What is known of a text.
   *
   * @param hash Its {@linkcode hashOf}.
   */
  get(text: Uint8Array, hash: number): StatementClass | undefined {
    const entry = this.#entries.get(hash);
    if (entry === undefined || !isEqual(entry.text, text)) return undefined;
    entry.isUsed = true;
    return entry.result;
  }

  /** Keeps what is known of a text, of which the cache makes a copy. */
  add(text: Uint8Array, hash: number, result: StatementClass): void {
    this.#delete(hash);
    const size = sizeOf(text, result);
    const { entriesMax, sizeMax } = this.#limits;
    if (size > sizeMax) return;
    while (this.#entries.size >= entriesMax || this.#size + size > sizeMax) this.#dropOldest();
    this.#entries.set(hash, { text: text.slice(), result, size, isUsed: false });
    this.#size += size;
  }

  /** Drops one; whoever is in use before it becomes the youngest. */
  #dropOldest(): void {
    for (const [hash, entry] of this.#entries) {
      this.#delete(hash);
      if (!entry.isUsed) return;
      entry.isUsed = false;
      this.#entries.set(hash, entry);
      this.#size += entry.size;
    }
  }

  #delete(hash: number): void {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return;
    this.#entries.delete(hash);
    this.#size -= entry.size;
  }
}

/** What an entry needs beside its text, and a name beside its characters: from above. */
const ENTRY_SIZE = 400;
const NAME_SIZE = 32;

function sizeOf(text: Uint8Array, { reads, writes }: StatementClass): number {
  let size = ENTRY_SIZE + text.length;
  for (const name of [...reads ?? [], ...writes ?? []]) size += NAME_SIZE + 2 * name.length;
  return size;
}
