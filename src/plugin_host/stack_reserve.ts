/**
 * Room on the stack for what must not end half way: making a metric. A plugin decides how deep the
 * stack is when it calls the host.
 *
 * @module
 */

/**
 * Many more frames than making a metric has: the compiler may join these into fewer and smaller
 * ones. Reserving them takes a microsecond or two.
 */
const FRAMES = 128;

/**
 * Makes sure that there is enough left.
 *
 * @throws {RangeError} If not: V8's, as for any call that is too deep.
 */
export function reserveStack(): void {
  descend(FRAMES);
}

function descend(frames: number): number {
  return frames === 0 ? 0 : descend(frames - 1) + 1;
}
