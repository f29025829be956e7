/**
 * The epoll loop as a worker runs it: it waits in the kernel, and nothing is missed meanwhile.
 *
 * @module
 */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { EventLoop } from "../../../src/net/native/event_loop.ts";
import { ERRNO, isSupported, LINUX } from "../../../src/net/native/libc.ts";
import {
  closeDescriptors,
  Inbox,
  threadMemory,
  Waker,
} from "../../../src/net/native/thread_memory.ts";
import { failing } from "../../support/faulty_libc.ts";
import { whileRunning } from "../../support/native_loop.ts";
import type { EchoWorkerOrder } from "../../support/native_echo_worker.ts";
import { PATIENCE_MS, within } from "../../support/wait.ts";
import { openedLibC } from "../../support/opened_libc.ts";

const ignore = !isSupported();

Deno.test({
  name: "EventLoop runs timers when they are due, and in order",
  ignore,
  async fn() {
    await whileRunning(async (loop) => {
      const ran: number[] = [];
      const startMs = loop.nowMs();
      const { promise, resolve } = Promise.withResolvers<void>();
      loop.after(30, resolve);
      loop.after(20, () => ran.push(20));
      loop.after(10, () => ran.push(10));
      loop.after(5, () => ran.push(5)).cancel();
      await promise;
      deepEqual(ran, [10, 20]);
      equal(loop.nowMs() - startMs >= 30, true);
    });
  },
});

Deno.test({
  name: "EventLoop settles chains of promises that begin in a timer",
  ignore,
  async fn() {
    const steps = await whileRunning(async (loop) => {
      let count = 0;
      await new Promise<void>((resolve) => loop.after(1, resolve));
      for (; count < 50; count += 1) await Promise.resolve();
      return count;
    });
    equal(steps, 50);
  },
});

Deno.test({
  name: "EventLoop lets Deno work while it is held",
  ignore,
  async fn() {
    await whileRunning(async (loop) => {
      const text = await loop.hold(Deno.readTextFile(new URL(import.meta.url)));
      equal(text.includes("lets Deno work"), true);
    });
  },
});

