/**
 * Durations as people write them: `250ms`, `5s`, `1m30s`, `2h`. A number without a unit is
 * refused, because the reader of a file cannot know whether 30 means seconds or milliseconds.
 *
 * @module
 */

/** Units from long to short, which is also the order they are written in. */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/** What {@linkcode parseDuration} accepts, as the source of a regular expression. */
export const DURATION_PATTERN = "^(0|(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$";

/**
 * Returns `text` in milliseconds, or undefined when it is not a duration: whole numbers with the
 * units h, m, s and ms, each at most once and the longest first, or a bare 0. The result is a
 * safe integer that is not negative.
 */
export function parseDuration(text: string): number | undefined {
  const match = new RegExp(DURATION_PATTERN).exec(text);
  if (match === null) return undefined;
  let ms = 0;
  UNITS.forEach(([, unitMs], i) => {
    const part = match[i + 2]; // 0 is the whole text, 1 everything inside the parentheses
    if (part !== undefined) ms += Number.parseInt(part, 10) * unitMs;
  });
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** Returns a duration as a person would write it. `ms` is a whole number that is not negative. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0ms";
  let text = "";
  let left = ms;
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(left / unitMs);
    if (count > 0) text += `${count}${unit}`;
    left -= count * unitMs;
  }
  return text;
}
