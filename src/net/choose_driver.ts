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

/**
 * Chooses, and tries what is chosen.
 *
 * @param open Opens the library that epoll is in, of this thread.
 * @throws {Error} If the one that is wanted does not work here; the message says why.
 */
export async function chooseDriver(
  wanted: WantedDriver,
  open: () => LibC = libC,
): Promise<ChosenDriver> {
  if (wanted === "deno") return { driver: "deno", reason: "runtime.driver says so" };
  try {
    await tryEpoll(open());
  } catch (error) {
    const why = messageOf(error);
    if (wanted === "auto") return { driver: "deno", reason: `epoll does not work here: ${why}` };
    throw new Error(
      `Cannot use runtime.driver epoll: ${why}; auto chooses what works, and deno works everywhere`,
    );
  }
  const reason = wanted === "auto" ? "its self-test has passed" : "runtime.driver says so";
  return { driver: "epoll", reason };
}

/** Has one connection of this process say a byte to another. */
async function tryEpoll(libC: LibC): Promise<void> {
  const memory = threadMemory(1);
  try {
    const loop = new EventLoop(libC, memory.descriptors[0]);
    const running = loop.runBeside();
    try {
      await Promise.race([exchange(new NativeDriver(loop), loop), running]);
    } finally {
      loop.stop();
      await running;
    }
  } finally {
    // Where it has failed there are some left.
    closeDescriptors(memory, 0, libC);
  }
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
