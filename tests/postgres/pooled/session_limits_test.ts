import { deepEqual, equal } from "node:assert/strict";
import type { Backend } from "../../../src/postgres/pooled/backend.ts";
import type { PooledContext, PoolSettings } from "../../../src/postgres/pooled/pooled_context.ts";
import { SessionLimits } from "../../../src/postgres/pooled/session_limits.ts";
import { Watchdog } from "../../../src/postgres/pooled/watchdog.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const NO_LIMITS = {
  clientIdleTimeoutMs: 0,
  queryTimeoutMs: 0,
  transactionTimeoutMs: 0,
  idleTransactionTimeoutMs: 0,
};

/** A session as far as its limits look at it. */
function limited(limits: Partial<typeof NO_LIMITS>) {
  const clock = new FakeClock();
  const told: string[] = [];
  const cancels: (() => void)[] = [];
  const backend = {
    busySinceMs: undefined as number | undefined,
    isInTransaction: false,
    cancelTarget: {},
    holdForCancel: () => () => void told.push("released"),
  };
  const session = {
    backend: undefined as Backend | undefined,
    isWaiting: false,
    onTimeout: (timeout: string) => void told.push(timeout),
    fail: ({ sqlState }: { readonly sqlState: string }) => void told.push(sqlState),
  };
  const context = {
    clock,
    watchdog: new Watchdog(clock),
    cancel: () => new Promise<void>((resolve) => void cancels.push(resolve)),
  };
  const settings = { ...NO_LIMITS, ...limits };
  const one = new SessionLimits(
    context as unknown as PooledContext,
    settings as unknown as PoolSettings,
    session,
  );
  const link = () => void (session.backend = backend as unknown as Backend);
  return { clock, told, cancels, backend, session, limits: one, link };
}

Deno.test("SessionLimits without a limit are looked at by nobody", () => {
  const { clock, limits, told } = limited({});
  limits.start();
  limits.onClient();
  limits.onRequest();
  limits.onReady(false, true, false);
  equal(clock.pending, 0);
  equal(limits.shortestMs, Infinity);
  limits.check(clock.nowMs() + 1e9);
  limits.stop();
  deepEqual(told, []);
});

Deno.test("SessionLimits is as quick as its shortest limit", () => {
  const { limits } = limited({ clientIdleTimeoutMs: 500, queryTimeoutMs: 70 });
  equal(limits.shortestMs, 70);
});

Deno.test("SessionLimits ends a client that says nothing, but not one that waits or works", async () => {
  const { clock, told, backend, session, limits, link } = limited({ clientIdleTimeoutMs: 1_000 });
  limits.start();
  session.isWaiting = true;
  await clock.pass(5_000);
  session.isWaiting = false;
  await clock.pass(900);
  deepEqual(told, []);
  link();
  backend.busySinceMs = clock.nowMs();
  await clock.pass(5_000);
  deepEqual(told, []);
  backend.busySinceMs = undefined;
  limits.onReady(false, false, false);
  await clock.pass(1_000);
  deepEqual(told, []);
  await clock.pass(100);
  deepEqual(told.slice(0, 2), ["client_idle", "57P05"]);
  limits.stop();
  equal(clock.pending, 0);
});

Deno.test("SessionLimits ends what is idle in a transaction, or open for too long", async () => {
  const idle = limited({ idleTransactionTimeoutMs: 1_000 });
  idle.limits.start();
  idle.link();
  idle.backend.isInTransaction = true;
  idle.limits.onReady(false, true, false);
  await idle.clock.pass(1_100);
  deepEqual(idle.told.slice(0, 2), ["idle_transaction", "25P03"]);
  for (const isBusy of [false, true]) {
    const open = limited({ transactionTimeoutMs: 1_000 });
    open.limits.start();
    open.link();
    open.limits.onRequest();
    open.backend.isInTransaction = true;
    await open.clock.pass(900);
    open.limits.onClient();
    open.limits.onReady(false, true, false);
    if (isBusy) open.backend.busySinceMs = open.clock.nowMs();
    await open.clock.pass(200);
    deepEqual(open.told.slice(0, 2), ["transaction", "25P04"]);
  }
});

Deno.test("SessionLimits counts a transaction anew where another one is on its way", async () => {
  for (const isMoreDue of [false, true]) {
    const { clock, told, backend, limits, link } = limited({ transactionTimeoutMs: 1_000 });
    limits.start();
    link();
    limits.onRequest();
    await clock.pass(900);
    limits.onReady(false, false, isMoreDue);
    backend.busySinceMs = clock.nowMs();
    await clock.pass(900);
    deepEqual(told, []);
    await clock.pass(200);
    deepEqual(told.slice(0, 1), isMoreDue ? ["transaction"] : []);
  }
});

Deno.test("SessionLimits cancels a query once, and gives it up if that does not help", async () => {
  const { clock, told, cancels, backend, limits, link } = limited({ queryTimeoutMs: 1_000 });
  limits.start();
  link();
  backend.busySinceMs = clock.nowMs();
  const text = "canceling statement due to user request";
  equal(limits.translate(text), text);
  await clock.pass(1_100);
  deepEqual([told, cancels.length], [["query"], 1]);
  equal(limits.translate(text), "canceling statement due to statement timeout");
  equal(limits.translate("no"), "no");
  cancels[0]!();
  await clock.pass(4_900);
  deepEqual([told, cancels.length], [["query", "released"], 1]);
  await clock.pass(200);
  equal(told[2], "57014");
  limits.onReady(false, false, false);
  equal(limits.translate(text), text, "it was another query that this one cancelled");
});
