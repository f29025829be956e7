/**
 * How the story looks in a terminal: numbered steps, wrapped paragraphs, statements and their
 * answers, never wider than 100 columns, plain text.
 *
 * @module
 */

import type { QueryResult } from "./postgres_driver.ts";
import type { MetricChange } from "./metrics_difference.ts";

/** Columns of the narrowest terminal that it has to look right in. */
const WIDTH = 100;

/** More rows than any statement of the story gives. */
const ROWS_MAX = 20;

/** Writes the story line by line. */
export class StoryPage {
  readonly #write: (line: string) => void;
  #step = 0;

  /** @param write Called once a line, without its end. */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Opens the next step: a number, what it shows, and a paragraph that says how. */
  step(title: string, paragraph: string): void {
    this.#step += 1;
    this.#write("");
    this.#write(`${this.#step}. ${title}`);
    for (const line of wrap(paragraph, WIDTH - 3)) this.#write(`   ${line}`);
    this.#write("");
  }

  /** A statement as the client sends it. */
  statement(text: string): void {
    this.#write(`   => ${text}`.slice(0, WIDTH));
  }

  /** One line of what came of it. */
  answer(text: string): void {
    for (const line of wrap(text, WIDTH - 6)) this.#write(`      ${line}`);
  }

  /** The rows of an answer as a table, or its command tag if it has none. */
  result(result: QueryResult): void {
    if (result.rows.length === 0) {
      const tag = [result.command, result.rowCount].filter((part) => part !== null);
      this.answer(tag.join(" "));
      return;
    }
    for (const line of table(result.rows.slice(0, ROWS_MAX))) {
      this.#write(`      ${line}`.slice(0, WIDTH));
    }
  }

  /** Each metric that moved, with its value before and after. */
  changes(changes: readonly MetricChange[]): void {
    const lines = changes.map(({ sample, before, after }) => ({
      sample,
      values: `${formatNumber(before)} -> ${formatNumber(after)}`,
    }));
    const sampleWidth = Math.max(0, ...lines.map(({ sample }) => sample.length));
    const valuesWidth = Math.max(0, ...lines.map(({ values }) => values.length));
    const fits = 3 + sampleWidth + 2 + valuesWidth <= WIDTH;
    for (const { sample, values } of lines) {
      if (fits) {
        this.#write(`   ${sample.padEnd(sampleWidth)}  ${values}`);
      } else {
        this.#write(`   ${sample}`); // Cut by nothing: half a name could not be looked up.
        this.#write(`      ${values}`);
      }
    }
  }
}

/** Lines of at most `width` characters, broken between words where possible. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) { // Runs of spaces align columns, and stay.
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  return line === "" ? lines : [...lines, line];
}

function table(rows: QueryResult["rows"]): readonly string[] {
  const names = Object.keys(rows[0] ?? {});
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name])))];
  const widths = names.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column]!)).join("   ").trimEnd()
  );
  const rule = widths.map((width) => "-".repeat(width)).join("   ");
  return [lines[0]!, rule, ...lines.slice(1)];
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