Deno.test({
  name: "EventLoop lets Deno work every now and then, though nobody holds it and nothing comes",
  ignore,
  async fn() {
    await whileRunning(async (loop) => {
      let isLate = false;
      loop.after(PATIENCE_MS / 2, () => isLate = true);
      for (let i = 0; i < 2; i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
      equal(isLate, false);
    });
  },
});

Deno.test({
  name: "EventLoop calls nobody for what was ready before a descriptor was theirs",
  ignore,
  fn() {
    const loop = new EventLoop(openedLibC());
    const { libC } = loop;
    const open = () => loop.own(libC.eventfd(1, LINUX.EFD_NONBLOCK));
    const called: string[] = [];
    const fds = [open(), open()] as const;
    let given = -1;
    // As if it were closed, and its number given to a new one, for which nothing has come.
    const giveAway = (name: string, other: number) => ({
      onReady() {
        called.push(name);
        if (given >= 0) return;
        given = other;
        loop.unwatch(other);
        equal(libC.read(other, new Uint8Array(8), 8), 8);
        loop.watch(other, LINUX.EPOLLIN, { onReady: () => void called.push("new") });
      },
    });
    loop.watch(fds[0], LINUX.EPOLLIN | LINUX.EPOLLET, giveAway("first", fds[1]));
    loop.watch(fds[1], LINUX.EPOLLIN | LINUX.EPOLLET, giveAway("second", fds[0]));
    equal(loop.turn(0), 2);
    equal(called.length, 1, "only who was ready");
    loop.turn(0);
    equal(called.length, 1);
    libC.write(given, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8);
    loop.turn(0);
    equal(called.at(-1), "new");
    for (const fd of fds) loop.close(fd);
    loop.stop();
  },
});

Deno.test({
  name: "EventLoop goes on when a signal interrupts it, and ends when it cannot wait",
  ignore,
  async fn() {
    const errnos: number[] = [ERRNO.EINTR, ERRNO.EINTR];
    const loop = new EventLoop(failing(openedLibC(), "epoll_wait", () => errnos.shift()));
    const running = loop.run();
    await new Promise<void>((resolve) => loop.after(20, resolve));
    equal(errnos.length, 0);
    errnos.push(ERRNO.ENOMEM);
    await rejects(running, /os error 12/);
    loop.stop();
  },
});

/** An inbox of the second of two threads, and who sends to both. */
function newInbox() {
  const memory = threadMemory(2);
  const state = { received: 0 };
  const inbox = new Inbox(memory, 1, () => state.received);
  const waker = new Waker(memory, () => {
    throw new Error("nobody waits in the kernel");
  });
  const turnsUntilQuiet = () => {
    let turns = 0;
    for (; inbox.isDue && turns < 100_000; turns += 1) inbox.onTurn();
    return turns;
  };
  return { state, inbox, waker, turnsUntilQuiet };
}

Deno.test("Inbox waits for what was sent, and in the end gives it up", () => {
  const { state, inbox, waker, turnsUntilQuiet } = newInbox();
  equal(inbox.isDue, false);
  waker.onSent(0);
  equal(inbox.isDue, false, "another thread's");
  waker.onSent(1);
  waker.onSent(1);
  equal(inbox.isDue, true);
  state.received += 1;
  equal(inbox.isDue, true, "one is missing");
  const turns = turnsUntilQuiet();
  ok(turns > 500 && turns < 5_000, String(turns));
  waker.onSent(1);
  equal(inbox.isDue, true, "the next one is waited for");
  state.received += 1;
  equal(inbox.isDue, false);
  state.received += 1; // the one that was given up comes after all
  equal(inbox.isDue, true);
  equal(turnsUntilQuiet(), turns);
  waker.onSent(1);
  equal(inbox.isDue, true);
  state.received += 1;
  equal(inbox.isDue, false);
});

Deno.test("Inbox gives up nothing while messages come, however many", () => {
  const { state, inbox, waker } = newInbox();
  waker.onSent(1);
  for (let i = 0; i < 10_000; i += 1) {
    waker.onSent(1); // there is always one on its way
    inbox.onTurn();
    state.received += 1;
  }
  equal(inbox.isDue, true);
  state.received += 1;
  equal(inbox.isDue, false);
});

Deno.test({
  name: "EventLoop gives up what was sent to a port that is closed, and waits again",
  ignore,
  async fn() {
    const memory = threadMemory(1);
    let waits = 0;
    const libC = openedLibC();
    const counting: typeof libC = Object.create(libC, {
      "epoll_wait": {
        value: (...[epoll, events, count, waitMs]: Parameters<typeof libC.epoll_wait>) => {
          if (waitMs !== 0) waits += 1;
          return libC.epoll_wait(epoll, events, count, waitMs);
        },
      },
    });
    const loop = new EventLoop(counting);
    const inbox = new Inbox(memory, 0, () => 0);
    new Waker(memory, openedLibC).onSent(0);
    equal(inbox.isDue, true);
    const running = loop.run(inbox);
    await within(PATIENCE_MS, "a timer", new Promise<void>((resolve) => loop.after(50, resolve)));
    for (let i = 0; inbox.isDue && i < 1_000; i += 1) {
      await new Promise<void>((resolve) => loop.after(1, resolve));
    }
    equal(inbox.isDue, false);
    const before = waits;
    await within(PATIENCE_MS, "a timer", new Promise<void>((resolve) => loop.after(50, resolve)));
    equal(waits > before, true, "it waits in the kernel");
    loop.stop();
    await running;
  },
});

for (const driver of ["epoll", "io_uring"] as const) {
  Deno.test({
    name: `EventLoop hears messages of other threads that wake it (${driver})`,
    ignore,
    async fn() {
      const memory = threadMemory(1);
      const worker = new Worker(new URL("../../support/native_echo_worker.ts", import.meta.url), {
        type: "module",
      });
      const waker = new Waker(memory, openedLibC);
      const heard: unknown[] = [];
      let more = () => {};
      worker.onmessage = ({ data }) => {
        heard.push(data);
        more();
      };
      const next = (count: number) =>
        within(
          PATIENCE_MS,
          "an echo",
          new Promise<void>((resolve) => {
            more = () => heard.length >= count && resolve();
            more();
          }),
        );
      const order: EchoWorkerOrder = { driver, memory };
      worker.postMessage(order);
      await next(1);
      for (let i = 0; i < 200; i += 1) {
        worker.postMessage(i);
        waker.onSent(0);
        await next(i + 2);
      }
      deepEqual(heard, ["ready", ...Array.from({ length: 200 }, (_, i) => i)]);
      worker.terminate();
      waker.wake(0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      closeDescriptors(memory, 0, openedLibC());
      deepEqual([...new Int32Array(memory.inboxes)], [0, 0]);
      equal(new Uint8Array(memory.descriptors[0]!).includes(1), false);
    },
  });
}
