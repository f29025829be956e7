/**
 * How one thread does I/O: its driver, its clock, and whether the thread is Deno's or the driver's.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../base/clock.ts";
import { DenoDriver } from "./deno_driver.ts";
import { EventLoop } from "./native/event_loop.ts";
import { heldFetch } from "./native/held_fetch.ts";
import { libC } from "./native/libc.ts";
import { NativeDriver } from "./native/native_driver.ts";
import { Inbox, type ThreadMemory } from "./native/thread_memory.ts";
import { openRingDriver } from "./native/uring/ring_driver.ts";
import type { Driver } from "./socket.ts";

/** Drivers of the real network. */
export type DriverKind = "deno" | "epoll" | "io_uring";

/** One thread's sockets and time. */
export interface NetThread {
  readonly driver: Driver;
  readonly clock: Clock;
  /** Waits for what Deno brings about, and no socket of the driver: a file, a request, a module. */
  background<Result>(work: Promise<Result>): Promise<Result>;
  /** As the global `fetch`, which is Deno's work, too. */
  readonly fetch: typeof fetch;
  /** The thread is ready: it does nothing from now on but serve sockets, timers and messages. */
  serve(onFailure: (error: unknown) => void): void;
}

/**
 * Opens a driver for this thread.
 *
 * @param memory What threads share; whoever sends this one a message wakes it through that.
 * @param thread Number of this thread there.
 * @param received How many messages of other threads this one has got, from its very first on.
 * @throws {Error} If the system does not have what the driver needs.
 */
export function openNetThread(
  kind: DriverKind,
  memory: ThreadMemory,
  thread: number,
  received: () => number,
): NetThread {
  if (kind === "deno") {
    return {
      driver: new DenoDriver(),
      clock: SYSTEM_CLOCK,
      background: (work) => work,
      fetch: (...request) => fetch(...request),
      serve: () => {},
    };
  }
  const { loop, driver } = openNative(kind, memory.descriptors[thread]);
  const inbox = new Inbox(memory, thread, received);
  return {
    driver,
    clock: loop,
    background: (work) => loop.hold(work),
    fetch: heldFetch(loop),
    serve(onFailure) {
      loop.run(inbox).catch(onFailure);
    },
  };
}

function openNative(
  kind: "epoll" | "io_uring",
  descriptors: SharedArrayBuffer | undefined,
): { readonly loop: EventLoop; readonly driver: Driver } {
  if (kind === "io_uring") return openRingDriver(libC(), descriptors);
  const loop = new EventLoop(libC(), descriptors);
  return { loop, driver: new NativeDriver(loop) };
}
