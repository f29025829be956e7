import { deepEqual, equal, throws } from "node:assert/strict";
import { KEY_SIZE_MAX, placesBuffer, SharedPlaces } from "../../src/pool/shared_places.ts";

interface Fixture {
  readonly buffer: SharedArrayBuffer;
  readonly at: { ms: number };
  readonly places: readonly SharedPlaces[];
}

function fixture(workers: number, entriesMax?: number): Fixture {
  const buffer = placesBuffer(workers, entriesMax);
  const at = { ms: 1_000 };
  const places = Array.from(
    { length: workers },
    (_, worker) => new SharedPlaces(buffer, worker, workers, () => at.ms),
  );
  return { buffer, at, places };
}

function opened(places: SharedPlaces, key: string): number {
  const entry = places.open(key);
  if (typeof entry === "string") throw new Error(entry);
  return entry;
}

Deno.test("SharedPlaces finds the same entry for the same key in every worker", () => {
  const { places: [a, b] } = fixture(2) as Fixture & { places: [SharedPlaces, SharedPlaces] };
  const keys = ["", "x", "x\0", "y", "ü", "x".repeat(KEY_SIZE_MAX), "x".repeat(KEY_SIZE_MAX - 1)];
  const entries = keys.map((key) => opened(a!, key));
  equal(new Set(entries).size, keys.length);
  deepEqual(keys.map((key) => opened(b!, key)), entries);
});

Deno.test("SharedPlaces refuses keys that are too long, and too many of them", () => {
  const { places: [a] } = fixture(1, 2);
  equal(a!.open("x".repeat(KEY_SIZE_MAX + 1)), "key_too_long");
  equal(a!.open("ü".repeat(KEY_SIZE_MAX / 2 + 1)), "key_too_long");
  const first = opened(a!, "a");
  opened(a!, "b");
  equal(a!.open("c"), "too_many_entries");
  equal(a!.open("a"), first);
});

Deno.test("SharedPlaces uses an entry again when no worker refers to it any more", () => {
  const { places: [a, b] } = fixture(2, 1);
  const entry = opened(a!, "a");
  opened(a!, "a");
  opened(b!, "a");
  a!.close(entry);
  b!.close(entry);
  equal(b!.open("b"), "too_many_entries");
  a!.close(entry);
  equal(b!.open("b"), entry);
  equal(a!.open("a"), "too_many_entries");
});

Deno.test("SharedPlaces says so when an entry is closed too often or too early", () => {
  const { places: [a, b] } = fixture(2);
  const entry = opened(a!, "a");
  a!.take([entry], [1], 1);
  throws(() => a!.close(entry), /its places are given back/);
  throws(() => b!.close(entry), /closes only entries that it has opened/);
  throws(() => b!.giveBack([entry]), /gives back no more places than it holds/);
  equal(a!.inUse(entry), 1); // and the lock was not left taken
});

Deno.test("SharedPlaces takes a place in all entries or in none, and says which was full", () => {
  const { places: [a, b] } = fixture(2);
  const [pair, other, cap] = ["pair", "other", "cap"].map((key) => opened(a!, key)) as [
    number,
    number,
    number,
  ];
  equal(a!.take([pair, cap], [2, 3], 1), -1);
  equal(b!.take([pair, cap], [2, 3], 1), -1);
  equal(b!.take([pair, cap], [2, 3], 1), 0);
  equal(b!.take([other, cap], [2, 3], 1), -1);
  equal(a!.take([other, cap], [2, 3], 1), 1);
  deepEqual([pair, other, cap].map((entry) => a!.inUse(entry)), [2, 1, 3]);
  deepEqual([a!.held(cap, 0), a!.held(cap, 1)], [1, 2]);
  b!.giveBack([pair, cap]);
  deepEqual([pair, other, cap].map((entry) => a!.inUse(entry)), [1, 1, 2]);
  throws(() => a!.giveBack([pair, other]), /gives back no more/);
  deepEqual([pair, other, cap].map((entry) => a!.inUse(entry)), [1, 1, 2]);
});

Deno.test("SharedPlaces leaves a place for every worker that has waited longer", () => {
  const { places: [a, b, c] } = fixture(3);
  const entry = opened(a!, "a");
  b!.setWaiting(entry, 500);
  c!.setWaiting(entry, 600);
  equal(a!.take([entry], [2], 700), 0);
  equal(a!.take([entry], [2], 600), -1);
  equal(a!.take([entry], [2], 500), -1);
  a!.giveBack([entry]);
  equal(b!.take([entry], [1], 400), 0);
  b!.setWaiting(entry, 0);
  equal(c!.take([entry], [2], 600), -1);
});

