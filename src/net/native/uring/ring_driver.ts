/**
 * The native driver on io_uring: Linux 6.1 and newer.
 *
 * @module
 */

import { EventLoop } from "../event_loop.ts";
import type { LibC } from "../libc.ts";
import { NativeDriver, systemLookup } from "../native_driver.ts";
import { type RingCalls, ringCalls } from "./ring_calls.ts";
import { RingListener } from "./ring_listener.ts";
import type { RingMemory, RingMemoryOptions } from "./ring_memory.ts";
import type { RingOptions } from "./ring.ts";
import { RingPoller } from "./ring_poller.ts";
import { RingSocket, RingThread } from "./ring_socket.ts";

/**
 * Sizes for thousands of connections. More operations than entries in one turn cost one more
 * call; the queues count as locked memory, 50 KiB a thread. Small buffers take what PostgreSQL
 * sends at once (PQ_SEND_BUFFER_SIZE in pqcomm.c, 8 KiB); all buffers together are 6.5 MiB.
 */
export const RING_OPTIONS: RingOptions & RingMemoryOptions = {
  entries: 256,
  completions: 1024,
  small: { count: 512, size: 8 * 1024 },
  large: { count: 32, size: 64 * 1024 },
  outgoingSize: 512 * 1024,
};

/** A thread's event loop, and its sockets. */
export interface RingDriver {
  readonly loop: EventLoop;
  readonly driver: NativeDriver;
  /** What is received into and sent from. */
  readonly memory: RingMemory;
}

/**
 * Opens a ring for this thread.
 *
 * @param descriptors Where it notes what it has open: a byte a descriptor.
 * @throws {Error} If the system has no io_uring that does, or does not allow it; the message says
 * why.
 */
export function openRingDriver(
  libC: LibC,
  descriptors?: SharedArrayBuffer,
  options: RingOptions & RingMemoryOptions = RING_OPTIONS,
  calls: RingCalls = ringCalls(),
): RingDriver {
  const pollers: RingPoller[] = [];
  const loop = new EventLoop(libC, descriptors, (loop) => {
    const poller = new RingPoller(loop, calls, options);
    pollers.push(poller);
    return poller;
  });
  const thread = new RingThread(loop, pollers[0]!);
  const driver = new NativeDriver(loop, systemLookup, {
    socket: (fd, peer) => new RingSocket(fd, peer, thread),
    listener: (fd, options, handler) => new RingListener(fd, options, thread, handler),
  });
  return { loop, driver, memory: thread.poller.memory };
}
