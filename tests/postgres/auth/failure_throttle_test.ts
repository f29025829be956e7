import { deepEqual, equal, throws } from "node:assert/strict";
import {
  FailureThrottle,
  type FailureThrottleOptions,
} from "../../../src/postgres/auth/failure_throttle.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const A = "192.0.2.1";

function made(changes: Partial<FailureThrottleOptions> = {}) {
  const clock = new FakeClock();
  const options = { clock, failuresMax: 4, windowMs: 60_000, banMs: 30_000, addressesMax: 100 };
  return { clock, throttle: new FailureThrottle({ ...options, ...changes }) };
}

function fail(throttle: FailureThrottle, times: number, address = A, user = "ann"): void {
  for (let i = 0; i < times; i++) throttle.onFailure(address, user);
}

/** Milliseconds to wait, or "refused" with those until the next try. */
function verdict(throttle: FailureThrottle, address = A, user = "ann"): number | string {
  const one = throttle.check(address, user);
  return one.kind === "allow" ? one.delayMs : `refused ${one.retryAfterMs}`;
}

Deno.test("FailureThrottle slows more with each failure, then refuses for a while", async () => {
  const { clock, throttle } = made();
  const seen: (number | string)[] = [verdict(throttle)];
  for (let i = 0; i < 4; i++) {
    fail(throttle, 1);
    seen.push(verdict(throttle));
  }
  deepEqual(seen, [0, 100, 200, 400, "refused 30000"]);
  await clock.pass(29_999);
  equal(verdict(throttle), "refused 1");
  await clock.pass(1);
  equal(verdict(throttle), 0);
  fail(throttle, 1);
  equal(verdict(throttle), 100, "the count begins anew");
});

Deno.test("FailureThrottle never makes anybody wait longer than five seconds", () => {
  const { throttle } = made({ failuresMax: 1000 });
  fail(throttle, 900);
  equal(verdict(throttle), 5000);
});

Deno.test("FailureThrottle forgets failures when their window is over", async () => {
  const { clock, throttle } = made();
  fail(throttle, 3);
  await clock.pass(59_999);
  equal(verdict(throttle), 400);
  await clock.pass(1);
  equal(verdict(throttle), 0);
  fail(throttle, 3);
  equal(verdict(throttle), 400);
});

Deno.test("FailureThrottle neither lengthens nor shortens a ban for logins that ran already", async () => {
  const { clock, throttle } = made();
  fail(throttle, 4);
  await clock.pass(10_000);
  fail(throttle, 20);
  equal(verdict(throttle), "refused 20000");
});

Deno.test("FailureThrottle counts by address, and IPv6 by /64", () => {
  const { throttle } = made();
  fail(throttle, 4);
  equal(verdict(throttle, "192.0.2.2"), 0);
  equal(verdict(throttle, "::ffff:192.0.2.1"), "refused 30000");
  fail(throttle, 4, "2001:db8:1:2::1");
  equal(verdict(throttle, "2001:db8:1:2:ffff:ffff:ffff:ffff"), "refused 30000");
  equal(verdict(throttle, "2001:db8:1:3::1"), 0);
  equal(verdict(throttle, "0.0.0.0"), 0);
  equal(verdict(throttle, "a name"), 0);
  fail(throttle, 4, "a name");
  equal(verdict(throttle, "a name"), "refused 30000");
});

Deno.test("FailureThrottle takes IPv6 addresses with a zone for those of their /64", () => {
  const { throttle } = made();
  for (let i = 1; i <= 4; i++) fail(throttle, 1, `fe80::${i}%eth0`);
  equal(verdict(throttle, "fe80::5%eth0"), "refused 30000");
});

Deno.test("FailureThrottle forgets of those who logged in who has not for the longest", () => {
  const { throttle } = made({ addressesMax: 2 });
  for (const user of ["ann", "bob", "ann", "eve"]) throttle.onSuccess(A, user);
  fail(throttle, 3, A, "mallory");
  deepEqual(["ann", "bob", "eve"].map((user) => verdict(throttle, A, user)), [0, 400, 0]);
});

