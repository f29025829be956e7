/**
 * How a call of a plugin can fail.
 *
 * @module
 */

/** Why a call failed, in the order of their counters. */
export const FAILURE_REASONS = [
  /** The module's own trap: unreachable, a division by zero, an access outside memory. */
  "trap",
  /** It used all of its fuel. */
  "fuel",
  /** It called too deeply. */
  "stack",
  /** It gave the host a pointer that leads out of its memory. */
  "pointer",
  /** What it wrote is too long, or cannot be what the verdict needs. */
  "output",
  /** The verdict does not exist, or is not possible at this hook or now. */
  "verdict",
  /** The verdict needs a permission that it has not got. */
  "permission",
  /** It said itself that it failed. */
  "error",
  /** A function of the host failed: a defect of Sluice, or a type that is not the import's. */
  "host",
  /** A new instance could not be made. */
  "init",
  /** It was not called, as calls that failed before had taken too long: see `failure_debt.ts`. */
  "rest",
] as const;

/** One of {@linkcode FAILURE_REASONS}. */
export type FailureReason = typeof FAILURE_REASONS[number];

/** Ends a call from inside a host function, or because of what it returned. */
export class PluginTrap extends Error {
  override readonly name = "PluginTrap";
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Why a call failed that threw something, and whether its fuel was used up then. */
export function reasonOf(thrown: unknown, isOutOfFuel: boolean): FailureReason {
  if (thrown instanceof PluginTrap) return thrown.reason;
  if (thrown instanceof WebAssembly.RuntimeError) return isOutOfFuel ? "fuel" : "trap";
  // V8: "Maximum call stack size exceeded", in the module or in a host function that it called.
  if (thrown instanceof RangeError && thrown.message.includes("call stack")) return "stack";
  return "host";
}
