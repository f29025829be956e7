/**
 * Whether this system's io_uring does what the driver builds on. That it is there does not say so:
 * kernels differ in what they tell of a send that was cut short.
 *
 * @module
 */

import { type LibC, LINUX, pointerTo, systemError } from "../libc.ts";
import { Ring } from "./ring.ts";
import { setOption } from "../socket_calls.ts";
import { type RingCalls, ringCalls } from "./ring_calls.ts";
import { openRingDriver, RING_OPTIONS, type RingDriver } from "./ring_driver.ts";
import { RingMemory } from "./ring_memory.ts";

/** A ring that is there only to be tried. */
const OPTIONS = {
  entries: 16,
  completions: 32,
  small: { count: 8, size: 8 * 1024 },
  large: { count: 1, size: 64 * 1024 },
  outgoingSize: 512 * 1024,
} as const;

/** What a socket is told to take at once, of which the kernel makes twice as much. */
const TAKEN_SIZE = 64 * 1024;

/** Who the entry that is sent belongs to. */
const OWNER = 1;

/**
 * Opens a small ring, of which is known that what it tells of sends is true. Whoever opens it has
 * still to see connections on it work.
 *
 * @param threads How many rings there have to be at one time.
 * @param descriptors Where it notes what it has open: a byte a descriptor.
 * @throws {Error} If there are none, or they do not do as they should; the message says why.
 */
export function openTestedRing(
  libC: LibC,
  threads: number,
  descriptors?: SharedArrayBuffer,
  calls: RingCalls = ringCalls(),
): RingDriver {
  assertEnough(libC, threads, calls);
  assertTellsOfShortSends(libC, calls);
  return openRingDriver(libC, descriptors, OPTIONS, calls);
}

/** Queues count as locked memory, of which a user has so much only. */
function assertEnough(libC: LibC, threads: number, calls: RingCalls): void {
  const rings: Ring[] = [];
  try {
    for (let i = 0; i < threads; i += 1) rings.push(new Ring(calls, libC, RING_OPTIONS));
  } finally {
    for (const ring of rings) {
      ring.unmap();
      libC.close(ring.fd);
    }
  }
}

/**
 * Sends more than a socket takes, and counts at the other end.
 *
 * @throws {Error} If nothing was told, or something else than what has arrived.
 */
function assertTellsOfShortSends(libC: LibC, calls: RingCalls): void {
  const ring = new Ring(calls, libC, OPTIONS);
  const fds = new Int32Array(2);
  const kind = LINUX.SOCK_STREAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
  try {
    const memory = new RingMemory(calls, libC, ring.fd, OPTIONS);
    if (calls.socketpair(LINUX.AF_UNIX, kind, 0, new Uint8Array(fds.buffer)) < 0) {
      throw systemError(libC, libC.errno);
    }
    const [near, far] = fds as unknown as [number, number];
    setOption(libC, near, LINUX.SOL_SOCKET, LINUX.SO_SNDBUF, TAKEN_SIZE);
    const told: number[] = [];
    const send = (size: number) => {
      const bytes = memory.outgoing.gather([new Uint8Array(size)], size)!;
      const at = bytes.byteOffset;
      ring.send(near, memory.lowOf(at), memory.highOf(at), size, OWNER, 0);
      ring.enter(0);
      ring.take((owner, _tag, result) => void (owner === OWNER && told.push(result)));
    };
    send(1);
    const small = received(libC, far);
    if (small !== 1 || told.length > 0) throw lies(`${small} of 1 byte sent, and ${told} told`);
    send(memory.outgoing.room);
    const large = received(libC, far);
    if (told.length !== 1 || told[0] !== large) throw lies(`${large} bytes sent, and ${told} told`);
  } finally {
    for (const fd of fds) if (fd > 0) libC.close(fd);
    ring.unmap();
    libC.close(ring.fd);
  }
}

/** How many bytes have arrived. */
function received(libC: LibC, fd: number): number {
  const buffer = new ArrayBuffer(64 * 1024);
  let sum = 0;
  for (;;) {
    const size = libC.recv(fd, pointerTo(buffer), buffer.byteLength, 0);
    if (size <= 0) return sum;
    sum += size;
  }
}

function lies(state: string): Error {
  return new Error(`io_uring does not tell what it has sent: ${state}; a newer Linux may`);
}