Deno.test("SharedPlaces knows who waits longest, also where the clock's numbers wrap", () => {
  const { places: [a, b, c], at } = fixture(3);
  const entry = opened(a!, "a");
  equal(a!.longestWaiting(entry), -1);
  a!.setWaiting(entry, a!.now());
  equal(a!.longestWaiting(entry), -1); // oneself is not meant
  at.ms = 2 ** 32 - 10;
  b!.setWaiting(entry, b!.now());
  at.ms = 2 ** 32;
  equal(c!.now(), 1); // 0 would say that nobody waits
  c!.setWaiting(entry, c!.now());
  at.ms = 2 ** 32 + 5;
  deepEqual([a!.longestWaiting(entry), a!.waitedMs(entry, 1), a!.waitedMs(entry, 2)], [1, 15, 4]);
  deepEqual([a!.isWaiting(entry, 1), a!.isWaiting(entry, 2)], [true, true]);
  at.ms = 2 ** 32 - 100; // somebody has set the clock back
  equal(a!.waitedMs(entry, 2), 0);
  b!.setWaiting(entry, 0);
  deepEqual([a!.longestWaiting(entry), a!.waitedMs(entry, 1)], [2, 0]);
  equal(a!.isWaiting(entry, 1), false);
});

Deno.test("SharedPlaces knows who has most idle connections", () => {
  const { places: [a, b, c] } = fixture(3);
  const entry = opened(a!, "a");
  equal(a!.mostIdle(entry), -1);
  a!.setIdle(entry, 9);
  equal(a!.mostIdle(entry), -1);
  b!.setIdle(entry, 1);
  c!.setIdle(entry, 2);
  deepEqual([a!.mostIdle(entry), b!.mostIdle(entry), c!.mostIdle(entry)], [2, 0, 0]);
});

Deno.test("SharedPlaces knows how many places can be had that nobody uses", () => {
  const { places: [a, b, c] } = fixture(3);
  const entry = opened(a!, "a");
  equal(a!.obtainable(entry, 3), 3);
  for (const places of [a, b, c]) places!.take([entry], [3], places!.now());
  deepEqual([a!.obtainable(entry, 3), a!.obtainable(entry, 2)], [0, -1]);
  a!.setIdle(entry, 1);
  deepEqual([a!, b!, c!].map((one) => one.obtainable(entry, 3)), [0, 1, 1]);
  b!.setWaiting(entry, b!.now()); // the idle one is for that worker
  deepEqual([a!, b!, c!].map((one) => one.obtainable(entry, 3)), [-1, 1, 0]);
  c!.setClosing(entry, 1);
  deepEqual([a!, b!, c!].map((one) => one.obtainable(entry, 3)), [0, 2, 1]);
});

Deno.test("SharedPlaces reclaims what a dead worker held, waited for and referred to", () => {
  const { places: [a, b] } = fixture(2, 2);
  const shared = opened(a!, "shared");
  equal(opened(b!, "shared"), shared);
  const own = opened(b!, "own");
  for (let i = 0; i < 3; i++) b!.take([shared, own], [9, 9], 1);
  a!.take([shared], [9], 1);
  b!.setWaiting(shared, 1);
  b!.setIdle(shared, 3);
  a!.reclaim(1);
  deepEqual([a!.inUse(shared), a!.held(shared, 0), a!.held(shared, 1)], [1, 1, 0]);
  deepEqual([a!.longestWaiting(shared), a!.mostIdle(shared)], [-1, -1]);
  equal(a!.open("new"), own);
  equal(a!.inUse(own), 0);
});

Deno.test("SharedPlaces mends what a worker left that died while it held the lock", () => {
  const { places: [a, b], buffer } = fixture(2);
  const entry = opened(a!, "a");
  a!.take([entry], [9], 1);
  b!.take([entry], [9], 1);
  const words = new Int32Array(buffer);
  words[0] = 2; // the lock is worker 1's
  words[16 + 64 * 0 + 1]! += 1; // and it was between the two stores of taking a place
  equal(a!.inUse(entry), 3);
  a!.reclaim(1);
  equal(a!.inUse(entry), 1);
  equal(a!.take([entry], [2], 1), -1);
});

Deno.test("SharedPlaces never lets threads that race have more than there are", async () => {
  const source = `
    import { SharedPlaces } from ${
    JSON.stringify(import.meta.resolve("../../src/pool/shared_places.ts"))
  };
    self.onmessage = ({ data: { buffer, worker, peak } }) => {
      const places = new SharedPlaces(buffer, worker, 2, Date.now);
      const held = new Int32Array(peak);
      const entries = [places.open("pair " + worker), places.open("cap")];
      let taken = 0;
      while (taken < 1000) {
        if (places.take(entries, [9, 1], 1) >= 0) continue;
        taken += 1;
        if (Atomics.add(held, 0, 1) > 0) Atomics.store(held, 1, 1);
        Atomics.sub(held, 0, 1);
        places.giveBack(entries);
      }
      for (const entry of entries) places.close(entry);
      self.postMessage("done");
    };`;
  const url = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
  const buffer = placesBuffer(2, 3);
  const peak = new SharedArrayBuffer(8);
  const threads = [0, 1].map((worker) => {
    const thread = new Worker(url, { type: "module" });
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    thread.onmessage = resolve;
    thread.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    thread.postMessage({ buffer, worker, peak });
    return { thread, promise };
  });
  await Promise.all(threads.map(({ promise }) => promise));
  for (const { thread } of threads) thread.terminate();
  URL.revokeObjectURL(url);
  deepEqual([...new Int32Array(peak)], [0, 0]);
  const places = new SharedPlaces(buffer, 0, 2, Date.now);
  deepEqual(["a", "b", "c"].map((key) => places.inUse(opened(places, key))), [0, 0, 0]);
});
