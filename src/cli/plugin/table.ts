/**
 * Tables for a terminal.
 *
 * @module
 */

/** Of what a plugin says, in characters. */
const TEXT_SIZE_MAX = 500;

/**
 * Columns as wide as their widest cell, two blanks apart; no blanks at the end of lines.
 *
 * @param rows Cells; the first row is the heading. No cell has a line end.
 * @param numbers Indexes of columns that are set to the right.
 */
export function tableText(
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows.map((row) => {
    const cells = row.map((cell, i) =>
      numbers.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    );
    return `${cells.join("  ").trimEnd()}\n`;
  }).join("");
}

/** Text that a plugin chose, on one line and without what a terminal could act on. */
export function harmless(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ");
  return line.length > TEXT_SIZE_MAX ? `${line.slice(0, TEXT_SIZE_MAX)}…` : line;
}

/** A whole number with commas: 5,000,000. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** Words with commas, or a dash for none. */
export function listed(words: readonly string[]): string {
  return words.length === 0 ? "-" : words.join(", ");
}
