/**
 * Maps by name.
 *
 * @module
 */

/** A map with the same names in the same order, and other values. */
export function mapValues<From, To>(
  map: ReadonlyMap<string, From>,
  change: (value: From, name: string) => To,
): Map<string, To> {
  return new Map([...map].map(([name, value]) => [name, change(value, name)]));
}
