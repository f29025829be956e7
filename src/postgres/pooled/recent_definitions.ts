/**
 * Definitions of statements that were prepared of late, with what they do. An application says the
 * same again and again, and from many sessions: it is copied and scanned once.
 *
 * @module
 */

import { isEqual } from "../../base/bytes.ts";
import type { Traits } from "../sql/traits.ts";

/** Places, of which each definition has one: a power of two. */
const PLACES = 256;

/** Largest definition that is remembered, in bytes; so all of them are 1 MiB at most. */
const SIZE_MAX = 4_096;

/** Bytes of a definition that its place depends on, at most. */
const SAMPLES = 16;

/** What a Parse says behind the name: a text, its NUL, and the types of its parameters. */
export interface Definition {
  readonly definition: Uint8Array<ArrayBuffer>;
  readonly traits: Traits;
}

/** One worker's. */
export class RecentDefinitions {
  readonly #places = new Array<Definition | undefined>(PLACES).fill(undefined);
  readonly #traitsOf: (definition: Uint8Array) => Traits;

  /** @param traitsOf What a definition does. */
  constructor(traitsOf: (definition: Uint8Array) => Traits) {
    this.#traitsOf = traitsOf;
  }

  /** The definition with these bytes, which may be a view. */
  of(bytes: Uint8Array): Definition {
    const place = placeOf(bytes);
    const known = this.#places[place];
    if (known !== undefined && isEqual(known.definition, bytes)) return known;
    const made = { definition: new Uint8Array(bytes), traits: this.#traitsOf(bytes) };
    if (bytes.length <= SIZE_MAX) this.#places[place] = made;
    return made;
  }
}

function placeOf(bytes: Uint8Array): number {
  const { length } = bytes;
  const step = Math.ceil((length + 1) / SAMPLES);
  let hash = length;
  for (let at = length - 1; at >= 0; at -= step) hash = Math.imul(hash, 31) + bytes[at]!;
  return (hash ^ hash >>> 8) & (PLACES - 1);
}
