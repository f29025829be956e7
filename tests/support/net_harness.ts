/**
 * The same view of both drivers, so that one set of tests says what the port promises: a driver,
 * and peers at the other end of its connections that a test plays by hand.
 *
 * @module
 */

import type { Address, TcpAddress } from "../../src/base/address.ts";
import { ok } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { DenoDriver } from "../../src/net/deno_driver.ts";
import { EventLoop } from "../../src/net/native/event_loop.ts";
import type { LibC } from "../../src/net/native/libc.ts";
import { NativeDriver } from "../../src/net/native/native_driver.ts";
import { ringCalls } from "../../src/net/native/uring/ring_calls.ts";
import { openRingDriver, type RingDriver } from "../../src/net/native/uring/ring_driver.ts";
import type { Driver, Listener, Socket } from "../../src/net/socket.ts";
import { faultyRing } from "./faulty_ring.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemoryNetwork } from "./memory_driver.ts";
import { openedLibC } from "./opened_libc.ts";
import type { Random } from "./random.ts";

/** Patience with the machine, not a measure: a test that waits longer than this has failed. */
const PATIENCE_MS = 20_000;

/** The far end of a connection. */
export interface Peer {
  isReading: boolean;
  /** Waits until it can be read from and written to, where that takes more than connecting. */
  isReady?(): Promise<void>;
  write(bytes: Uint8Array): void;
  /** Takes out what has come so far. */
  take(): Uint8Array;
  readonly hasSeenEnd: boolean;
  /** Sends nothing more. */
  end(): void;
  close(): void;
}

/** A driver and what is needed to test it. */
export interface Harness extends AsyncDisposable {
  readonly name: string;
  readonly driver: Driver;
  /** An address to listen on. */
  readonly address: Address;
  /** An address that nobody listens on. */
  readonly nobody: Address;
  connect(address: Address): Promise<Peer>;
  /** Waits until `condition` holds; fails if it never does. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** Lets `ms` pass, so that what must not happen has had its time to. */
  pass(ms: number): Promise<void>;
}

/** What listens in most tests. */
export const LISTEN = {
  reusePort: false,
  keepAlive: true,
  noDelay: true,
  socketMode: 0o700,
} as const;

