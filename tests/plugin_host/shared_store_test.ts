import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import {
  SharedStore,
  STORE_KEY_SIZE_MAX,
  STORE_SIZE_MAX,
  STORE_SIZE_MIN,
  storeBuffer,
} from "../../src/plugin_host/shared_store.ts";
import { keyOf } from "./stored.ts";

function fixture(sizeBytes = STORE_SIZE_MIN) {
  const buffer = storeBuffer(sizeBytes);
  const clock = { ms: 1_795_000_000_000 };
  const [store, other] = [1, 2].map(() => new SharedStore(buffer, () => clock.ms));
  return { buffer, clock, store: store!, other: other! };
}

const KEY = utf8("key");

Deno.test("SharedStore gives every thread what another stored, as a copy", () => {
  const { store, other } = fixture();
  const value = utf8("value");
  ok(store.set(KEY, value, 0));
  value[0] = 0;
  const got = other.get(KEY)!;
  deepEqual(got, utf8("value"));
  got[0] = 0;
  deepEqual(store.get(KEY), utf8("value"));
  ok(!(got.buffer instanceof SharedArrayBuffer));
  equal(store.get(utf8("kez")), undefined);
});

Deno.test("SharedStore replaces values by smaller, equal, larger and empty ones", () => {
  const { store } = fixture();
  for (const size of [100, 100, 90, 1, 0, 1, 5_000, 4_096, 4_097, 10]) {
    const value = new Uint8Array(size).fill(size);
    ok(store.set(KEY, value, 0));
    deepEqual(store.get(KEY), value);
    equal(store.stats.entries, 1);
  }
});

Deno.test("SharedStore.getInto() copies what fits and tells the whole size", () => {
  const { store } = fixture();
  store.set(KEY, utf8("12345"), 0);
  const target = utf8("........");
  equal(store.getInto(KEY, target.subarray(0, 3)), 5);
  deepEqual(target, utf8("123....."));
  equal(store.getInto(KEY, target), 5);
  deepEqual(target, utf8("12345..."));
  equal(store.getInto(utf8("absent"), target), -1);
});

Deno.test("SharedStore.delete() says whether there was something", () => {
  const { store } = fixture();
  equal(store.delete(KEY), false);
  store.set(KEY, utf8("value"), 0);
  equal(store.delete(KEY), true);
  equal(store.delete(KEY), false);
  equal(store.get(KEY), undefined);
  deepEqual(store.stats, {
    entries: 0,
    bytesUsed: 0,
    evictions: 0,
    clears: 0,
    sizeBytes: STORE_SIZE_MIN,
  });
});

Deno.test("SharedStore never gives what has expired", () => {
  const { store, clock } = fixture();
  store.set(KEY, utf8("value"), 1_000);
  store.set(utf8("for ever"), utf8("value"), 0);
  clock.ms += 999;
  ok(store.get(KEY));
  clock.ms += 1;
  equal(store.stats.entries, 2);
  equal(store.get(KEY), undefined);
  equal(store.stats.entries, 1);
  store.set(KEY, utf8("value"), 10);
  store.set(KEY, utf8("other"), 0);
  clock.ms += 1e12;
  ok(store.get(KEY));
  ok(store.get(utf8("for ever")));
  store.set(KEY, utf8("third"), 10);
  clock.ms += 10;
  equal(store.delete(KEY), false);
  equal(store.stats.evictions, 0);
});

Deno.test("SharedStore.increment() counts from 0, and keeps the time it was made with", () => {
  const { store, other, clock } = fixture();
  equal(store.increment(KEY, 5n, 1_000), 5n);
  clock.ms += 600;
  equal(other.increment(KEY, -7n, 1_000), -2n);
  deepEqual(store.get(KEY), Uint8Array.of(254, 255, 255, 255, 255, 255, 255, 255));
  clock.ms += 400;
  equal(store.increment(KEY, 3n, 0), 3n);
  clock.ms += 1e12;
  equal(store.increment(KEY, 1n, 1), 4n);
  store.set(KEY, Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127), 0);
  equal(store.increment(KEY, 1n, 0), -(2n ** 63n));
  store.set(KEY, new Uint8Array(7), 0);
  equal(store.increment(KEY, 1n, 0), undefined);
  deepEqual(other.get(KEY), new Uint8Array(7));
});

Deno.test("SharedStore refuses keys, times and sizes that it cannot use", () => {
  const { store } = fixture();
  const longest = new Uint8Array(STORE_KEY_SIZE_MAX);
  ok(store.set(longest, KEY, 0));
  deepEqual(store.get(longest), KEY);
  for (const key of [new Uint8Array(0), new Uint8Array(STORE_KEY_SIZE_MAX + 1)]) {
    throws(() => store.get(key), /Cannot use a key of \d+ bytes: it must have 1 to 1024/);
    throws(() => store.set(key, KEY, 0), RangeError);
    throws(() => store.delete(key), RangeError);
    throws(() => store.increment(key, 1n, 0), RangeError);
  }
  for (const ttlMs of [-1, NaN, Infinity]) {
    throws(() => store.set(KEY, KEY, ttlMs), /Cannot store for .* ms: it must be a number from 0/);
    throws(() => store.increment(KEY, 1n, ttlMs), RangeError);
  }
  for (const size of [0, STORE_SIZE_MIN - 1, STORE_SIZE_MIN + 0.5, STORE_SIZE_MAX + 1]) {
    throws(() => storeBuffer(size), /Cannot make a store of .* bytes: it must be an integer from/);
  }
});

