/**
 * Counts errors by SQLSTATE and by who raised them, in shared memory like all counters. A server
 * may send any five characters, so the number of different ones is limited: when the table is full,
 * further codes are counted as {@linkcode OTHER_SQLSTATE}.
 *
 * A slot of the table is one 32-bit key, zero while free, and one 64-bit count:
 *
 *     | keys: SLOTS x u32 | counts: SLOTS x f64 |     key = source * (36^5 + 1) + code + 1
 *
 * @module
 */

/** Who raised an error that a client was told of. */
export type ErrorSource = "server" | "gateway";

/** Stands for every code that is malformed or came when the table was full. */
export const OTHER_SQLSTATE = "other";

/** PostgreSQL 18 defines 262 codes (errcodes.txt); fewer than half of them occur in one system. */
const SLOTS = 256;
const CODES = 36 ** 5;
const SOURCES: readonly ErrorSource[] = ["server", "gateway"];

/** Bytes that one table takes. */
export function sqlStateTableSize(): number {
  return SLOTS * (4 + 8);
}

/** One worker's table: one writer, any number of readers. */
export class SqlStateCells {
  readonly #keys: Uint32Array;
  readonly #counts: Float64Array;

  /** @param offset Where the table begins in `buffer`, in bytes; a multiple of 8. */
  constructor(buffer: SharedArrayBuffer, offset: number) {
    this.#keys = new Uint32Array(buffer, offset, SLOTS);
    this.#counts = new Float64Array(buffer, offset + SLOTS * 4, SLOTS);
  }

  /** Counts one error. `sqlState` is as sent; it need not be well formed. */
  add(source: ErrorSource, sqlState: string): void {
    const slot = this.#slotOf(keyOf(source, sqlState)) ?? this.#slotOf(keyOf(source, "")) ?? -1;
    if (slot >= 0) this.#counts[slot] = this.#counts[slot]! + 1;
  }

  /** Every code counted so far. */
  *entries(): Generator<{ source: ErrorSource; sqlState: string; count: number }> {
    for (let slot = 0; slot < SLOTS; slot++) {
      const key = Atomics.load(this.#keys, slot);
      if (key !== 0) yield { ...partsOf(key), count: this.#counts[slot]! };
    }
  }

  /** The slot of `key`, taken now if it is new; undefined when the table has no room for it. */
  #slotOf(key: number): number | undefined {
    // The last slots are kept for the "other" of each source.
    const isOther = (key - 1) % (CODES + 1) === CODES;
    for (let probe = 0; probe < SLOTS; probe++) {
      const slot = (key + probe) % SLOTS;
      const found = this.#keys[slot]!;
      if (found === key) return slot;
      if (found !== 0) continue;
      if (!isOther && this.#isFull()) return undefined;
      Atomics.store(this.#keys, slot, key);
      return slot;
    }
    return undefined;
  }

  #isFull(): boolean {
    let free = 0;
    for (const key of this.#keys) if (key === 0) free += 1;
    return free <= SOURCES.length;
  }
}

function keyOf(source: ErrorSource, sqlState: string): number {
  const code = /^[0-9A-Z]{5}$/.test(sqlState) ? parseInt(sqlState, 36) : CODES;
  return SOURCES.indexOf(source) * (CODES + 1) + code + 1;
}

function partsOf(key: number): { source: ErrorSource; sqlState: string } {
  const code = (key - 1) % (CODES + 1);
  const source = SOURCES[Math.floor((key - 1) / (CODES + 1))]!;
  const text = code.toString(36).toUpperCase().padStart(5, "0");
  return { source, sqlState: code === CODES ? OTHER_SQLSTATE : text };
}
