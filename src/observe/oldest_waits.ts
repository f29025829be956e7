/**
 * Since when the client waits that has waited longest: what is written down is the instant, not the
 * time since, so that the wait grows on the page even if the worker has stopped turning.
 *
 * @module
 */

import { type Cells, POOL_CELL, type WorkerCounters } from "./counters.ts";

/** Those who wait for one pool, in the order in which they came. */
export class WaitingSessions {
  /** No more than may wait for the pool. */
  readonly #sinceMs = new Map<number, number>();

  /** @param nowMs Milliseconds since 1970. */
  begin(session: number, nowMs: number): void {
    this.#sinceMs.set(session, nowMs);
  }

  /** Does nothing if the session did not wait. */
  end(session: number): void {
    this.#sinceMs.delete(session);
  }

  /** Since when the first one waits, in milliseconds since 1970; 0 if nobody does. */
  get oldestSinceMs(): number {
    for (const sinceMs of this.#sinceMs.values()) return sinceMs;
    return 0;
  }
}

/** How old a look of {@linkcode OldestWaits} may be: an older one is that of a stuck worker. */
const LOOK_AGE_MS_MAX = 5_000;

/** How long the client waits that has waited longest in one worker, as its cells say it. */
export function oldestWaitMs(cells: Cells, nowMs: number): number {
  const relayedMs = cells.get(POOL_CELL.relayedWaitSince);
  const pooledMs = cells.get(POOL_CELL.pooledWaitSince);
  const seenMs = cells.get(POOL_CELL.pooledWaitSeen);
  // Whoever was seen may have been served since, and others have come: nothing is added to that.
  const untilMs = nowMs - seenMs > LOOK_AGE_MS_MAX ? nowMs : seenMs;
  const isWaiting = pooledMs !== 0 && cells.get(POOL_CELL.waiters) > 0;
  return Math.max(
    0, // somebody may have set the clock back
    relayedMs === 0 ? 0 : nowMs - relayedMs,
    isWaiting ? untilMs - pooledMs : 0,
  );
}

/** How long somebody waits for a configured pool. */
export interface PoolWait {
  /** The configured pool's name. */
  readonly pool: string;
  /** In milliseconds; 0 if nobody waits. */
  readonly waitedMs: number;
}

/**
 * The gauge of one worker's pooled sessions, whose pools know how long their first one has waited.
 * They wait too often for each wait to be written down: it is enough to look about once a second.
 */
export class OldestWaits {
  readonly #cells: ReadonlyMap<string, Cells>;
  readonly #nowMs: () => number;

  /**
   * @param pools Names that `counters` have cells for.
   * @param nowMs Milliseconds since 1970.
   * @throws {RangeError} If one has none.
   */
  constructor(counters: WorkerCounters, pools: Iterable<string>, nowMs: () => number) {
    this.#cells = new Map([...pools].map((name) => [name, counters.pool(name)]));
    this.#nowMs = nowMs;
  }

  /**
   * Writes down what is so now.
   *
   * @param waits Any number for each pool, such as one for each database and user. A pool that is
   * not among them has nobody who waits; a name without cells is passed over.
   */
  measure(waits: Iterable<PoolWait>): void {
    const longestMs = new Map<string, number>();
    for (const { pool, waitedMs } of waits) {
      if (waitedMs > (longestMs.get(pool) ?? 0)) longestMs.set(pool, waitedMs);
    }
    const nowMs = this.#nowMs();
    for (const [pool, cells] of this.#cells) {
      const waitedMs = longestMs.get(pool);
      cells.set(POOL_CELL.pooledWaitSince, waitedMs === undefined ? 0 : nowMs - waitedMs);
      cells.set(POOL_CELL.pooledWaitSeen, nowMs);
    }
  }
}
