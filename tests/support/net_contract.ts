/**
 * What the tests of the port `src/net/socket.ts` have in common: each runs on each driver, with
 * connections whose handler notes what it is told.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import type { Socket, SocketHandler } from "../../src/net/socket.ts";
import { isSupported } from "../../src/net/native/libc.ts";
import { faultyLibC } from "./faulty_libc.ts";
import {
  denoHarness,
  type Harness,
  listenForOne,
  memoryHarness,
  nativeHarness,
  openFaultyRing,
  type Peer,
  ringHarness,
} from "./net_harness.ts";
import { Random } from "./random.ts";
import { tlsDenoHarness, tlsMemoryHarness } from "./tls_harness.ts";
import { openedLibC } from "./opened_libc.ts";

/** Where the system has what it needs. */
const NATIVE: Readonly<Record<string, () => Harness | Promise<Harness>>> = {
  "native, TCP": () => nativeHarness("tcp"),
  "native, Unix": () => nativeHarness("unix"),
  "native, with faults": () => nativeHarness("tcp", faultyLibC(openedLibC(), new Random(1))),
  "io_uring, TCP": () => ringHarness("tcp"),
  "io_uring, Unix": () => ringHarness("unix"),
  "io_uring, with faults": () => ringHarness("tcp", () => openFaultyRing(new Random(1))),
};

const HARNESSES: Readonly<Record<string, () => Harness | Promise<Harness>>> = {
  "memory": memoryHarness,
  "Deno's, TCP": () => denoHarness("tcp"),
  "Deno's, Unix": () => denoHarness("unix"),
  ...(isSupported() ? NATIVE : {}),
  "TLS on memory": tlsMemoryHarness,
  "TLS on Deno's": tlsDenoHarness,
};

/** Makes one test of `body` a driver. */
export function onEachDriver(name: string, body: (harness: Harness) => Promise<void>): void {
  for (const [kind, make] of Object.entries(HARNESSES)) {
    Deno.test(`${name} (driver: ${kind})`, async () => {
      await using harness = await make();
      await body(harness);
    });
  }
}

/** A connection with a handler that notes what it is told, and does what the test wants. */
export class Noted implements SocketHandler {
  readonly socket: Socket;
  readonly seen: Uint8Array[] = [];
  ends = 0;
  readonly closes: (Error | undefined)[] = [];
  /** How many bytes to take of a view; all, unless a test says otherwise. */
  take: (view: Uint8Array) => number = (view) => view.length;
  #isCalled = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.start(this);
  }

  onData(view: Uint8Array): number {
    return this.#alone(() => {
      ok(view.length > 0, "a view has bytes");
      ok(this.closes.length === 0, "nothing is called after onClose");
      ok(this.ends === 0, "nothing comes after the end");
      this.seen.push(view.slice());
      return this.take(view);
    });
  }

  onEnd(): void {
    this.#alone(() => this.ends += 1);
  }

  onClose(error: Error | undefined): void {
    this.#alone(() => this.closes.push(error));
  }

  #alone<Result>(act: () => Result): Result {
    ok(!this.#isCalled, "calls never nest");
    this.#isCalled = true;
    const result = act();
    this.#isCalled = false;
    return result;
  }
}

/** A connection that the driver accepted, and its far end. */
export async function connected(harness: Harness): Promise<{ noted: Noted; peer: Peer }> {
  const { listener, accepted } = await listenForOne(harness);
  const peer = await harness.connect(listener.address);
  const noted = new Noted(await accepted);
  listener.close();
  await peer.isReady?.();
  return { noted, peer };
}

/** Ends a connection, and checks that `onClose` is called exactly once. */
export async function over(harness: Harness, { noted, peer }: { noted: Noted; peer: Peer }) {
  noted.socket.destroy();
  peer.close();
  await harness.until(() => noted.closes.length > 0, "onClose is called");
  await harness.pass(10);
  equal(noted.closes.length, 1, "exactly once");
}
