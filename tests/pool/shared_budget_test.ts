import { deepEqual, equal, throws } from "node:assert/strict";
import { budgetBuffer, SharedBudget } from "../../src/pool/shared_budget.ts";

function budgets(capacity: number, waitersMax: number, workers: number): SharedBudget[] {
  const buffer = budgetBuffer(capacity, waitersMax, workers);
  return Array.from({ length: workers }, (_, worker) => new SharedBudget(buffer, worker, workers));
}

Deno.test("SharedBudget grants up to its capacity, then queues, then refuses", () => {
  const [a, b] = budgets(2, 2, 2) as [SharedBudget, SharedBudget];
  deepEqual([a.capacity, a.inUse], [2, 0]);
  deepEqual([a.acquire(1), b.acquire(1), b.acquire(2), a.acquire(2), a.acquire(3)], [
    "granted",
    "granted",
    "queued",
    "queued",
    "refused",
  ]);
  equal(b.inUse, 2);
  deepEqual(a.release(), { worker: 1, ticket: 2 });
  deepEqual(b.release(), { worker: 0, ticket: 2 });
  equal(b.inUse, 2);
  deepEqual([a.release(), b.release(), a.inUse], [undefined, undefined, 0]);
});

Deno.test("SharedBudget without waiters refuses at once", () => {
  const [a] = budgets(1, 0, 1) as [SharedBudget];
  deepEqual([a.acquire(1), a.acquire(2), a.leave(2), a.release(), a.acquire(3)], [
    "granted",
    "refused",
    false,
    undefined,
    "granted",
  ]);
});

Deno.test("SharedBudget makes room when one leaves, and keeps the order of the others", () => {
  const [a, b] = budgets(1, 3, 2) as [SharedBudget, SharedBudget];
  a.acquire(1);
  deepEqual([a.acquire(2), b.acquire(3), a.acquire(4)], ["queued", "queued", "queued"]);
  deepEqual([b.leave(3), b.leave(3), a.leave(3), b.leave(4)], [true, false, false, false]);
  deepEqual([b.acquire(5), b.acquire(6)], ["queued", "refused"]);
  const turns = [a.release(), a.release(), a.release()];
  deepEqual(turns, [{ worker: 0, ticket: 2 }, { worker: 0, ticket: 4 }, { worker: 1, ticket: 5 }]);
  equal(b.release(), undefined);
});

Deno.test("SharedBudget lets nobody overtake those who wait", () => {
  const [a] = budgets(1, 2, 1) as [SharedBudget];
  a.acquire(1);
  a.acquire(2);
  deepEqual(a.release(), { worker: 0, ticket: 2 });
  equal(a.acquire(3), "queued");
});

Deno.test("SharedBudget reclaims what a dead worker held and waited for", () => {
  const [a, b, c] = budgets(3, 4, 3) as [SharedBudget, SharedBudget, SharedBudget];
  a.acquire(1);
  b.acquire(1);
  b.acquire(2);
  b.acquire(3);
  c.acquire(1);
  a.acquire(2);
  b.acquire(4);
  deepEqual(a.reclaim(1), [{ worker: 2, ticket: 1 }, { worker: 0, ticket: 2 }]);
  equal(a.inUse, 3);
  deepEqual([a.reclaim(1), a.release(), c.release(), a.release()], [
    [],
    undefined,
    undefined,
    undefined,
  ]);
  equal(a.inUse, 0);
});

Deno.test("SharedBudget says so when more is given back than was taken, and can still be used", () => {
  const [a, b] = budgets(1, 1, 2) as [SharedBudget, SharedBudget];
  throws(() => a.release(), /gives back no more places than it holds/);
  equal(b.acquire(1), "granted"); // the lock was not left taken
  throws(() => a.release(), /gives back no more places than it holds/);
  equal(b.release(), undefined);
});

Deno.test("SharedBudget lets a long queue leave, and refuses many, without walking through it", () => {
  // With a walk for each this is 10^11 steps, which nobody sees the end of.
  const many = 500_000;
  const [a] = budgets(1, many, 1) as [SharedBudget];
  a.acquire(0);
  for (let ticket = 1; ticket <= many; ticket++) equal(a.acquire(ticket), "queued");
  for (let i = 0; i < many; i++) equal(a.acquire(0), "refused");
  for (let ticket = 1; ticket <= many; ticket++) equal(a.leave(ticket), true);
  equal(a.leave(many), false);
  equal(a.acquire(1), "queued");
  deepEqual([a.release(), a.release()], [{ worker: 0, ticket: 1 }, undefined]);
});

Deno.test("SharedBudget closes the gaps that leavers left in a full queue, in order", () => {
  const [a] = budgets(1, 6, 1) as [SharedBudget];
  for (let ticket = 0; ticket <= 6; ticket++) a.acquire(ticket);
  a.release();
  equal(a.acquire(7), "queued"); // the ring has wrapped
  for (const ticket of [3, 5, 6]) equal(a.leave(ticket), true);
  for (const ticket of [8, 9, 10]) equal(a.acquire(ticket), "queued");
  equal(a.acquire(11), "refused");
  const turns = Array.from({ length: 6 }, () => a.release()?.ticket);
  deepEqual(turns, [2, 4, 7, 8, 9, 10]);
});

Deno.test("SharedBudget never grants more than its capacity to threads that race", async () => {
  const source = `
    import { SharedBudget } from ${
    JSON.stringify(import.meta.resolve("../../src/pool/shared_budget.ts"))
  };
    self.onmessage = ({ data: { buffer, worker, workers, peak } }) => {
      const budget = new SharedBudget(buffer, worker, workers);
      const held = new Int32Array(peak);
      let granted = 0;
      while (granted < 1000) {
        if (budget.acquire(1) !== "granted") continue;
        granted += 1;
        const now = Atomics.add(held, 0, 1) + 1;
        if (now > budget.capacity) Atomics.store(held, 1, now);
        Atomics.sub(held, 0, 1);
        budget.release();
      }
      self.postMessage("done");
    };`;
  const url = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
  const buffer = budgetBuffer(1, 0, 2);
  const peak = new SharedArrayBuffer(8);
  const threads = [0, 1].map((worker) => {
    const thread = new Worker(url, { type: "module" });
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    thread.onmessage = resolve;
    thread.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    thread.postMessage({ buffer, worker, workers: 2, peak });
    return { thread, promise };
  });
  await Promise.all(threads.map(({ promise }) => promise));
  for (const { thread } of threads) thread.terminate();
  URL.revokeObjectURL(url);
  deepEqual([...new Int32Array(peak)], [0, 0]);
  equal(new SharedBudget(buffer, 0, 2).inUse, 0);
});

Deno.test("SharedBudget mends what a worker left that died while it held the lock", () => {
  const buffer = budgetBuffer(2, 1, 2);
  const [a, b] = [0, 1].map((worker) => new SharedBudget(buffer, worker, 2));
  deepEqual([a!.acquire(1), b!.acquire(1)], ["granted", "granted"]);
  const [lock, inUse] = [0, 2];
  const words = new Int32Array(buffer);
  words[lock] = 2; // the second worker's
  words[inUse]! += 1; // before it could write down for whom
  deepEqual([a!.reclaim(1), a!.inUse], [[], 1]);
  deepEqual([a!.acquire(2), a!.acquire(3)], ["granted", "queued"]);
});
