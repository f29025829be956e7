/**
 * Random schedules of several workers on one budget, beside a model that is too simple to be wrong.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { budgetBuffer, SharedBudget, type Turn } from "../../src/pool/shared_budget.ts";
import { fuzz, type Random } from "../support/random.ts";

function budgets(capacity: number, waitersMax: number, workers: number): SharedBudget[] {
  const buffer = budgetBuffer(capacity, waitersMax, workers);
  return Array.from({ length: workers }, (_, worker) => new SharedBudget(buffer, worker, workers));
}

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
