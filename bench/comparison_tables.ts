/**
 * Tables of cells: a row for each entry, with its numbers, how they compare with PgBouncer's, and
 * whether Sluice is ahead.
 *
 * @module
 */

import { type Cell, type CellKind, cellName } from "./cells.ts";
import { isSluice } from "./peers/peers.ts";
import { spreadText, type Table } from "./report.ts";
import {
  type CellResult,
  type MetricName,
  METRICS,
  type Outcome,
  type Run,
  valuesOf,
} from "./results.ts";
import { middleHalfOf, type Spread } from "./statistics.ts";
import { isContest, lossesOf, lossesText, ratioOf, REFERENCE, rivalsIn } from "./verdicts.ts";

/** Of a metric: its spread, its ratio to PgBouncer's or to one worker's, or its median alone. */
interface Column {
  readonly metric: MetricName;
  readonly shows: "spread" | "of PgBouncer" | "of one worker" | "median";
}

const NOTHING = "-";

/** Longer words would make a table of one cell. */
const REMARK_LENGTH_MAX = 160;

function columnsOf(kind: CellKind): readonly Column[] {
  switch (kind) {
    case "large":
      return [
        { metric: "megabytesPerSecond", shows: "spread" },
        { metric: "megabytesPerSecond", shows: "of PgBouncer" },
        { metric: "cpuMillisecondsPerMegabyte", shows: "spread" },
        { metric: "memoryMiB", shows: "median" },
      ];
    case "idle":
      return [
        { metric: "bytesPerClient", shows: "spread" },
        { metric: "bytesPerClient", shows: "of PgBouncer" },
        { metric: "memoryMiB", shows: "median" },
      ];
    case "workers":
      return [
        { metric: "tps", shows: "spread" },
        { metric: "tps", shows: "of one worker" },
        { metric: "cpuMicroseconds", shows: "spread" },
        { metric: "cpuMicroseconds", shows: "of one worker" },
        { metric: "p99Ms", shows: "spread" },
        { metric: "p999Ms", shows: "median" },
      ];
    default:
      return [
        { metric: "tps", shows: "spread" },
        { metric: "tps", shows: "of PgBouncer" },
        { metric: "cpuMicroseconds", shows: "spread" },
        { metric: "cpuMicroseconds", shows: "of PgBouncer" },
        { metric: "p50Ms", shows: "median" },
        { metric: "p99Ms", shows: "spread" },
        { metric: "p99Ms", shows: "of PgBouncer" },
        { metric: "p999Ms", shows: "spread" },
        { metric: "memoryMiB", shows: "median" },
      ];
  }
}

/** All cells of one kind and mode, one below the other. */
export function comparisonTable(results: readonly CellResult[]): Table {
  const kind = results[0]?.cell.kind ?? "simple";
  const columns = columnsOf(kind);
  const header = columns.map(({ metric, shows }) =>
    shows === "of PgBouncer" || shows === "of one worker" ? shows : METRICS[metric].header
  );
  const rows = results.flatMap((result) =>
    [...result.outcomes].map(([entry, outcome]) => [
      cellName(result.cell),
      entry,
      ...columns.map((column) => columnText(result, entry, column)),
      remarkOf(result, entry, outcome),
    ])
  );
  return { header: ["work", "through", ...header, "remarks"], rows, isLastText: true };
}

function columnText(result: CellResult, entry: string, { metric, shows }: Column): string {
  const outcome = result.outcomes.get(entry)!;
  const runs: readonly Run[] = outcome.kind === "measured" ? outcome.runs : [];
  const { digits } = METRICS[metric];
  switch (shows) {
    case "of PgBouncer":
      return ratioText(entry === REFERENCE ? undefined : ratioOf(result, entry, REFERENCE, metric));
    case "of one worker":
      return ratioText(ratioOf(result, entry, withOneWorker(result.cell, entry), metric));
  }
  const values = valuesOf(runs, metric);
  if (values === undefined) return NOTHING;
  const spread = middleHalfOf(values);
  return shows === "median" ? spread.median.toFixed(digits) : spreadText(spread, digits);
}

/** The same subject's entry with one worker, or no entry for that one itself. */
function withOneWorker({ workers }: Cell, entry: string): string {
  const suffix = workers.map((count) => `, ${count} workers`).find((text) => entry.endsWith(text));
  return suffix === undefined ? "" : entry.slice(0, -suffix.length);
}

function ratioText(ratio: Spread | undefined): string {
  return ratio === undefined ? NOTHING : spreadText(ratio, 2);
}

/** Of Sluice whether the cell is won, of all why there is nothing to see. */
function remarkOf(result: CellResult, entry: string, outcome: Outcome): string {
  if (outcome.kind !== "measured") return shortened(`${outcome.kind}: ${outcome.why}`);
  if (!isSluice(entry) || !isContest(result.cell)) return "";
  if (rivalsIn(result).length === 0) return "nobody to compare with";
  const losses = lossesOf(result, entry);
  return losses.length === 0 ? "won" : `**lost**: ${lossesText(losses)}`;
}

/** Nothing that breaks a table. */
function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").replaceAll("|", "/").trim();
  return line.length > REMARK_LENGTH_MAX ? `${line.slice(0, REMARK_LENGTH_MAX)} ...` : line;
}
