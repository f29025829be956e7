/**
 * Collections that most of their owners never fill: nothing is allocated until something is put in.
 * An empty Map of the engine takes some 200 bytes, and an idle session would have a dozen of them.
 *
 * @module
 */

/** A Map, but for what nobody here asks of it. */
export class LateMap<Key, Value> implements Iterable<[Key, Value]> {
  #map: Map<Key, Value> | undefined;

  get size(): number {
    return this.#map?.size ?? 0;
  }

  get(key: Key): Value | undefined {
    return this.#map?.get(key);
  }

  has(key: Key): boolean {
    return this.#map?.has(key) === true;
  }

  set(key: Key, value: Value): void {
    (this.#map ??= new Map()).set(key, value);
  }

  /** @returns False if it was not there. */
  delete(key: Key): boolean {
    return this.#map?.delete(key) === true;
  }

  clear(): void {
    this.#map = undefined;
  }

  keys(): Iterable<Key> {
    return this.#map?.keys() ?? [];
  }

  values(): Iterable<Value> {
    return this.#map?.values() ?? [];
  }

  [Symbol.iterator](): Iterator<[Key, Value]> {
    return (this.#map ?? [])[Symbol.iterator]() as Iterator<[Key, Value]>;
  }
}

/** A Set, but for what nobody here asks of it. */
export class LateSet<Value> implements Iterable<Value> {
  #set: Set<Value> | undefined;

  get size(): number {
    return this.#set?.size ?? 0;
  }

  has(value: Value): boolean {
    return this.#set?.has(value) === true;
  }

  add(value: Value): void {
    (this.#set ??= new Set()).add(value);
  }

  /** @returns False if it was not there. */
  delete(value: Value): boolean {
    return this.#set?.delete(value) === true;
  }

  clear(): void {
    this.#set = undefined;
  }

  [Symbol.iterator](): Iterator<Value> {
    return (this.#set ?? [])[Symbol.iterator]();
  }
}

/** A WeakMap, but for what nobody here asks of it. */
export class LateWeakMap<Value> {
  #map: WeakMap<object, Value> | undefined;

  get(key: object): Value | undefined {
    return this.#map?.get(key);
  }

  has(key: object): boolean {
    return this.#map?.has(key) === true;
  }

  set(key: object, value: Value): void {
    (this.#map ??= new WeakMap()).set(key, value);
  }

  /** @returns False if it was not there. */
  delete(key: object): boolean {
    return this.#map?.delete(key) === true;
  }
}
