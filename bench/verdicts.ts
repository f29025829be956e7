/**
 * Which cells Sluice has won: whether it is ahead of each peer by what the cell is about, and far
 * enough ahead of PgBouncer in CPU time.
 *
 * @module
 */

import type { Cell, CellKind } from "./cells.ts";
import { isSluice } from "./peers/peers.ts";
import { type CellResult, type MetricName, METRICS, runsOf, valuesOf } from "./results.ts";
import { middleHalfOfRatios, type Spread } from "./statistics.ts";

/** The peer with whom CPU time is compared, and everything in the tables. */
export const REFERENCE = "pgbouncer";

/** Whom Sluice need not be ahead of: there is nothing between the client and the server. */
const NO_PEER = "direct";

/** CPU time for a transaction is to be at most this much of PgBouncer's. */
const CPU_GOAL = 0.65;

/** What has to be true of a ratio of Sluice's number to a peer's. */
interface Criterion {
  readonly metric: MetricName;
  /** Ahead is to be on the better side of this. */
  readonly bound: number;
  /** Undefined for every peer. */
  readonly peer?: string;
}

/** Something by which Sluice is not ahead. */
export interface Loss {
  readonly cell: Cell;
  /** An entry of Sluice's. */
  readonly entry: string;
  readonly metric: MetricName;
  readonly peer: string;
  /** Of Sluice's number to the peer's, over the rounds. */
  readonly ratio: Spread;
  readonly bound: number;
  /** The middle half of the rounds is on both sides of the bound. */
  readonly isWithinSpread: boolean;
}

/** What has to be true in cells of a kind; nothing where only growth is shown. */
function criteriaOf(kind: CellKind): readonly Criterion[] {
  if (kind === "workers") return [];
  if (kind === "large") return [{ metric: "megabytesPerSecond", bound: 1 }];
  if (kind === "idle") return [{ metric: "bytesPerClient", bound: 1 }];
  return [
    { metric: "tps", bound: 1 },
    { metric: "p99Ms", bound: 1 },
    { metric: "cpuMicroseconds", bound: CPU_GOAL, peer: REFERENCE },
  ];
}

/** True if something can be won in the cell. */
export function isContest({ kind }: Cell): boolean {
  return criteriaOf(kind).length > 0;
}

/** Who was measured and can be ahead of Sluice. */
export function rivalsIn(result: CellResult): readonly string[] {
  return [...result.outcomes.keys()].filter((name) =>
    !isSluice(name) && name !== NO_PEER && runsOf(result, name).length > 0
  );
}

/** By what an entry of Sluice's is not ahead; nothing if it has won, or was not measured. */
export function lossesOf(result: CellResult, entry: string): Loss[] {
  const { cell } = result;
  const peers = rivalsIn(result);
  return criteriaOf(cell.kind).flatMap(({ metric, bound, peer }) =>
    peers.filter((name) => peer === undefined || name === peer).flatMap((name): Loss[] => {
      const ratio = ratioOf(result, entry, name, metric);
      if (ratio === undefined || isAhead(ratio.median, metric, bound)) return [];
      const isWithinSpread = ratio.min < bound && bound < ratio.max;
      return [{ cell, entry, metric, peer: name, ratio, bound, isWithinSpread }];
    })
  );
}

/** Of an entry's numbers to another's, round by round; undefined unless both have them. */
export function ratioOf(
  result: CellResult,
  entry: string,
  other: string,
  metric: MetricName,
): Spread | undefined {
  const values = valuesOf(runsOf(result, entry), metric);
  const references = valuesOf(runsOf(result, other), metric);
  return values === undefined || references === undefined
    ? undefined
    : middleHalfOfRatios(values, references);
}

/** At a bound of 1 equal is not ahead; any other bound is a goal that may be just met. */
function isAhead(ratio: number, metric: MetricName, bound: number): boolean {
  const lead = METRICS[metric].isMoreBetter ? ratio - bound : bound - ratio;
  return bound === 1 ? lead > 0 : lead >= 0;
}

/** Losses in few words: "p99 1.20 of haproxy, 1.10 of pgpool; CPU 0.80 of pgbouncer". */
export function lossesText(losses: readonly Loss[]): string {
  const texts = new Map<MetricName, string[]>();
  for (const { metric, peer, ratio } of losses) {
    texts.set(metric, [...texts.get(metric) ?? [], `${ratio.median.toFixed(2)} of ${peer}`]);
  }
  return [...texts].map(([metric, its]) => `${METRICS[metric].words} ${its.join(", ")}`).join("; ");
}
