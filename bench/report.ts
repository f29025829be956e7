/**
 * Measurements and tables: aligned text for a terminal, the same as Markdown for a page.
 *
 * @module
 */

import type { PgbenchResult } from "./pgbench.ts";
import type { Spread } from "./statistics.ts";

/** One run of pgbench through one contestant. */
export interface Measurement extends PgbenchResult {
  /** Until all clients were connected. */
  readonly connectingSeconds: number;
  /**
   * Of the proxy's processes, as long as all clients are connected; undefined for a server without
   * one.
   */
  readonly cpuMicrosecondsPerTransaction: number | undefined;
  /** Of the proxy's processes right after the run. */
  readonly memoryMiB: number | undefined;
}

/** A header and rows of as many texts. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The last column is words, as the first two are; default false. */
  readonly isLastText?: boolean;
}

/** Aligned columns: words on the left, numbers on the right. */
export function asText(table: Table): string {
  const lines = [table.header, ...table.rows];
  const widths = table.header.map((_, column) =>
    Math.max(...lines.map((row) => row[column]!.length))
  );
  const line = (row: readonly string[]) =>
    row.map((text, column) =>
      isWords(table, column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
    ).join("  ").trimEnd();
  return lines.map(line).join("\n") + "\n";
}

/** The same as a Markdown table. */
export function asMarkdown(table: Table): string {
  const line = (row: readonly string[]) => `| ${row.join(" | ")} |`;
  const alignments = table.header.map((_, column) => isWords(table, column) ? "---" : "---:");
  return [line(table.header), line(alignments), ...table.rows.map(line)].join("\n") + "\n";
}

function isWords({ header, isLastText = false }: Table, column: number): boolean {
  return column < 2 || isLastText && column === header.length - 1;
}

/** The middle, with both ends of the spread in brackets. */
export function spreadText({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`;
}
