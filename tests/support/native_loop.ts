/**
 * A native loop in a test, as workers run it: it waits in the kernel.
 *
 * @module
 */

import { EventLoop } from "../../src/net/native/event_loop.ts";
import type { LibC } from "../../src/net/native/libc.ts";
import { PATIENCE_MS } from "./wait.ts";
import { openedLibC } from "./opened_libc.ts";

/**
 * Runs a loop while `body` does.
 *
 * @param open Makes it; it is one on epoll by default.
 * @throws {Error} If `body` takes too long: timers of Deno do not run meanwhile, the loop's do.
 */
export async function whileRunning<Result>(
  body: (loop: EventLoop) => Promise<Result>,
  libC: LibC = openedLibC(),
  open: (libC: LibC) => EventLoop = (libC) => new EventLoop(libC),
): Promise<Result> {
  const loop = open(libC);
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = loop.after(PATIENCE_MS, () => reject(new Error(`not within ${PATIENCE_MS} ms`)));
  const running = loop.run();
  try {
    return await Promise.race([body(loop), expired]);
  } finally {
    timer.cancel();
    loop.stop();
    await running;
  }
}

/** Lets time pass on the loop's clock. */
export function passOn(loop: EventLoop, ms: number): Promise<void> {
  return new Promise((resolve) => loop.after(ms, resolve));
}
