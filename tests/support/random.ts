/**
 * Chance that can be repeated: the same seed gives the same numbers on every machine.
 *
 * @module
 */

/** A seeded source of chance. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** True once in `times`, on average. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of `items`, of which there is at least one. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** Random bytes. */
  bytes(size: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: size }, () => this.below(256));
  }

  /** `bytes` in pieces of 1 to `sizeMax` bytes. */
  pieces(bytes: Uint8Array, sizeMax: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = 1 + this.below(sizeMax);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    return pieces;
  }
}

/** Where fuzzing starts and how long it is. */
export interface FuzzPlan {
  readonly seed: number;
  readonly rounds: number;
}

/**
 * Reads the plan from the environment: `SEED` repeats a run, `FUZZ_ROUNDS` lengthens it.
 *
 * @param read Gives a variable's value, if it is set.
 * @throws {Error} If one of them is no integer, or there would be no rounds: a run that checks
 * nothing must not look like one that found nothing.
 */
export function fuzzPlan(
  roundsByDefault: number,
  read: (name: string) => string | undefined = (name) => Deno.env.get(name),
): FuzzPlan {
  const seed = integer("SEED", read("SEED") ?? "20261121", 0);
  const rounds = integer("FUZZ_ROUNDS", read("FUZZ_ROUNDS") ?? String(roundsByDefault), 1);
  return { seed, rounds };
}

function integer(name: string, text: string, min: number): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new Error(`Cannot fuzz with ${name}="${text}": it must be an integer from ${min}`);
}

/**
 * Runs `round` with one seed after the other; a failure names the seed that repeats it.
 *
 * @param known Seeds that have found something once. They come first, unless SEED repeats a run.
 * @returns Whether there were as many rounds as by default: only then they reach everything.
 */
export async function fuzz(
  roundsByDefault: number,
  round: (random: Random) => void | Promise<void>,
  known: readonly number[] = [],
): Promise<{ readonly isWhole: boolean }> {
  const { seed, rounds } = fuzzPlan(roundsByDefault);
  const first = Deno.env.get("SEED") === undefined ? known : [];
  for (let i = 0; i < first.length + rounds; i++) {
    const one = first[i] ?? seed + i - first.length;
    try {
      await round(new Random(one));
    } catch (cause) {
      throw new Error(`It failed with SEED=${one} FUZZ_ROUNDS=1`, { cause });
    }
  }
  return { isWhole: rounds >= roundsByDefault };
}
