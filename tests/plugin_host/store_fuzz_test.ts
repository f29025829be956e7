import { deepEqual, equal, ok } from "node:assert/strict";
import { SharedStore, STORE_SIZE_MIN, storeBuffer } from "../../src/plugin_host/shared_store.ts";
import { partsOf } from "../../src/plugin_host/store_layout.ts";
import { fuzz, type Random } from "../support/random.ts";
import { areEqual, keyOf, sizeBelow, VALUE_SIZE_MAX, valueOf } from "./stored.ts";

interface Stored {
  readonly value: Uint8Array;
  readonly expiresMs: number;
}

/** A store, and what must be in it unless it was evicted. */
class Checked {
  readonly clock = { ms: 1_000 };
  readonly model = new Map<number, Stored>();
  readonly buffer: SharedArrayBuffer;
  readonly #stores: readonly SharedStore[];
  #lost = 0;

  constructor(sizeBytes: number) {
    this.buffer = storeBuffer(sizeBytes);
    this.#stores = [1, 2].map(() => new SharedStore(this.buffer, () => this.clock.ms));
  }

  get store(): SharedStore {
    return this.#stores[0]!;
  }

  step(random: Random, keys: number, sizeMax: number): void {
    const number = random.below(keys);
    const store = random.pick(this.#stores);
    switch (random.below(8)) {
      case 0:
        return this.#delete(store, number);
      case 1:
        return this.#increment(store, number, BigInt(random.below(1_000) - 500));
      case 2:
      case 3:
        return this.#set(store, number, random, sizeMax);
      case 4:
        this.clock.ms += random.below(10);
        return;
      default:
        return this.check(number, store);
    }
  }

  /** Looks for every key; what is found is counted as the store counts. */
  checkAll(): void {
    const numbers = [...this.model.keys()];
    for (const number of numbers) this.check(number, this.store);
    const { entries, bytesUsed, clears } = this.store.stats;
    equal(clears, 0);
    equal(entries, this.model.size);
    const sizes = [...this.model].map(([number, { value }]) =>
      24 + keyOf(number).length + value.length
    );
    const least = sizes.reduce((sum, size) => sum + size, 0);
    ok(bytesUsed >= least && bytesUsed <= 2 * least + 8 * entries, `${bytesUsed} for ${least}`);
  }

  check(number: number, store: SharedStore): void {
    const expected = this.#expected(number);
    const value = store.get(keyOf(number));
    if (value !== undefined) {
      ok(expected !== undefined, `${number} is not there`);
      ok(areEqual(value, expected.value), `${number} has another value`);
    } else if (expected !== undefined) {
      this.#lose(number);
    }
  }

  #set(store: SharedStore, number: number, random: Random, sizeMax: number): void {
    const value = valueOf(random, sizeBelow(random, sizeMax));
    const ttlMs = random.oneIn(3) ? 1 + random.below(500) : 0;
    ok(store.set(keyOf(number), value, ttlMs));
    this.model.set(number, { value, expiresMs: ttlMs === 0 ? Infinity : this.clock.ms + ttlMs });
  }

  #delete(store: SharedStore, number: number): void {
    const expected = this.#expected(number);
    const wasThere = store.delete(keyOf(number));
    if (wasThere) ok(expected !== undefined);
    else if (expected !== undefined) this.#lose(number);
    this.model.delete(number);
  }

  #increment(store: SharedStore, number: number, by: bigint): void {
    this.check(number, store); // whether it was evicted is known then
    const before = this.#expected(number);
    if (before !== undefined && before.value.length !== 8) return;
    const base = before === undefined ? 0n : new DataView(before.value.slice().buffer)
      .getBigInt64(0, true);
    const sum = BigInt.asIntN(64, base + by);
    equal(store.increment(keyOf(number), by, 0), sum);
    const value = new Uint8Array(BigInt64Array.of(sum).buffer);
    this.model.set(number, { value, expiresMs: before?.expiresMs ?? Infinity });
  }

  #expected(number: number): Stored | undefined {
    const stored = this.model.get(number);
    if (stored === undefined || stored.expiresMs > this.clock.ms) return stored;
    this.model.delete(number);
    return undefined;
  }

  #lose(number: number): void {
    this.model.delete(number);
    this.#lost += 1;
    ok(this.#lost <= this.store.stats.evictions, `${number} is lost, and was not evicted`);
  }
}

