import { equal, ok } from "node:assert/strict";
import type { RateLimitOptions } from "../../src/act/options.ts";
import { TokenBuckets } from "../../src/act/token_buckets.ts";
import { ActWorld, eventOf, policyOf, REJECT } from "./world.ts";

const LIMIT: RateLimitOptions = {
  kind: "rate-limit",
  key: "user",
  ratePerSecond: 10,
  burst: 2,
  exceeded: "reject",
  sqlState: "",
  message: "",
  hint: "",
};

Deno.test("Act rejects what comes too often, and lets pass what comes later", async () => {
  const world = new ActWorld([policyOf(LIMIT)]);
  const kinds = () => world.decide(["alarm"]);
  equal(kinds().kind, "forward");
  equal(kinds().kind, "forward");
  const verdict = kinds();
  ok(verdict.kind === "reject");
  equal(verdict.rejection.sqlState, "53400");
  equal(verdict.rejection.message, "Too many requests");
  await world.clock.pass(100);
  equal(kinds().kind, "forward");
  equal(kinds().kind, "reject");
});

Deno.test("Act counts for each value of the key", () => {
  const world = new ActWorld([policyOf({ ...LIMIT, key: "string(signal.table)", burst: 1 })]);
  const decide = (table: string) => world.decide([{ name: "alarm", metadata: { table } }]).kind;
  equal(decide("a"), "forward");
  equal(decide("b"), "forward");
  equal(decide("a"), "reject");
});

Deno.test("Act holds back what comes too often, each after the one before, up to a minute", () => {
  const world = new ActWorld([policyOf({ ...LIMIT, exceeded: "delay", burst: 1 })]);
  const delays: number[] = [];
  for (let i = 0; i < 4; i++) {
    const event = eventOf();
    equal(world.decide(["alarm"], event).kind, "forward");
    delays.push(event.delayMs);
  }
  equal(delays.join(), "0,100,200,300");
  const slow = new ActWorld([
    policyOf({ ...LIMIT, exceeded: "delay", burst: 1, ratePerSecond: 1 / 50 }),
  ]);
  const kinds = Array.from({ length: 4 }, () => slow.decide(["alarm"]).kind);
  equal(kinds.join(), "forward,forward,reject,reject");
});

Deno.test("Act takes no token for what is refused anyway, and fails without a key", () => {
  const world = new ActWorld([
    policyOf(REJECT, { signal: "fire" }),
    policyOf({ ...LIMIT, burst: 1 }, { signal: "*" }),
  ]);
  equal(world.decide(["fire"]).kind, "reject");
  equal(world.decide(["alarm"]).kind, "forward");
  equal(world.decide(["alarm"]).kind, "reject");
  const broken = new ActWorld([policyOf({ ...LIMIT, key: "signal.n" })], {
    defaultPolicy: "terminate",
  });
  equal(broken.decide([{ name: "alarm", metadata: { n: 1 } }]).kind, "reject");
  equal(broken.count("rate-limit", "evaluationErrors"), 1);
});

Deno.test("TokenBuckets fill up to the burst, and remember 10,000 keys", () => {
  const buckets = new TokenBuckets(1, 3);
  const taken = (nowMs: number) => buckets.take("a", nowMs, 0) !== undefined;
  equal([0, 0, 0, 0].map(taken).join(), "true,true,true,false");
  equal([60_000, 60_000, 60_000, 60_000].map(taken).join(), "true,true,true,false");
  // The key that was used just now stays; the one that was not gives way.
  buckets.take("old", 60_000, 0);
  taken(60_000);
  for (let i = 0; i < 9_998; i++) buckets.take(`k${i}`, 60_000, 0);
  buckets.take("one more", 60_000, 0);
  equal(buckets.size, 10_000);
  equal(taken(60_000), false);
  const long = "k".repeat(1_000);
  for (const end of ["1", "2", "3"]) ok(buckets.take(long + end, 60_000, 0) !== undefined);
  equal(buckets.take(`${long}4`, 60_000, 0), undefined, "the beginning of a long key counts");
});