/** The memory driver. */
export function memoryHarness(): Harness {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  return {
    name: "memory",
    driver: network.driver(),
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    nobody: { kind: "tcp", host: "127.0.0.1", port: 1 },
    connect: (address) => Promise.resolve(network.connectPeer(address)),
    async until(condition, what) {
      await network.settle();
      // A condition may begin something itself, that is done once the network has settled again.
      if (condition()) return;
      await network.settle();
      ok(condition(), what);
    },
    pass: (ms) => clock.pass(ms, () => network.settle()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/**
 * The driver on Deno's sockets, on TCP or on Unix sockets.
 *
 * @param wrap Makes a peer's connection what the test speaks through.
 */
export async function denoHarness(
  kind: "tcp" | "unix",
  wrap: (conn: Deno.Conn) => Promise<Deno.Conn> = (conn) => Promise.resolve(conn),
): Promise<Harness> {
  const folder = await Deno.makeTempDir();
  const conns: Deno.Conn[] = [];
  const tcp: Address = { kind: "tcp", host: "127.0.0.1", port: 0 };
  return {
    name: `deno, ${kind}`,
    driver: new DenoDriver(),
    address: kind === "tcp" ? tcp : { kind, path: `${folder}/s` },
    nobody: kind === "tcp" ? freeAddress() : { kind, path: `${folder}/nobody` },
    async connect(address) {
      const conn = await wrap(await connectTo(address));
      conns.push(conn);
      return new ConnPeer(conn);
    },
    async until(condition, what) {
      const endMs = performance.now() + PATIENCE_MS;
      while (!condition()) {
        ok(performance.now() < endMs, what);
        await sleep(1);
      }
    },
    pass: sleep,
    async [Symbol.asyncDispose]() {
      for (const conn of conns) close(conn);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The driver on Linux's own sockets, on TCP or on Unix sockets. @param libC Its system calls. */
export async function nativeHarness(
  kind: "tcp" | "unix",
  libC: LibC = openedLibC(),
): Promise<Harness> {
  const loop = new EventLoop(libC);
  const harness = await denoHarness(kind);
  const running = loop.runBeside();
  return {
    ...harness,
    name: `native, ${kind}`,
    driver: new NativeDriver(loop),
    async [Symbol.asyncDispose]() {
      await harness[Symbol.asyncDispose]();
      loop.stop();
      await running;
    },
  };
}

/** The driver on io_uring, on TCP or on Unix sockets. @param open Makes it, if not as it is. */
export async function ringHarness(
  kind: "tcp" | "unix",
  open: () => RingDriver = () => openRingDriver(openedLibC()),
): Promise<Harness> {
  const { loop, driver } = open();
  const harness = await denoHarness(kind);
  const running = loop.runBeside();
  return {
    ...harness,
    name: `io_uring, ${kind}`,
    driver,
    async [Symbol.asyncDispose]() {
      await harness[Symbol.asyncDispose]();
      loop.stop();
      await running;
    },
  };
}

/** A ring whose queues and buffers are too small for anything, and whose calls fail at random. */
export function openFaultyRing(random: Random, book?: SharedArrayBuffer): RingDriver {
  const { libC, calls } = faultyRing(openedLibC(), ringCalls(), random);
  const options = {
    entries: 4,
    completions: 8,
    small: { count: 4, size: 1024 },
    large: { count: 2, size: 4096 },
    outgoingSize: 8 * 1024,
  };
  return openRingDriver(libC, book, options, calls);
}

/** Listens and gives the next connection with the address that it came to. */
export async function listenForOne(
  harness: Harness,
): Promise<{ listener: Listener; accepted: Promise<Socket> }> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const listener = await harness.driver.listen({ ...LISTEN, address: harness.address }, {
    onConnection: resolve,
    onAcceptError: reject,
  });
  return { listener, accepted: promise };
}

/** Waits, for real. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

class ConnPeer implements Peer {
  readonly #conn: Deno.Conn;
  #received: Uint8Array[] = [];
  #hasSeenEnd = false;
  #isReading = true;
  #resume: (() => void) | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    this.#read();
  }

  get hasSeenEnd(): boolean {
    return this.#hasSeenEnd;
  }

  async isReady(): Promise<void> {
    if ("handshake" in this.#conn) await (this.#conn as Deno.TlsConn).handshake();
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  set isReading(isReading: boolean) {
    this.#isReading = isReading;
    if (isReading) this.#resume?.();
  }

  write(bytes: Uint8Array): void {
    this.#writing = this.#writing.then(async () => {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    }).catch(() => {});
  }

  take(): Uint8Array {
    const bytes = concat(...this.#received);
    this.#received = [];
    return bytes;
  }

  end(): void {
    this.#writing = this.#writing.then(() => this.#conn.closeWrite()).catch(() => {});
  }

  close(): void {
    close(this.#conn);
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      if (!this.#isReading) await new Promise<void>((resolve) => this.#resume = resolve);
      const size = await this.#conn.read(buffer).catch(() => null);
      if (size === null) break;
      this.#received.push(buffer.slice(0, size));
    }
    this.#hasSeenEnd = true;
  }
}

function connectTo(address: Address): Promise<Deno.Conn> {
  return address.kind === "tcp"
    ? Deno.connect({ hostname: address.host, port: address.port })
    : Deno.connect({ transport: "unix", path: address.path });
}

/** An address that was free a moment ago, and that no listener here takes by asking for port 0. */
export function freeAddress(): TcpAddress {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return { kind: "tcp", host: "127.0.0.1", port };
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
