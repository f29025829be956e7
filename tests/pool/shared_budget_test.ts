import { deepEqual, equal, throws } from "node:assert/strict";
import { budgetBuffer, SharedBudget, type Turn } from "../../src/pool/shared_budget.ts";
import { fuzz, type Random } from "../support/random.ts";

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

/** What a budget should do, in the plainest words. */
class Model {
  readonly held: number[];
  queue: Turn[] = [];
  readonly #capacity: number;
  readonly #waitersMax: number;

  constructor(capacity: number, waitersMax: number, workers: number) {
    this.#capacity = capacity;
    this.#waitersMax = waitersMax;
    this.held = Array.from({ length: workers }, () => 0);
  }

  get inUse(): number {
    return this.held.reduce((sum, held) => sum + held, 0);
  }

  acquire(worker: number, ticket: number): string {
    if (this.inUse < this.#capacity && this.queue.length === 0) {
      this.held[worker]! += 1;
      return "granted";
    }
    if (this.queue.length >= this.#waitersMax) return "refused";
    this.queue.push({ worker, ticket });
    return "queued";
  }

  release(worker: number): Turn | undefined {
    this.held[worker]! -= 1;
    const next = this.queue.shift();
    if (next !== undefined) this.held[next.worker]! += 1;
    return next;
  }

  leave(worker: number, ticket: number): boolean {
    const before = this.queue.length;
    this.queue = this.queue.filter((one) => one.worker !== worker || one.ticket !== ticket);
    return this.queue.length < before;
  }

  reclaim(worker: number): Turn[] {
    this.queue = this.queue.filter((one) => one.worker !== worker);
    const turns: Turn[] = [];
    while (this.held[worker]! > 0) {
      const turn = this.release(worker);
      if (turn !== undefined) turns.push(turn);
    }
    return turns;
  }
}

function step(random: Random, all: SharedBudget[], model: Model, ticket: number): void {
  const worker = random.below(all.length);
  const budget = all[worker]!;
  switch (random.below(10)) {
    case 0: {
      const someone = model.queue.length > 0 ? random.pick(model.queue) : { worker, ticket: 1 };
      equal(
        all[someone.worker]!.leave(someone.ticket),
        model.leave(someone.worker, someone.ticket),
      );
      return;
    }
    case 1:
      if (random.oneIn(5)) deepEqual(all[0]!.reclaim(worker), model.reclaim(worker));
      return;
    case 2:
    case 3:
    case 4:
    case 5:
      if (model.held[worker]! > 0) deepEqual(budget.release(), model.release(worker));
      return;
    default:
      equal(budget.acquire(ticket), model.acquire(worker, ticket));
  }
}

Deno.test("SharedBudget does what a simple model does, whatever the schedule", async () => {
  await fuzz(200, (random) => {
    const capacity = 1 + random.below(4);
    const waitersMax = random.below(6);
    const workers = 1 + random.below(4);
    const all = budgets(capacity, waitersMax, workers);
    const model = new Model(capacity, waitersMax, workers);
    for (let ticket = 1; ticket <= 300; ticket++) {
      step(random, all, model, ticket);
      equal(all[0]!.inUse, model.inUse);
      equal(model.inUse <= capacity, true);
    }
  });
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
