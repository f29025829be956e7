/**
 * A signal's metadata as fields of a log record: a few, short, and under names of their own, so
 * that a plugin cannot write a field that means something else.
 *
 * @module
 */

const FIELDS_MAX = 16;
const NAME_SIZE_MAX = 32;
const TEXT_SIZE_MAX = 1_000;

/** Returns text, numbers and truth values of metadata; `score` is the field `signal_score`. */
export function signalFields(
  metadata: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | number | boolean>> {
  const fields: Record<string, string | number | boolean> = {};
  let left = FIELDS_MAX;
  for (const [key, value] of Object.entries(metadata)) {
    const isShown = typeof value === "string" || typeof value === "number" ||
      typeof value === "boolean";
    if (!isShown) continue;
    left -= 1;
    if (left < 0) break;
    const name = key.replaceAll(/[^A-Za-z0-9_]/g, "_").slice(0, NAME_SIZE_MAX);
    fields[`signal_${name}`] = typeof value === "string" ? value.slice(0, TEXT_SIZE_MAX) : value;
  }
  return fields;
}
