/**
 * A recorder whose numbers and records a test can look at.
 *
 * @module
 */

import {
  type Cells,
  counterBuffer,
  LISTENER_CELL,
  POOL_CELL,
  WorkerCounters,
} from "../../src/observe/counters.ts";
import type { Fact, WaitOutcome } from "../../src/observe/facts.ts";
import type { LogLevel, LogRecord } from "../../src/observe/log_record.ts";
import { Recorder } from "../../src/observe/recorder.ts";

/** What is counted: facts are about `main` and `p`. */
export const LAYOUT = { listeners: ["main", "other"], pools: ["p", "q"] };

/** What the clock says at first: half a second after a full one. */
export const START_MS = 1_795_000_000_500;

/** A recorder and what comes of it. */
export function record(level: LogLevel | "off" = "trace", recordsPerSecondMax = 1000) {
  const counters = new WorkerCounters(LAYOUT, counterBuffer(LAYOUT));
  const records: LogRecord[] = [];
  const clock = { nowMs: START_MS };
  const recorder = new Recorder({
    counters,
    sink: { write: (one) => void records.push(one) },
    nowMs: () => clock.nowMs,
    level,
    recordsPerSecondMax,
  });
  const emit = (...facts: readonly Fact[]) => {
    for (const fact of facts) recorder.emit(fact);
  };
  return { counters, records, clock, recorder, emit };
}

/**
 * The cells of `main` or `p` that are not zero, by name, or by name and place where one is of
 * several; histograms are checked on their own.
 */
export function moved(counters: WorkerCounters): Record<string, number> {
  return Object.fromEntries([
    ...notZero(LISTENER_CELL, counters.listener("main")),
    ...notZero(POOL_CELL, counters.pool("p")),
  ]);
}

function notZero(layout: Readonly<Record<string, number>>, cells: Cells): [string, number][] {
  const offsets = Object.entries(layout).sort(([, a], [, b]) => a - b);
  return offsets.slice(0, -1).flatMap(([name, start], index) => {
    if (name.endsWith("Seconds")) return [];
    const size = offsets[index + 1]![1] - start;
    return Array.from({ length: size }, (_, place): [string, number] => [
      size === 1 ? name : `${name}[${place}]`,
      cells.get(start + place),
    ]);
  }).filter(([, value]) => value !== 0);
}

/** The end of a wait of session 7. */
export function waitEnded(outcome: WaitOutcome, waitMs = 1): Fact {
  return { kind: "wait_ended", session: 7, pool: "p", outcome, waitMs };
}
