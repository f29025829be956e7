/**
 * What was measured in a cell, in numbers that have names.
 *
 * @module
 */

import type { Cell } from "./cells.ts";

/** What a number is of. */
export type MetricName =
  | "tps"
  | "cpuMicroseconds"
  | "p50Ms"
  | "p99Ms"
  | "p999Ms"
  | "memoryMiB"
  | "megabytesPerSecond"
  | "cpuMillisecondsPerMegabyte"
  | "bytesPerClient";

/** One run through one entry: whatever its cell has, and can be known. */
export type Run = Readonly<Partial<Record<MetricName, number>>>;

/** How a metric is shown. */
export interface Metric {
  readonly header: string;
  /** Behind the point. */
  readonly digits: number;
  readonly isMoreBetter: boolean;
  /** In words, for a sentence about a cell that was lost. */
  readonly words: string;
}

/** All metrics. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  tps: { header: "tps", digits: 0, isMoreBetter: true, words: "throughput" },
  cpuMicroseconds: { header: "CPU µs/tx", digits: 1, isMoreBetter: false, words: "CPU" },
  p50Ms: { header: "p50 ms", digits: 2, isMoreBetter: false, words: "p50" },
  p99Ms: { header: "p99 ms", digits: 2, isMoreBetter: false, words: "p99" },
  p999Ms: { header: "p999 ms", digits: 2, isMoreBetter: false, words: "p999" },
  memoryMiB: { header: "MiB", digits: 0, isMoreBetter: false, words: "memory" },
  megabytesPerSecond: { header: "MB/s", digits: 0, isMoreBetter: true, words: "MB/s" },
  cpuMillisecondsPerMegabyte: {
    header: "CPU ms/MB",
    digits: 2,
    isMoreBetter: false,
    words: "CPU",
  },
  bytesPerClient: {
    header: "bytes/client",
    digits: 0,
    isMoreBetter: false,
    words: "memory for each client",
  },
};

/** What became of an entry in a cell. */
export type Outcome =
  | { readonly kind: "measured"; readonly runs: readonly Run[] }
  /** It was tried, and something went wrong. */
  | { readonly kind: "failed"; readonly why: string }
  /** It cannot do this work, which is known before. */
  | { readonly kind: "left out"; readonly why: string };

/** All entries of a cell, by their names, in the order of the rows. */
export interface CellResult {
  readonly cell: Cell;
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** The runs of an entry; none if it failed or was left out. */
export function runsOf({ outcomes }: CellResult, entry: string): readonly Run[] {
  const outcome = outcomes.get(entry);
  return outcome?.kind === "measured" ? outcome.runs : [];
}

/** The numbers of one metric, one a run; undefined unless every run has it. */
export function valuesOf(runs: readonly Run[], metric: MetricName): number[] | undefined {
  const values = runs.map((run) => run[metric]).filter((value) => value !== undefined);
  return runs.length > 0 && values.length === runs.length ? values : undefined;
}
