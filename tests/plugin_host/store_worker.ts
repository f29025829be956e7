/**
 * A thread that tests of the store start. What it is told to do is the first message; it answers
 * with "", or with what went wrong.
 *
 * @module
 */

import { SharedStore } from "../../src/plugin_host/shared_store.ts";
import { Random } from "../support/random.ts";
import { isProven, keyOf, provableValueOf, sizeBelow } from "./stored.ts";

/** What a thread does. */
export type StoreTask =
  | { readonly kind: "count"; readonly rounds: number; readonly keys: number }
  | {
    readonly kind: "churn";
    readonly rounds: number;
    readonly keys: number;
    readonly seed: number;
  }
  | { readonly kind: "stop inside"; readonly flag: SharedArrayBuffer };

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ buffer: SharedArrayBuffer; task: StoreTask }>) => void;
  postMessage(problem: string): void;
};

scope.onmessage = ({ data: { buffer, task } }) => {
  const store = new SharedStore(buffer, Date.now);
  if (task.kind === "count") {
    for (let i = 0; i < task.rounds; i++) store.increment(keyOf(i % task.keys), 1n, 0);
    scope.postMessage("");
  } else if (task.kind === "churn") {
    scope.postMessage(churn(store, task.rounds, task.keys, new Random(task.seed)));
  } else {
    store.getInto(keyOf(0), stopping(task.flag));
  }
};

function churn(store: SharedStore, rounds: number, keys: number, random: Random): string {
  for (let i = 0; i < rounds; i++) {
    const key = keyOf(random.below(keys));
    const value = store.get(key);
    if (value !== undefined && !isProven(value)) return `a wrong value of ${value.length} bytes`;
    if (random.oneIn(2)) store.set(key, provableValueOf(random, 3 + sizeBelow(random, 60_000)), 0);
    if (random.oneIn(20)) store.delete(key);
  }
  return "";
}

/** Whoever is asked to copy into it never gives the lock back. */
function stopping(flag: SharedArrayBuffer): Uint8Array {
  const target = new Uint8Array(1);
  target.set = () => {
    Atomics.store(new Int32Array(flag), 0, 1);
    for (;;) {
      // until the thread is ended
    }
  };
  return target;
}
