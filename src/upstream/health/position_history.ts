/**
 * Where the primary was, and when: what a replica has replayed tells from it how far behind it is,
 * in bytes, in time, and in rounds of sampling. It needs no clock but the gateway's, and an idle
 * primary is no lag.
 *
 * @module
 */

/** What is known of a time before it is forgotten: minutes, at the usual interval of a second. */
const SAMPLES_MAX = 512;

/** A position of the primary. */
interface Sample {
  /** The newest round that found the primary there. */
  round: number;
  readonly position: number;
  /** When it was first found there, on the gateway's clock. */
  readonly timeMs: number;
}

/** How far behind a replica is. */
export interface Lag {
  readonly ms: number;
  /** Bytes of WAL. */
  readonly size: number;
}

/** Positions of one primary on one timeline, over the last rounds. */
export class PositionHistory {
  /** In the order of rounds; positions grow with them. */
  #samples: Sample[] = [];
  /** Whether the primary was somewhere before the first sample that is kept. */
  #isCut = true;

  /** Whether any position is known. */
  get isEmpty(): boolean {
    return this.#samples.length === 0;
  }

  /**
   * The primary was there when it was asked.
   *
   * @param round Begun before it was asked.
   * @param nowMs On any clock that does not go backwards, the same each time.
   */
  add(round: number, position: number, nowMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && last.position > position) return;
    if (last?.position === position) {
      last.round = round;
      return;
    }
    this.#samples.push({ round, position, timeMs: nowMs });
    if (this.#samples.length <= SAMPLES_MAX) return;
    this.#samples.shift();
    this.#isCut = true;
  }

  /** Another primary, or another timeline: what was known says nothing of it. */
  clear(): void {
    this.#samples = [];
    this.#isCut = false;
  }

  /** The newest round whose position was replayed; undefined if none is known. */
  caughtUpRound(replayed: number): number | undefined {
    return this.#samples.findLast(({ position }) => position <= replayed)?.round;
  }

  /**
   * How far behind somebody is who has replayed so much. Its time is that since the primary was
   * first seen to be further.
   *
   * @param replayAgeMs How long ago the last transaction was committed that it has replayed: what
   * counts where it is further behind than is remembered.
   */
  lagOf(replayed: number, replayAgeMs: number | undefined, nowMs: number): Lag {
    const size = Math.max(0, (this.#samples.at(-1)?.position ?? 0) - replayed);
    const first = this.#samples.find(({ position }) => position > replayed);
    if (first === undefined) return { ms: 0, size };
    const ms = nowMs - first.timeMs;
    const isOlder = this.#isCut && first === this.#samples[0];
    return { ms: isOlder ? Math.max(ms, replayAgeMs ?? 0) : ms, size };
  }
}