Deno.test("SharedStore takes values up to a quarter, and leaves the old one when it refuses", () => {
  const { store } = fixture(1024 * 1024);
  ok(store.valueSizeMax > 0.22 * 1024 * 1024);
  const largest = new Uint8Array(store.valueSizeMax).fill(1);
  ok(store.set(Uint8Array.of(1), largest, 0));
  equal(store.get(Uint8Array.of(1))!.length, largest.length);
  equal(store.set(Uint8Array.of(1), new Uint8Array(largest.length + 8), 0), false);
  deepEqual(store.get(Uint8Array.of(1)), largest);
  for (let i = 0; i < 20; i++) ok(store.set(Uint8Array.of(i), largest.fill(i), 0));
  deepEqual(store.get(Uint8Array.of(19)), largest);
});

Deno.test("SharedStore evicts what was not used, and keeps what is", () => {
  const { store } = fixture(1024 * 1024);
  const value = new Uint8Array(1_000);
  store.set(KEY, value, 0);
  store.set(utf8("unused"), value, 0);
  for (let i = 0; i < 20_000; i++) {
    store.set(keyOf(i), value, 0);
    if (i % 100 === 0) ok(store.get(KEY), `after ${i}`);
  }
  equal(store.get(utf8("unused")), undefined);
  ok(store.get(keyOf(19_999)));
  const { entries, evictions, bytesUsed, sizeBytes } = store.stats;
  equal(entries + evictions, 20_002);
  ok(bytesUsed > 0.9 * sizeBytes, `${bytesUsed}`);
});

Deno.test("SharedStore has room for new entries though all others are used", () => {
  const { store } = fixture();
  for (let i = 0; i < 5_000; i++) {
    ok(store.set(keyOf(i), new Uint8Array(i * 13 % 3_000), 0));
    for (let j = Math.max(0, i - 100); j <= i; j++) store.getInto(keyOf(j), new Uint8Array(0));
    ok(store.get(keyOf(i)));
  }
});

Deno.test("SharedStore goes on, empty, when the lock is left behind", () => {
  const { store, other, buffer } = fixture();
  store.set(KEY, utf8("value"), 0);
  new Int32Array(buffer)[0] = 12_345; // held by a thread that is no more
  equal(other.get(KEY), undefined);
  equal(store.stats.clears, 1);
  equal(store.stats.entries, 0);
  ok(store.set(KEY, utf8("new"), 0));
  deepEqual(other.get(KEY), utf8("new"));
  equal(store.stats.clears, 1);
});

Deno.test("SharedStore empties itself when a thread comes back whose lock was broken", () => {
  const { store, other, buffer } = fixture();
  store.set(KEY, utf8("value"), 0);
  const target = new Uint8Array(8);
  // It is asked to copy in the middle of the call.
  target.set = () => {
    new Int32Array(buffer)[0] = 0; // others had enough of waiting
    ok(other.set(utf8("other"), utf8("value"), 0));
  };
  equal(store.getInto(KEY, target), -1);
  equal(store.stats.clears, 2); // as the other saw that a call was not whole, too
  equal(other.get(utf8("other")), undefined);
});

Deno.test("SharedStore is empty after a call that ended half way, and gives its lock back", () => {
  const { store, other, buffer } = fixture();
  const target = new Uint8Array(8);
  target.set = () => {
    throw new Error("no more");
  };
  store.set(KEY, utf8("value"), 0);
  throws(() => store.getInto(KEY, target), /no more/);
  equal(new Int32Array(buffer)[0], 0);
  equal(other.get(KEY), undefined);
  equal(store.stats.clears, 1);
  ok(other.set(KEY, utf8("value"), 0));
  deepEqual(store.get(KEY), utf8("value"));
  equal(store.stats.clears, 1);
});

Deno.test("SharedStore is whole, wherever the stack ends inside of it", () => {
  const { store, other, buffer } = fixture();
  const lock = new Int32Array(buffer);
  const keys = Array.from({ length: 200 }, (_, i) => keyOf(i));
  let calls = 0;
  let cutOff = 0;
  const call = () => {
    const at = calls++ % keys.length;
    if (calls % 3 === 0) store.increment(utf8("sum"), 1n, 0);
    else if (calls % 7 === 0) store.delete(keys[at]!);
    else store.set(keys[at]!, keys[at]!, 0);
  };
  // A frame has another size with each number of parameters: the stack ends everywhere.
  const deeper = (...room: readonly number[]) => {
    try {
      deeper(...room);
    } catch {
      // This is the end.
    }
    try {
      call();
    } catch {
      cutOff += 1;
    }
  };
  for (let round = 0; round < 13; round++) {
    cutOff = 0;
    deeper(...Array<number>(round).fill(0));
    ok(cutOff > 0);
    equal(lock[0], 0);
    let found = 0;
    for (const key of keys) {
      const value = other.get(key);
      if (value === undefined) continue;
      deepEqual(value, key);
      found += 1;
    }
    if (other.get(utf8("sum")) !== undefined) found += 1;
    equal(other.stats.entries, found);
  }
  ok(other.stats.clears > 0);
});
