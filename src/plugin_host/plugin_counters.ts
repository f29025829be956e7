/**
 * What the gateway counts of a plugin: cells of 64 bits in shared memory, one region for each
 * worker and version of the plugin, with one writer. Reading sums the regions.
 *
 * @module
 */

import { HOOKS } from "../hooks/hooks.ts";
import { FORWARD, type Verdict } from "../hooks/verdict.ts";
import type { Histogram } from "../observe/counters.ts";
import { FAILURE_REASONS, type FailureReason } from "./plugin_failure.ts";

/** Upper bounds of the buckets of a call's time, in seconds; the last one, +Inf, is implied. */
export const CALL_BOUNDS_SECONDS: readonly number[] = [
  1e-7,
  2.5e-7,
  5e-7,
  1e-6,
  2.5e-6,
  5e-6,
  1e-5,
  2.5e-5,
  5e-5,
  1e-4,
  2.5e-4,
  5e-4,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
];

/** Kinds of verdicts, in the order of their cells. */
const VERDICT_KINDS: readonly Verdict["kind"][] = [
  "forward",
  "replace",
  "respond",
  "reject",
  "close",
  "route",
];

const CALLS = 0;
const FAILURES = CALLS + HOOKS.length + 1;
const VERDICTS = FAILURES + FAILURE_REASONS.length;
const BUCKETS = VERDICTS + VERDICT_KINDS.length;
const SECONDS = BUCKETS + CALL_BOUNDS_SECONDS.length + 1;
const FUEL = SECONDS + 1;
const DROPPED_LOGS = FUEL + 1;
const OFF = DROPPED_LOGS + 1;
const CELL_COUNT = OFF + 1;

const VERDICT_CELL = Object.fromEntries(
  VERDICT_KINDS.map((kind, index) => [kind, VERDICTS + index]),
) as Readonly<Record<Verdict["kind"], number>>;

const FAILURE_CELL = Object.fromEntries(
  FAILURE_REASONS.map((reason, index) => [reason, FAILURES + index]),
) as Readonly<Record<FailureReason, number>>;

/** Memory for the counters of one plugin in one worker. */
export function pluginCounterBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(CELL_COUNT * 8);
}

/** One worker's counters of one plugin. */
export class PluginCounters {
  readonly #cells: Float64Array<SharedArrayBuffer>;

  /** @param buffer Made by {@linkcode pluginCounterBuffer}. */
  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Float64Array(buffer);
  }

  /** A call has ended, whatever it came to. */
  countCall(hook: number, verdict: Verdict): void {
    const cells = this.#cells;
    cells[CALLS + hook]! += 1;
    cells[verdict === FORWARD ? VERDICTS : VERDICT_CELL[verdict.kind]]! += 1;
  }

  /** A call took so long and used so many units, and stands for some that were not measured. */
  countCost(seconds: number, fuel: number, calls: number): void {
    let bucket = 0;
    while (bucket < CALL_BOUNDS_SECONDS.length && seconds > CALL_BOUNDS_SECONDS[bucket]!) bucket++;
    this.#cells[BUCKETS + bucket]! += calls;
    this.#cells[SECONDS]! += seconds * calls;
    this.#cells[FUEL]! += fuel * calls;
  }

  countFailure(reason: FailureReason): void {
    this.#cells[FAILURE_CELL[reason]]! += 1;
  }

  countDroppedLog(): void {
    this.#cells[DROPPED_LOGS]! += 1;
  }

  /** Whether the plugin is switched off in this worker. */
  setOff(isOff: boolean): void {
    this.#cells[OFF] = isOff ? 1 : 0;
  }
}

/** What was counted of a plugin, in all workers. */
export interface PluginCounts {
  /** By the hook's name; hooks without calls are left out. */
  readonly calls: ReadonlyMap<string, number>;
  readonly failures: Readonly<Record<FailureReason, number>>;
  readonly verdicts: Readonly<Record<Verdict["kind"], number>>;
  /** Of calls, by {@linkcode CALL_BOUNDS_SECONDS}. */
  readonly seconds: Histogram;
  readonly fuel: number;
  readonly droppedLogs: number;
  /** How many workers have switched it off. */
  readonly workersOff: number;
}

/** Sums what several workers counted of one plugin. */
export function readPluginCounters(buffers: readonly SharedArrayBuffer[]): PluginCounts {
  const regions = buffers.map((buffer) => new Float64Array(buffer));
  const sum = (cell: number) => regions.reduce((total, cells) => total + cells[cell]!, 0);
  const calls = HOOKS.map(({ name, number }) => [name, sum(CALLS + number)] as const);
  return {
    calls: new Map(calls.filter(([, count]) => count > 0)),
    failures: sums(FAILURE_REASONS, (reason) => sum(FAILURE_CELL[reason])),
    verdicts: sums(VERDICT_KINDS, (kind) => sum(VERDICT_CELL[kind])),
    seconds: {
      buckets: Array.from({ length: CALL_BOUNDS_SECONDS.length + 1 }, (_, i) => sum(BUCKETS + i)),
      sumSeconds: sum(SECONDS),
      boundsSeconds: CALL_BOUNDS_SECONDS,
    },
    fuel: sum(FUEL),
    droppedLogs: sum(DROPPED_LOGS),
    workersOff: sum(OFF),
  };
}

function sums<Name extends string>(
  names: readonly Name[],
  of: (name: Name) => number,
): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, number>;
}