Deno.test("FailureThrottle counts those who try names together", () => {
  const { throttle } = made();
  for (const user of ["a", "b", "c", "d"]) fail(throttle, 1, A, user);
  equal(verdict(throttle, A, "e"), "refused 30000");
});

Deno.test("FailureThrottle does not lock out who has logged in from the address before", () => {
  const { throttle } = made();
  throttle.onSuccess(A, "honest");
  fail(throttle, 4, A, "attacker");
  equal(verdict(throttle, A, "honest"), 0);
  equal(verdict(throttle, A, "attacker"), "refused 30000");
  equal(verdict(throttle, A, "stranger"), "refused 30000");
  equal(verdict(throttle, "192.0.2.2", "attacker"), 0);
  fail(throttle, 3, A, "honest");
  equal(verdict(throttle, A, "honest"), 400, "his own failures count");
  fail(throttle, 1, A, "honest");
  equal(verdict(throttle, A, "honest"), "refused 30000");
});

Deno.test("FailureThrottle takes back half of a user's failures when he logs in", async () => {
  const { clock, throttle } = made({ failuresMax: 10 });
  throttle.onSuccess(A, "ann");
  fail(throttle, 5);
  throttle.onSuccess(A, "ann");
  equal(verdict(throttle), 200, "two of five are left");
  throttle.onSuccess(A, "ann");
  throttle.onSuccess(A, "ann");
  equal(verdict(throttle), 0);
  fail(throttle, 9);
  await clock.pass(60_000);
  equal(verdict(throttle), 0, "the window is over, and he is still counted alone");
  fail(throttle, 10, A, "attacker");
  equal(verdict(throttle), 0);
});

Deno.test("FailureThrottle does not let a valid account of the attacker clear an address", () => {
  const { throttle } = made();
  for (let i = 0; i < 4; i++) {
    fail(throttle, 1, A, "victim");
    throttle.onSuccess(A, "attacker");
  }
  equal(verdict(throttle, A, "victim"), "refused 30000");
});

Deno.test("FailureThrottle keeps its memory bounded, and bans in it", () => {
  const { throttle } = made({ addressesMax: 50 });
  fail(throttle, 4);
  for (let i = 0; i < 10_000; i++) {
    fail(throttle, 1 + i % 3, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, `user${i}`);
    throttle.onSuccess(`2001:db8:${i.toString(16)}::1`, `user${i}`);
  }
  equal(throttle.size, 100);
  equal(verdict(throttle), "refused 30000", "ten thousand other addresses do not free it");
});

Deno.test("FailureThrottle forgets what is over before what is not", async () => {
  const { clock, throttle } = made({ addressesMax: 2, windowMs: 10_000 });
  fail(throttle, 3, "192.0.2.1");
  await clock.pass(10_000);
  fail(throttle, 1, "192.0.2.2");
  fail(throttle, 1, "192.0.2.3");
  equal(verdict(throttle, "192.0.2.2"), 100);
  equal(verdict(throttle, "192.0.2.3"), 100);
  // Nothing is over now: whoever failed the least and the longest ago has to go.
  fail(throttle, 1, "192.0.2.3");
  fail(throttle, 1, "192.0.2.4");
  deepEqual(["2", "3", "4"].map((end) => verdict(throttle, `192.0.2.${end}`)), [0, 200, 100]);
});

Deno.test("FailureThrottle with failuresMax 0 counts nothing", () => {
  const { throttle } = made({ failuresMax: 0 });
  fail(throttle, 100);
  throttle.onSuccess(A, "ann");
  equal(verdict(throttle), 0);
  equal(throttle.size, 0);
});

Deno.test("FailureThrottle with failuresMax 1 refuses after the first failure", () => {
  const { throttle } = made({ failuresMax: 1 });
  fail(throttle, 1);
  equal(verdict(throttle), "refused 30000");
});

Deno.test("FailureThrottle cannot be made with limits that are none", () => {
  throws(() => made({ failuresMax: 1001 }), /failuresMax is at most 1000/);
  throws(() => made({ addressesMax: 0 }), /room for an address/);
});
