/**
 * The system's library for tests, opened before the first of them begins: one that a test opens is
 * taken for left open by Deno before 2.9, and closing it would take it from the others.
 *
 * @module
 */

import { isSupported, type LibC, libC } from "../../src/net/native/libc.ts";
import { ringCalls } from "../../src/net/native/uring/ring_calls.ts";

if (isSupported()) {
  libC();
  ringCalls();
}

/** The library of this thread. @throws {Error} If the system has none that fits. */
export function openedLibC(): LibC {
  return libC();
}
