/**
 * What calls of imported functions cost, in units of fuel: for `meterModule`. What a call does
 * beyond that is charged while it runs, by what it copies, parses and writes.
 *
 * @module
 */

/** Entering the host and coming back, with checks: 20 to 50 ns were measured. */
const CALL_UNITS = 50;

/** The same of functions that make an object of bytes, or ask the system: 200 to 800 ns. */
const OBJECT_UNITS = 300;

const WITH_OBJECT: ReadonlySet<string> = new Set([
  "parameter",
  "config",
  "error",
  "result_column",
  "result_value",
  "result_tag",
  "random",
  "random_get",
]);

/** Units for one call of an import, whatever it is given. */
export function hostCallCost(_module: string, name: string): number {
  return WITH_OBJECT.has(name) ? OBJECT_UNITS : CALL_UNITS;
}
