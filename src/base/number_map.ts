/**
 * A Map by numbers, for what comes and goes with each connection. The engine's own leaves its table
 * behind each time it has been used up by additions and deletions, and each table points to the
 * next one: once one of them is old, all that ever was in the later ones is taken for alive until
 * the whole heap is collected.
 *
 * Open addressing with linear probing; an entry that goes is followed by those behind it.
 *
 * @module
 */

const SIZE_MIN = 16;

/** 2 to the power of 32, divided by the golden ratio: neighbours end up far from each other. */
const MULTIPLIER = 0x9e3779b1;

/** Starts empty. It never shrinks, so it is as large as it had to be at most. */
export class NumberMap<Value> {
  #values: (Value | undefined)[] = new Array(SIZE_MIN).fill(undefined);
  #keys: number[] = new Array(SIZE_MIN).fill(0);
  #mask = SIZE_MIN - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  get(key: number): Value | undefined {
    return this.#values[this.#placeOf(key)];
  }

  /** @param key An integer from 0 to 2 to the power of 53. */
  set(key: number, value: Value & NonNullable<unknown>): void {
    const place = this.#placeOf(key);
    if (this.#values[place] === undefined) {
      this.#size += 1;
      if (2 * this.#size > this.#mask) {
        this.#grow();
        return this.#put(key, value);
      }
    }
    this.#keys[place] = key;
    this.#values[place] = value;
  }

  delete(key: number): void {
    const mask = this.#mask;
    let hole = this.#placeOf(key);
    if (this.#values[hole] === undefined) return;
    this.#size -= 1;
    for (let at = (hole + 1) & mask; this.#values[at] !== undefined; at = (at + 1) & mask) {
      // Who was put here since the hole was taken is looked for from its own first place on.
      const first = this.#firstPlace(this.#keys[at]!);
      if (((at - first) & mask) < ((at - hole) & mask)) continue;
      this.#keys[hole] = this.#keys[at]!;
      this.#values[hole] = this.#values[at];
      hole = at;
    }
    this.#values[hole] = undefined;
  }

  /** Where it is, or would be put. */
  #placeOf(key: number): number {
    let place = this.#firstPlace(key);
    while (this.#values[place] !== undefined && this.#keys[place] !== key) {
      place = (place + 1) & this.#mask;
    }
    return place;
  }

  #firstPlace(key: number): number {
    return (Math.imul(key, MULTIPLIER) >>> 7) & this.#mask;
  }

  #put(key: number, value: Value): void {
    const place = this.#placeOf(key);
    this.#keys[place] = key;
    this.#values[place] = value;
  }

  #grow(): void {
    const [keys, values] = [this.#keys, this.#values];
    const size = 2 * values.length;
    this.#keys = new Array(size).fill(0);
    this.#values = new Array(size).fill(undefined);
    this.#mask = size - 1;
    for (const [at, value] of values.entries()) {
      if (value !== undefined) this.#put(keys[at]!, value);
    }
  }
}
