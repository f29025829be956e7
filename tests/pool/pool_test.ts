import { deepEqual, equal } from "node:assert/strict";
import { type Lease, Pool } from "../../src/pool/pool.ts";
import { budgetBuffer, SharedBudget, type Turn } from "../../src/pool/shared_budget.ts";
import { FakeClock } from "../support/fake_clock.ts";

interface Fixture {
  readonly clock: FakeClock;
  readonly pools: readonly Pool[];
  /** What workers were told, oldest first. */
  readonly told: Turn[];
  readonly events: string[];
  readonly leases: Map<string, Lease>;
  ask(worker: number, name: string): { cancel(): void };
}

function fixture(size: number, waitersMax: number, workers = 1): Fixture {
  const clock = new FakeClock();
  const buffer = budgetBuffer(size, waitersMax, workers);
  const told: Turn[] = [];
  const events: string[] = [];
  const leases = new Map<string, Lease>();
  const pools = Array.from({ length: workers }, (_, worker) =>
    new Pool(
      { name: "p", acquireTimeoutMs: 1_000, waitersMax },
      new SharedBudget(buffer, worker, workers),
      clock,
      (turn) => told.push(turn),
    ));
  return {
    clock,
    pools,
    told,
    events,
    leases,
    ask: (worker, name) =>
      pools[worker]!.acquire({
        onLease(lease) {
          events.push(`${name} leases`);
          leases.set(name, lease);
        },
        onRefused: (reason) => events.push(`${name} ${reason}`),
      }),
  };
}

Deno.test("Pool calls a waiter before acquire returns when it knows the answer", () => {
  const { ask, events, pools } = fixture(1, 0);
  ask(0, "a");
  ask(0, "b");
  deepEqual(events, ["a leases", "b refused"]);
  equal(pools[0]!.size, 1);
});

Deno.test("Pool gives a place to who waited longest, not from within the giving back", async () => {
  const { ask, events, leases, clock } = fixture(1, 2);
  for (const name of ["a", "b", "c"]) ask(0, name);
  leases.get("a")![Symbol.dispose]();
  deepEqual(events, ["a leases"]);
  await Promise.resolve();
  deepEqual(events, ["a leases", "b leases"]);
  equal(clock.pending, 1); // only c's time still runs
});

Deno.test("Lease gives its place back once, however often it is disposed of", async () => {
  const { ask, events, leases } = fixture(1, 2);
  for (const name of ["a", "b", "c"]) ask(0, name);
  for (let i = 0; i < 3; i++) leases.get("a")![Symbol.dispose]();
  await Promise.resolve();
  deepEqual(events, ["a leases", "b leases"]);
});

Deno.test("Pool ends a wait at acquireTimeoutMs, and its ticket takes no place", async () => {
  const { ask, events, leases, clock } = fixture(1, 2);
  ask(0, "a");
  ask(0, "b");
  await clock.pass(500);
  ask(0, "c");
  await clock.pass(500);
  deepEqual(events, ["a leases", "b timeout"]);
  leases.get("a")![Symbol.dispose]();
  await Promise.resolve();
  deepEqual(events, ["a leases", "b timeout", "c leases"]);
});

Deno.test("Pool passes a place on whose waiter has left since", async () => {
  const { ask, events, leases } = fixture(1, 2);
  ask(0, "a");
  const b = ask(0, "b");
  ask(0, "c");
  leases.get("a")![Symbol.dispose]();
  b.cancel(); // its turn has come, and it does not know yet
  b.cancel();
  for (let i = 0; i < 3; i++) await Promise.resolve();
  deepEqual(events, ["a leases", "c leases"]);
});

Deno.test("Pool tells the other worker whose turn it is", () => {
  const { ask, events, leases, pools, told } = fixture(1, 2, 2);
  ask(0, "a");
  ask(1, "b");
  leases.get("a")![Symbol.dispose]();
  deepEqual(told, [{ worker: 1, ticket: 1 }]);
  pools[1]!.onTurn(told[0]!.ticket);
  deepEqual(events, ["a leases", "b leases"]);
});

Deno.test("Pool gives a turn back that nobody waits for any more", async () => {
  const { ask, events, leases, pools, told, clock } = fixture(1, 2, 2);
  ask(0, "a");
  ask(1, "b");
  ask(0, "c");
  leases.get("a")![Symbol.dispose]();
  await clock.pass(1_000); // while the message is on its way
  pools[1]!.onTurn(told[0]!.ticket);
  deepEqual(events, ["a leases", "b timeout", "c timeout"]);
  ask(1, "d");
  deepEqual(events.at(-1), "d leases");
});

Deno.test("Acquisition that is cancelled after the lease leaves the lease alone", async () => {
  const { ask, events, leases } = fixture(1, 1);
  ask(0, "a").cancel();
  ask(0, "b");
  deepEqual(events, ["a leases"]);
  leases.get("a")![Symbol.dispose]();
  await Promise.resolve();
  deepEqual(events, ["a leases", "b leases"]);
});

Deno.test("Pool takes no notice of a turn that it knows nothing of", () => {
  const { ask, events, leases, pools } = fixture(1, 1, 2);
  ask(0, "a");
  // A worker that was restarted hears of a turn of the one before it.
  pools[1]!.onTurn(7);
  ask(1, "b");
  deepEqual(events, ["a leases"]);
  equal(leases.size, 1);
});

Deno.test("Pool gives a place back at once whose waiter leaves before it hears of its turn", () => {
  const { ask, events, leases, pools, told } = fixture(1, 2, 2);
  ask(0, "a");
  const b = ask(1, "b");
  leases.get("a")![Symbol.dispose]();
  b.cancel();
  ask(0, "c");
  deepEqual(events, ["a leases", "c leases"]);
  pools[1]!.onTurn(told[0]!.ticket); // late: the place is c's now
  ask(0, "d");
  deepEqual(events, ["a leases", "c leases"]);
});
