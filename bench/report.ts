/**
 * Turns measurements into tables: aligned text for a terminal, the same as Markdown for a page.
 *
 * @module
 */

import { type Spread, spreadOf, spreadOfRatios } from "./statistics.ts";

/** One run through one contestant. */
export interface Measurement {
  readonly transactions: number;
  readonly transactionsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the proxy's process; undefined for a server without one. */
  readonly cpuMicrosecondsPerTransaction: number | undefined;
  /** Of the proxy's process right after the run. */
  readonly residentMiB: number | undefined;
}

/** All rounds of one workload, by contestant. */
export interface Cell {
  readonly workload: string;
  readonly rounds: ReadonlyMap<string, readonly Measurement[]>;
}

/** All rounds of one transfer, by contestant, in MB per second. */
export interface TransferCell {
  readonly transfer: string;
  readonly rounds: ReadonlyMap<string, readonly number[]>;
}

/** A header and rows of as many texts. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Whom the others are compared with. */
const REFERENCE = "pgbouncer";

/** What is shown where there is nothing to show. */
const NOTHING = "-";

/** Transactions: a row for each workload and contestant. */
export function transactionTable(cells: readonly Cell[]): Table {
  const header = ["workload", "through", "tps", "of PgBouncer", "CPU µs/tx", "of PgBouncer"];
  header.push("p50 ms", "p99 ms", "MiB");
  const rows = cells.flatMap(({ workload, rounds }) =>
    [...rounds].map(([name, runs]) => {
      const reference = rounds.get(REFERENCE) ?? [];
      const tps = (run: Measurement) => run.transactionsPerSecond;
      const cpu = (run: Measurement) => run.cpuMicrosecondsPerTransaction;
      return [
        workload,
        name,
        spreadText(spreadOf(runs.map(tps)), 0),
        ratioText(name, runs.map(tps), reference.map(tps)),
        measuredText(runs.map(cpu), 1),
        ratioText(name, runs.map(cpu), reference.map(cpu)),
        spreadOf(runs.map((run) => run.p50Ms)).median.toFixed(2),
        spreadOf(runs.map((run) => run.p99Ms)).median.toFixed(2),
        largestText(runs.map((run) => run.residentMiB)),
      ];
    })
  );
  return { header, rows };
}

/** Large results: a row for each transfer and contestant. */
export function transferTable(cells: readonly TransferCell[]): Table {
  const rows = cells.flatMap(({ transfer, rounds }) =>
    [...rounds].map(([name, rates]) => [
      transfer,
      name,
      spreadText(spreadOf(rates), 0),
      ratioText(name, rates, rounds.get(REFERENCE) ?? []),
    ])
  );
  return { header: ["transfer", "through", "MB/s", "of PgBouncer"], rows };
}

/** Aligned columns; the first two are words, the others numbers. */
export function asText({ header, rows }: Table): string {
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]!.length))
  );
  const line = (row: readonly string[]) =>
    row.map((text, column) =>
      column < 2 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
    ).join("  ").trimEnd();
  return [header, ...rows].map(line).join("\n") + "\n";
}

/** The same as a Markdown table. */
export function asMarkdown({ header, rows }: Table): string {
  const line = (row: readonly string[]) => `| ${row.join(" | ")} |`;
  const alignments = header.map((_, column) => column < 2 ? "---" : "---:");
  return [line(header), line(alignments), ...rows.map(line)].join("\n") + "\n";
}

function ratioText(
  name: string,
  values: readonly (number | undefined)[],
  references: readonly (number | undefined)[],
): string {
  const isMeasured = isAllMeasured(values) && isAllMeasured(references);
  if (name === REFERENCE || references.length === 0 || !isMeasured) return NOTHING;
  return spreadText(spreadOfRatios(values, references), 2);
}

function measuredText(values: readonly (number | undefined)[], digits: number): string {
  return isAllMeasured(values) ? spreadText(spreadOf(values), digits) : NOTHING;
}

function largestText(values: readonly (number | undefined)[]): string {
  return isAllMeasured(values) ? Math.max(...values).toFixed(0) : NOTHING;
}

function isAllMeasured(values: readonly (number | undefined)[]): values is readonly number[] {
  return values.every((value) => value !== undefined);
}

/** The middle, with the smallest and the largest in brackets. */
export function spreadText({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`;
}
