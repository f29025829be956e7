/**
 * Chooses the driver of a gateway's threads: the fastest one that works on this system.
 *
 * @module
 */

import { messageOf } from "../base/errors.ts";
import { EventLoop } from "./native/event_loop.ts";
import { type LibC, libC } from "./native/libc.ts";
import { NativeDriver } from "./native/native_driver.ts";
import { closeDescriptors, threadMemory } from "./native/thread_memory.ts";
import { openTestedRing } from "./native/uring/ring_self_test.ts";
import type { DriverKind } from "./net_thread.ts";
import type { Socket } from "./socket.ts";

/** What `runtime.driver` may say. */
export type WantedDriver = "auto" | DriverKind;

/** The driver, and why it is this one: a clause for people. */
export interface ChosenDriver {
  readonly driver: DriverKind;
  readonly reason: string;
}

/** A loopback connection takes less than one; a system that takes longer has other troubles. */
const SELF_TEST_MS = 1_000;

/** Drivers that have to be tried: not every system has what they need, or allows it. */
type TriedDriver = Exclude<DriverKind, "deno">;

/** What `auto` tries, the fastest one first: docs/performance.md has both. */
const AUTO_ORDER: readonly TriedDriver[] = ["io_uring", "epoll"];

/**
 * Chooses, and tries what is chosen.
 *
 * @param threads How many of them will use it.
 * @param open Opens the library that system calls are in, of this thread.
 * @param order What `auto` tries.
 * @throws {Error} If the one that is wanted does not work here; the message says why.
 */
export async function chooseDriver(
  wanted: WantedDriver,
  threads = 1,
  open: () => LibC = libC,
  order: readonly TriedDriver[] = AUTO_ORDER,
): Promise<ChosenDriver> {
  if (wanted === "deno") return { driver: "deno", reason: "runtime.driver says so" };
  if (wanted === "auto") return await firstThatWorks(order, threads, open);
  try {
    await tryDriver(wanted, threads, open());
  } catch (error) {
    throw new Error(
      `Cannot use runtime.driver ${wanted}: ${messageOf(error)}; auto chooses what works, and ` +
        "deno works everywhere",
    );
  }
  return { driver: wanted, reason: "runtime.driver says so" };
}

async function firstThatWorks(
  order: readonly TriedDriver[],
  threads: number,
  open: () => LibC,
): Promise<ChosenDriver> {
  const problems: string[] = [];
  for (const driver of order) {
    try {
      await tryDriver(driver, threads, open());
      const reason = ["its self-test has passed", ...problems].join("; ");
      return { driver, reason };
    } catch (error) {
      problems.push(`${driver} does not work here: ${messageOf(error)}`);
    }
  }
  return { driver: "deno", reason: problems.join("; ") };
}

/** Has one connection of this process say a byte to another. */
async function tryDriver(kind: TriedDriver, threads: number, libC: LibC): Promise<void> {
  const memory = threadMemory(1);
  const descriptors = memory.descriptors[0]!;
  try {
    const { loop, driver } = kind === "io_uring"
      ? openTestedRing(libC, threads, descriptors)
      : openEpoll(libC, descriptors);
    const running = loop.runBeside();
    try {
      await Promise.race([exchange(driver, loop), running]);
    } finally {
      loop.stop();
      await running;
    }
  } finally {
    // Where it has failed there are some left.
    closeDescriptors(memory, 0, libC);
  }
}

function openEpoll(
  libC: LibC,
  descriptors: SharedArrayBuffer,
): { readonly loop: EventLoop; readonly driver: NativeDriver } {
  const loop = new EventLoop(libC, descriptors);
  return { loop, driver: new NativeDriver(loop) };
}

async function exchange(driver: NativeDriver, loop: EventLoop): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {}); // it may fail while a connection is still awaited
  const timer = loop.after(
    SELF_TEST_MS,
    () => reject(new Error(`a byte took more than ${SELF_TEST_MS} ms on the loopback`)),
  );
  const echo = (socket: Socket) =>
    socket.start({
      onData: (view) => {
        socket.write(view);
        return view.length;
      },
      onEnd: () => socket.destroy(),
      onClose: () => {},
    });
  const options = { reusePort: false, keepAlive: true, noDelay: true, socketMode: 0o600 };
  const address = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  const listener = await driver.listen({ ...options, address }, {
    onConnection: echo,
    onAcceptError: reject,
  });
  try {
    const socket = await driver.connect({
      ...options,
      address: listener.address,
      timeoutMs: SELF_TEST_MS,
    });
    socket.start({
      onData: (view) => {
        resolve();
        return view.length;
      },
      onEnd: () => {},
      onClose: () => reject(new Error("a connection on the loopback was closed")),
    });
    socket.write(Uint8Array.of(1));
    await promise;
    socket.destroy();
  } finally {
    timer.cancel();
    listener.close();
  }
}
