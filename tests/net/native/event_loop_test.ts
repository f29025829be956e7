/**
 * The epoll loop as a worker runs it: it waits in the kernel, and nothing is missed meanwhile.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { EventLoop } from "../../../src/net/native/event_loop.ts";
import { isSupported, openLibC } from "../../../src/net/native/libc.ts";
import { closeDescriptors, threadMemory, Waker } from "../../../src/net/native/thread_memory.ts";
import { PATIENCE_MS, within } from "../../support/wait.ts";

const ignore = !isSupported();

/** A loop that runs as in a worker while `body` does. */
async function whileRunning<Result>(body: (loop: EventLoop) => Promise<Result>): Promise<Result> {
  const loop = new EventLoop(openLibC());
  const running = loop.run();
  try {
    return await within(PATIENCE_MS, "a loop", body(loop));
  } finally {
    loop.stop();
    await running;
  }
}

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
  name: "EventLoop hears messages of other threads that wake it",
  ignore,
  async fn() {
    const memory = threadMemory(1);
    const worker = new Worker(new URL("../../support/native_echo_worker.ts", import.meta.url), {
      type: "module",
    });
    const waker = new Waker(memory, openLibC);
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
    worker.postMessage(memory);
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
    closeDescriptors(memory, 0, openLibC());
    deepEqual([...new Int32Array(memory.inboxes)], [0, 0]);
    equal(new Uint8Array(memory.descriptors[0]!).includes(1), false);
  },
});