Deno.test("SharedStore gives what a Map gives, but for what it evicted", async () => {
  await fuzz(30, (random) => {
    const checked = new Checked(STORE_SIZE_MIN * (1 + random.below(4)));
    const keys = random.pick([10, 100, 1_000]);
    const sizeMax = random.pick([1, 20, 300, 14_000]);
    for (let i = 0; i < 2_000; i++) checked.step(random, keys, sizeMax);
    checked.checkAll();
  });
});

Deno.test("SharedStore evicts nothing while there is room", async () => {
  await fuzz(5, (random) => {
    const checked = new Checked(4 * 1024 * 1024);
    for (let i = 0; i < 3_000; i++) checked.step(random, 500, 500);
    checked.checkAll();
    equal(checked.store.stats.evictions, 0);
  });
});

Deno.test("SharedStore never mixes up a byte in 10,000 rounds of small and large values", async () => {
  await fuzz(1, (random) => {
    const checked = new Checked(4 * 1024 * 1024);
    let bytesUsedMin = Infinity;
    for (let i = 0; i < 10_000; i++) {
      checked.step(random, 2_000, VALUE_SIZE_MAX);
      if (i > 5_000) bytesUsedMin = Math.min(bytesUsedMin, checked.store.stats.bytesUsed);
    }
    checked.checkAll();
    ok(checked.store.stats.evictions > 100, "it was full");
    ok(bytesUsedMin > 1024 * 1024, `of 4 MiB, no more than ${bytesUsedMin} were used`);
  });
});

Deno.test("SharedStore neither throws nor hangs when a thread writes though it lost the lock", async () => {
  await fuzz(200, (random) => {
    const checked = new Checked(STORE_SIZE_MIN);
    const bytes = new Uint8Array(checked.buffer);
    for (let i = 0; i < 300; i++) checked.step(random, 300, 1_000);
    const old = bytes.slice();
    for (let i = 0; i < 300; i++) checked.step(random, 300, 1_000);
    for (let i = 0; i < 20; i++) {
      const from = random.oneIn(2) ? 12 + 4 * random.below(5) : 4 * random.below(bytes.length / 4);
      const to = Math.max(12, from);
      const size = from < 32 ? 4 : 8 * random.below(100);
      bytes.set(old.subarray(to, to + size), to);
    }
    const { store } = checked;
    for (let i = 0; i < 600; i++) {
      const key = keyOf(random.below(300));
      store.get(key);
      ok(store.set(key, valueOf(random, sizeBelow(random, 1_000)), 0));
      store.delete(keyOf(random.below(300)));
    }
    const value = valueOf(random, 100);
    ok(store.set(keyOf(0), value, 0));
    deepEqual(store.get(keyOf(0)), value);
  });
});

Deno.test("SharedStore survives anything where its entries should be", async () => {
  await fuzz(50, (random) => {
    const checked = new Checked(STORE_SIZE_MIN);
    const { store } = checked;
    for (let i = 0; i < 500; i++) checked.step(random, 100, 1_000);
    const { entries } = partsOf(checked.buffer);
    const filler = random.pick([0, 1, 8, 255, -1]);
    for (let i = 0; i < entries.length; i++) entries[i] = filler < 0 ? random.below(256) : filler;
    for (let i = 0; i < 500; i++) {
      store.get(keyOf(i % 100));
      ok(store.set(keyOf(i), valueOf(random, sizeBelow(random, 1_000)), 0));
    }
    ok(store.get(keyOf(499)));
    ok(store.stats.clears > 0);
  });
});

Deno.test("SharedStore gives no value that would be larger than its entry", () => {
  const { store, buffer } = new Checked(STORE_SIZE_MIN);
  store.set(keyOf(0), new Uint8Array(8), 0);
  const entry = new DataView(buffer, partsOf(buffer).entries.byteOffset);
  equal(entry.getUint32(12, true), 8);
  for (const size of [64, 0x7fffffff, 0xffffffff]) {
    entry.setUint32(12, size, true);
    equal(store.get(keyOf(0)), undefined);
  }
});
