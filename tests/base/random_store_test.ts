import { deepEqual, equal } from "node:assert/strict";
import { RandomStore } from "../../src/base/random_store.ts";

/** Says in each byte how often it was asked. */
function counting() {
  let asked = 0;
  const store = new RandomStore((bytes) => void bytes.fill(asked += 1));
  return { store, asked: () => asked };
}

Deno.test("RandomStore gives each byte once, and asks for many at a time", () => {
  const { store, asked } = counting();
  const sizes = [4, 32, 0, 1_000, 1_012];
  for (const size of sizes) deepEqual(store.take(size), new Uint8Array(size).fill(1));
  equal(asked(), 1);
  deepEqual(store.take(4), new Uint8Array(4).fill(2), "none is left");
  deepEqual(store.take(2_045), new Uint8Array(2_045).fill(3), "too few are left");
  deepEqual(store.take(5_000), new Uint8Array(5_000).fill(4), "more than it holds");
  deepEqual(store.take(3), new Uint8Array(3).fill(3));
});

Deno.test("RandomStore gives arrays of their own, and keeps nothing of them", () => {
  let filled: Uint8Array | undefined;
  const store = new RandomStore((bytes) => {
    filled = bytes;
    bytes.fill(7);
  });
  const key = store.take(16);
  deepEqual(filled!.subarray(0, 16), new Uint8Array(16));
  filled!.fill(9);
  deepEqual(key, new Uint8Array(16).fill(7));
});

Deno.test("RandomStore's bytes are the system's", () => {
  const store = new RandomStore();
  const [a, b] = [store.take(16), store.take(16)];
  equal(a.every((byte) => byte === 0), false);
  equal(a.every((byte, i) => byte === b[i]), false);
});
