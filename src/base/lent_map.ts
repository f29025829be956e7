/**
 * A Map that begins as one that many have, and becomes one's own with its first change. Most
 * sessions never change what they are told at their login, and to keep that for each would take
 * more memory than all else that an idle one needs.
 *
 * @module
 */

const EMPTY = new Map<never, never>();

/** Starts empty. */
export class LentMap<Key, Value> {
  #map: ReadonlyMap<Key, Value> = EMPTY as ReadonlyMap<never, never>;
  /** The same, once it is one's own. */
  #own: Map<Key, Value> | undefined;

  /** What is in it now. Not to be kept: with a change it may be another one. */
  get map(): ReadonlyMap<Key, Value> {
    return this.#map;
  }

  /** It is `map` from now on, which nobody changes any more. */
  borrow(map: ReadonlyMap<Key, Value>): void {
    this.#map = map;
    this.#own = undefined;
  }

  set(key: Key, value: Value): void {
    this.#writable().set(key, value);
  }

  delete(key: Key): void {
    if (this.#map.has(key)) this.#writable().delete(key);
  }

  #writable(): Map<Key, Value> {
    this.#map = this.#own ??= new Map(this.#map);
    return this.#own;
  }
}
