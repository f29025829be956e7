/**
 * The loop on a ring, as a worker runs it: it waits in the kernel, and nothing is missed meanwhile.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { ERRNO, isSupported, type LibC, LINUX } from "../../../../src/net/native/libc.ts";
import { openRingDriver } from "../../../../src/net/native/uring/ring_driver.ts";
import { whileRunning } from "../../../support/native_loop.ts";
import { openedLibC } from "../../../support/opened_libc.ts";
import { PATIENCE_MS } from "../../../support/wait.ts";

const ignore = !isSupported();

const open = (libC: LibC) => openRingDriver(libC).loop;

Deno.test({
  name: "EventLoop on a ring runs timers when they are due, and in order",
  ignore,
  async fn() {
    await whileRunning(
      async (loop) => {
        const ran: number[] = [];
        const startMs = loop.nowMs();
        const { promise, resolve } = Promise.withResolvers<void>();
        loop.after(1_030, resolve);
        loop.after(20, () => ran.push(20));
        loop.after(10, () => ran.push(10));
        await promise;
        deepEqual(ran, [10, 20]);
        equal(loop.nowMs() - startMs >= 1_030, true);
      },
      openedLibC(),
      open,
    );
  },
});

Deno.test({
  name: "EventLoop on a ring lets Deno work while it is held, and every now and then",
  ignore,
  async fn() {
    await whileRunning(
      async (loop) => {
        const text = await loop.hold(Deno.readTextFile(new URL(import.meta.url)));
        equal(text.includes("lets Deno work"), true);
        let isLate = false;
        loop.after(PATIENCE_MS / 2, () => isLate = true);
        for (let i = 0; i < 2; i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
        equal(isLate, false);
      },
      openedLibC(),
      open,
    );
  },
});

Deno.test({
  name: "EventLoop on a ring calls who waits for a descriptor, and nobody who does no more",
  ignore,
  fn() {
    const loop = open(openedLibC());
    const { libC } = loop;
    const fd = loop.own(libC.eventfd(0, LINUX.EFD_NONBLOCK));
    const one = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
    const called: number[] = [];
    loop.watch(fd, LINUX.EPOLLIN, { onReady: () => void called.push(1) });
    loop.turn(0);
    equal(called.length, 0);
    for (let i = 0; i < 3; i += 1) {
      libC.write(fd, one, one.length);
      loop.turn(-1);
      libC.read(fd, new Uint8Array(8), 8);
    }
    deepEqual(called, [1, 1, 1]);
    libC.write(fd, one, one.length);
    loop.unwatch(fd);
    loop.watch(fd, LINUX.EPOLLIN, { onReady: () => void called.push(2) });
    loop.turn(0);
    loop.turn(0);
    deepEqual(called, [1, 1, 1, 2]);
    loop.unwatch(fd);
    loop.close(fd);
    loop.stop();
    equal(libC.read(fd, new Uint8Array(8), 8), -1);
    equal(libC.errno, ERRNO.EBADF);
  },
});
