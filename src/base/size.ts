/**
 * Sizes in bytes as people write them: `512B`, `64KiB`, `10MiB`, `1GiB` in powers of 1024, `KB`,
 * `MB`, `GB` in powers of 1000, and a bare whole number for bytes.
 *
 * @module
 */

// IEC 80000-13: KiB, MiB and GiB are powers of 1024; the SI's KB, MB and GB are powers of 1000.
const BYTES_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["B", 1],
  ["KB", 1_000],
  ["MB", 1_000_000],
  ["GB", 1_000_000_000],
  ["KiB", 1_024],
  ["MiB", 1_048_576],
  ["GiB", 1_073_741_824],
]);

/** What {@linkcode parseSize} accepts, as the source of a regular expression. */
export const SIZE_PATTERN = "^([0-9]+)([KMG]i?B|B|)$";

/** Returns `text` in bytes, a safe integer, or undefined when it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = new RegExp(SIZE_PATTERN).exec(text);
  if (match === null) return undefined;
  const bytes = Number.parseInt(match[1]!, 10) * BYTES_PER_UNIT.get(match[2]!)!;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Returns `bytes`, a whole number, in the largest unit of 1024 that divides it. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"]) {
    const size = BYTES_PER_UNIT.get(unit)!;
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}
