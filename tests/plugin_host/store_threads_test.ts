import { deepEqual, equal, ok } from "node:assert/strict";
import { SharedStore, storeBuffer } from "../../src/plugin_host/shared_store.ts";
import { StoreLock } from "../../src/plugin_host/store_lock.ts";
import { eventually } from "../support/wait.ts";
import type { StoreTask } from "./store_worker.ts";
import { keyOf } from "./stored.ts";

function started(buffer: SharedArrayBuffer, task: StoreTask): Worker {
  const worker = new Worker(import.meta.resolve("./store_worker.ts"), { type: "module" });
  worker.postMessage({ buffer, task });
  return worker;
}

/** Runs one thread a task to its end. @returns What went wrong in each. */
async function run(buffer: SharedArrayBuffer, tasks: readonly StoreTask[]): Promise<unknown[]> {
  const workers = tasks.map((task) => started(buffer, task));
  const problems = await Promise.all(workers.map((worker) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    return promise;
  }));
  for (const worker of workers) worker.terminate();
  return problems;
}

Deno.test("SharedStore loses no increment of several threads", async () => {
  const buffer = storeBuffer(1024 * 1024);
  const task: StoreTask = { kind: "count", rounds: 20_000, keys: 4 };
  deepEqual(await run(buffer, [task, task, task, task]), ["", "", "", ""]);
  const store = new SharedStore(buffer, Date.now);
  deepEqual([0, 1, 2, 3].map((key) => store.increment(keyOf(key), 0n, 0)), Array(4).fill(20_000n));
  equal(store.stats.evictions + store.stats.clears, 0);
});

Deno.test("SharedStore gives whole values while several threads store and evict", async () => {
  const buffer = storeBuffer(1024 * 1024);
  const tasks = [1, 2, 3, 4].map((seed): StoreTask => (
    { kind: "churn", rounds: 3_000, keys: 300, seed }
  ));
  deepEqual(await run(buffer, tasks), ["", "", "", ""]);
  const { stats } = new SharedStore(buffer, Date.now);
  equal(stats.clears, 0);
  ok(stats.evictions > 100);
});

Deno.test("SharedStore goes on when a thread is ended inside a call", async () => {
  const buffer = storeBuffer(1024 * 1024);
  const flag = new SharedArrayBuffer(4);
  const store = new SharedStore(buffer, Date.now);
  store.set(keyOf(0), new Uint8Array(1), 0);
  const worker = started(buffer, { kind: "stop inside", flag });
  const isInside = new Int32Array(flag);
  await eventually("the thread is inside", () => Atomics.load(isInside, 0) === 1);
  worker.terminate();
  equal(store.get(keyOf(0)), undefined);
  equal(store.stats.clears, 1);
  ok(store.set(keyOf(0), new Uint8Array(1), 0));
  ok(store.get(keyOf(0)));
});

Deno.test("StoreLock tells both sides that it was broken", () => {
  const words = new Int32Array(new SharedArrayBuffer(16));
  const [a, b] = [new StoreLock(words, 2), new StoreLock(words, 2)];
  equal(a.lock(), false);
  equal(a.unlock(), true);
  equal(a.lock(), false);
  equal(b.lock(), true);
  equal(a.unlock(), false);
  equal(b.unlock(), true);
  equal(a.lock(), false);
  equal(a.unlock(), true);
});
