/**
 * The one error of this room.
 *
 * @module
 */

/** A WebAssembly module is cut off, malformed, or uses what plugins may not use. */
export class InvalidModuleError extends Error {
  override readonly name = "InvalidModuleError";
  /** Where in the module, in bytes from its start. */
  readonly offset: number;

  /** @param problem What is wrong and, if there is one, the rule; without a final period. */
  constructor(problem: string, offset: number) {
    super(`${problem} (at byte ${offset})`);
    this.offset = offset;
  }
}
