import { deepEqual, equal, ok, strictEqual, throws } from "node:assert/strict";
import type { ActionOptions } from "../../src/act/options.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { ExpressionError } from "../../src/expressions/expression_error.ts";
import type { HookEvent } from "../../src/hooks/event.ts";
import type { Signal } from "../../src/hooks/signal.ts";
import { FORWARD, type Verdict } from "../../src/hooks/verdict.ts";
import { ActWorld, eventOf, policyOf, REJECT } from "./world.ts";

const REPLACED: Verdict = { kind: "replace", bytes: utf8("SELECT 2") };
const CLOSED: Verdict = { kind: "close", plugin: "guard" };
const REJECTED: Verdict = {
  kind: "reject",
  rejection: { sqlState: "22000", message: "by the plugin", hint: "" },
  plugin: "guard",
};
const RESPONDED: Verdict = {
  kind: "respond",
  reply: { kind: "result", columns: [], rows: [], tag: "OK" },
  plugin: "guard",
};
const TERMINATED = {
  kind: "reject",
  rejection: { sqlState: "42000", message: "Request terminated", hint: "" },
  plugin: "guard",
};

const LOG: ActionOptions = { kind: "log", level: "info", message: "" };
const ROUTE: ActionOptions = { kind: "route", proxy: "replica" };

function delay(delayMs: number): ActionOptions {
  return { kind: "delay", delayMs };
}

/** An event as its hook was told of it, with what the plugin's own verdict did to it. */
function eventWith(verdict: Verdict): HookEvent {
  const event = eventOf();
  if (verdict.kind === "replace") event.payload = verdict.bytes;
  return event;
}

Deno.test("Act leaves the plugin's verdict alone when there are no signals", () => {
  const world = new ActWorld([policyOf(REJECT, { signal: "*" })], { defaultPolicy: "terminate" });
  for (const verdict of [FORWARD, REPLACED, REJECTED, RESPONDED, CLOSED]) {
    strictEqual(world.decide([], eventWith(verdict), verdict), verdict);
  }
});

Deno.test("Act has policies for the signals terminate, log and passthrough", () => {
  const world = new ActWorld();
  deepEqual(world.decide(["terminate"]), TERMINATED);
  strictEqual(world.decide(["passthrough"]), FORWARD);
  strictEqual(world.decide(["log"]), FORWARD);
  equal(world.records.length, 1);
  // Metadata as GatewayD's plugins send it.
  const signal = (metadata: Signal["metadata"]) => [{ name: "terminate", metadata }];
  deepEqual(world.decide(signal({ terminate: true })), TERMINATED);
  strictEqual(world.decide(signal({ terminate: false })), FORWARD);
});

Deno.test("Act has no built-in policy where one has its name", () => {
  const world = new ActWorld([policyOf(LOG, { name: "terminate", signal: "terminate" })]);
  strictEqual(world.decide(["terminate"]), FORWARD);
  equal(world.count("terminate", "matches"), 1);
});

Deno.test("Act keeps what a plugin replaced, whatever else happens", () => {
  const nothingLost: readonly ActionOptions[] = [LOG, { kind: "passthrough" }, delay(5)];
  for (const action of nothingLost) {
    const event = eventWith(REPLACED);
    strictEqual(new ActWorld([policyOf(action)]).decide(["alarm"], event, REPLACED), REPLACED);
    deepEqual(event.payload, utf8("SELECT 2"), action.kind);
  }
  // The event still has the old payload: the plugin's verdict alone knows the new one.
  const event = eventOf();
  const verdict = new ActWorld([policyOf(ROUTE)]).decide(["alarm"], event, REPLACED);
  deepEqual(verdict, { kind: "route", proxy: "replica", plugin: "guard" });
  deepEqual(event.payload, utf8("SELECT 2"));
});

Deno.test("Act rejects with what the policy says, over any verdict of the plugin", () => {
  const said = { kind: "reject", sqlState: "42501", message: "no", hint: "ask" } as const;
  const world = new ActWorld([policyOf(said)]);
  for (const verdict of [FORWARD, REPLACED, REJECTED, RESPONDED, CLOSED]) {
    deepEqual(world.decide(["alarm"], eventWith(verdict), verdict), {
      kind: "reject",
      rejection: { sqlState: "42501", message: "no", hint: "ask" },
      plugin: "guard",
    });
  }
  deepEqual(new ActWorld([policyOf(REJECT)]).decide(["alarm"]), {
    kind: "reject",
    rejection: { sqlState: "42501", message: "Request rejected by a policy", hint: "" },
    plugin: "guard",
  });
});

Deno.test("Act terminates, but leaves an end that the plugin made itself", () => {
  const world = new ActWorld();
  for (const verdict of [REJECTED, RESPONDED, CLOSED]) {
    strictEqual(world.decide(["terminate"], eventOf(), verdict), verdict);
  }
  deepEqual(world.decide(["terminate"], eventWith(REPLACED), REPLACED), TERMINATED);
});

Deno.test("Act closes where a hook cannot reject, and does nothing where it cannot close", () => {
  const world = new ActWorld([policyOf(REJECT)]);
  deepEqual(world.decide(["alarm"], eventOf("onTrafficFromServer")), CLOSED);
  deepEqual(world.decide(["terminate"], eventOf("onRow")), CLOSED);
  for (let i = 0; i < 3; i++) {
    strictEqual(world.decide(["alarm"], eventOf("onQueryEnd")), FORWARD);
    strictEqual(world.decide(["terminate"], eventOf("onTrafficToClient")), FORWARD);
  }
  equal(world.count("reject", "impossibleActions"), 3);
  equal(world.count("terminate", "impossibleActions"), 3);
  // Once for each policy, not for each event.
  deepEqual(world.records.map(({ level, fields }) => [level, fields["policy"], fields["hook"]]), [
    ["warn", "reject", "onQueryEnd"],
    ["warn", "terminate", "onTrafficToClient"],
  ]);
});

Deno.test("Act says so where a hook cannot route or hold back", () => {
  const world = new ActWorld([policyOf(ROUTE), policyOf(delay(5))]);
  const event = eventOf("onTrafficFromServer");
  strictEqual(world.decide(["alarm"], event, REPLACED), REPLACED);
  equal(event.delayMs, 0);
  equal(world.count("route", "impossibleActions"), 1);
  equal(world.count("delay", "impossibleActions"), 1);
  for (const hook of ["onStartup", "onAuthenticated"] as const) {
    world.decide(["alarm"], eventOf(hook));
  }
  equal(world.count("delay", "impossibleActions"), 3);
  const message = eventOf("onTrafficFromClient");
  world.decide(["alarm"], message);
  equal(message.delayMs, 5);
});

Deno.test("Act goes by the strongest action when several match, in whatever order", () => {
  const policies = [
    policyOf(LOG, { signal: "*" }),
    policyOf(delay(5), { signal: "slow" }),
    policyOf(delay(9), { name: "slower", signal: "slower" }),
    policyOf(ROUTE, { signal: "route" }),
    policyOf({ kind: "route", proxy: "other" }, { name: "other", signal: "other" }),
    policyOf(REJECT, { signal: "reject" }),
  ];
  const kinds: readonly (readonly [readonly string[], Verdict["kind"], number])[] = [
    [["slow"], "forward", 5],
    [["slow", "slower"], "forward", 9],
    [["slower", "slow"], "forward", 9],
    [["slow", "route"], "route", 5],
    [["route", "reject"], "reject", 0],
    [["reject", "slow", "passthrough"], "reject", 0],
    [["passthrough", "terminate"], "reject", 0],
    [["log", "terminate", "route"], "reject", 0],
  ];
  for (const [signals, kind, delayMs] of kinds) {
    const world = new ActWorld(policies);
    const event = eventOf();
    equal(world.decide(signals, event).kind, kind, signals.join());
    equal(event.delayMs, delayMs, signals.join());
    // What only tells somebody happens all the same.
    ok(world.records.length >= signals.length, signals.join());
  }
  const route = new ActWorld(policies).decide(["other", "route"]);
  equal(route.kind === "route" ? route.proxy : "", "other");
  const first = new ActWorld(policies).decide(["terminate", "reject"]);
  deepEqual(first, TERMINATED);
});

Deno.test("Act neither routes nor holds back what the plugin ended", () => {
  const world = new ActWorld([policyOf(ROUTE), policyOf(delay(5))]);
  for (const verdict of [REJECTED, RESPONDED, CLOSED]) {
    const event = eventOf();
    strictEqual(world.decide(["alarm"], event, verdict), verdict);
    equal(event.delayMs, 0);
  }
});

Deno.test("Act holds back for the longest that several plugins want, up to a minute", () => {
  const world = new ActWorld([policyOf(delay(100)), policyOf(delay(50), { signal: "less" })]);
  const event = eventOf();
  world.decide(["alarm"], event);
  world.decide(["less"], event);
  equal(event.delayMs, 100);
  const long = eventOf();
  new ActWorld([policyOf(delay(70_000))]).decide(["alarm"], long);
  equal(long.delayMs, 60_000);
});

Deno.test("Act asks the policies behind one that stops about other signals only", () => {
  const world = new ActWorld([
    policyOf({ kind: "passthrough" }, { when: 'user == "bob"', stop: true }),
    policyOf(REJECT, { signal: "*" }),
  ]);
  strictEqual(world.decide(["alarm"]), FORWARD);
  equal(world.count("reject", "matches"), 0);
  equal(world.decide(["alarm", "fire"]).kind, "reject");
  // One that does not match does not stop.
  const other = new ActWorld([
    policyOf({ kind: "passthrough" }, { when: 'user == "amy"', stop: true }),
    policyOf(REJECT, { signal: "*" }),
  ]);
  equal(other.decide(["alarm"]).kind, "reject");
});

Deno.test("Act follows defaultPolicy for a signal that no policy matches", () => {
  const unheard: readonly (readonly string[])[] = [["unknown"], ["log", "unknown"], ["alarm"]];
  for (const signals of unheard) {
    const policies = [policyOf({ kind: "passthrough" }, { when: "false" })];
    strictEqual(new ActWorld(policies).decide(signals, eventOf(), REPLACED), REPLACED);
    const strict = new ActWorld(policies, { defaultPolicy: "terminate" });
    deepEqual(strict.decide(signals), TERMINATED, signals.join());
    equal(strict.count("(default)", "matches"), 1);
  }
  const strict = new ActWorld([], { defaultPolicy: "terminate" });
  strictEqual(strict.decide(["passthrough"]), FORWARD);
});

Deno.test("Act follows defaultPolicy when a policy cannot be evaluated", () => {
  const broken = policyOf(REJECT, { name: "broken", when: "signal.missing > 1" });
  const open = new ActWorld([broken]);
  for (let i = 0; i < 3; i++) strictEqual(open.decide(["alarm"]), FORWARD);
  equal(open.count("broken", "evaluationErrors"), 3);
  deepEqual(open.records, [{
    level: "warn",
    message: "a policy cannot be evaluated",
    fields: { policy: "broken", plugin: "guard", signal: "alarm", reason: "No such key: missing" },
    timeMs: 1_700_000_000_000,
  }]);
  // Even where another policy matches: what was broken might have refused.
  const closed = new ActWorld([broken, policyOf(LOG)], { defaultPolicy: "terminate" });
  deepEqual(closed.decide(["alarm"]), TERMINATED);
  // And what another policy refuses is refused.
  equal(new ActWorld([broken, policyOf(REJECT)]).decide(["alarm"]).kind, "reject");
});

Deno.test("Act fails for data that is too large, and for results that are no condition", () => {
  const many = { name: "alarm", metadata: { list: Array(101).fill(1) } };
  const world = new ActWorld([
    policyOf(REJECT, { when: "signal.list.size() > 1" }),
    policyOf(LOG, { when: "signal.list" }),
    policyOf(ROUTE, { when: 'user == "bob"' }),
  ], { defaultPolicy: "terminate" });
  deepEqual(world.decide([many]), TERMINATED);
  equal(world.count("reject", "evaluationErrors"), 1);
  world.decide([{ name: "alarm", metadata: { list: [1] } }]);
  equal(world.count("log", "evaluationErrors"), 2);
  // A policy that does not look at the data works.
  equal(world.count("route", "matches"), 2);
});

Deno.test("Act shows conditions the signal, the session, the hook and the policy", () => {
  const metadata = new Map<string, string | number>([["limit", 0.5], ["who", "bob"]]);
  const holds = [
    'signal.score > policy.limit && signal_name == "alarm" && plugin == "guard"',
    'hook == "onQuery" && user == policy.who && database == "shop" && application == "psql"',
    'client_address == "192.0.2.1" && listener == "default" && transaction_status == "idle"',
  ];
  for (const when of holds) {
    const world = new ActWorld([policyOf(REJECT, { when, metadata })]);
    equal(world.decide([{ name: "alarm", metadata: { score: 0.9 } }]).kind, "reject", when);
  }
  // Hooks without a session have nothing to say about one.
  const world = new ActWorld([policyOf(LOG, { when: 'user == "" && client_address == ""' })]);
  const event = eventOf("onTick");
  event.clear(event.hook, undefined);
  world.decide(["alarm"], event);
  equal(world.count("log", "matches"), 1);
});

Deno.test("Act cannot be made with an expression that is wrong", () => {
  throws(() => new ActWorld([policyOf(REJECT, { when: "usr == 1" })]), ExpressionError);
});

Deno.test("Act writes records with what the signal says under names of its own", () => {
  const world = new ActWorld([policyOf({ kind: "log", level: "warn", message: "look" })]);
  const metadata = { score: 0.9, policy: "forged", "a b": true, long: "x".repeat(2_000), o: {} };
  world.decide([{ name: "alarm", metadata }]);
  deepEqual(world.records, [{
    level: "warn",
    message: "look",
    fields: {
      policy: "log",
      plugin: "guard",
      signal: "alarm",
      hook: "onQuery",
      user: "bob",
      database: "shop",
      application: "psql",
      client: "192.0.2.1:50112",
      listener: "default",
      signal_score: 0.9,
      signal_policy: "forged",
      signal_a_b: true,
      signal_long: "x".repeat(1_000),
    },
    timeMs: 1_700_000_000_000,
  }]);
});

Deno.test("Act writes records of the built-in log at the level that the signal names", () => {
  const world = new ActWorld();
  for (const level of ["error", "loud", 3]) {
    world.decide([{ name: "log", metadata: { log: true, level, message: "m" } }]);
  }
  deepEqual(world.records.map((record) => record.level), ["error", "info", "info"]);
  equal(world.records[0]!.fields["signal_message"], "m");
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i]));
  world.decide([{ name: "log", metadata: many }]);
  const names = Object.keys(world.records.at(-1)!.fields).filter((name) => /^signal_/.test(name));
  equal(names.length, 16);
});

Deno.test("Act counts signals by plugin and name, and matches by policy", () => {
  const world = new ActWorld([policyOf(LOG)]);
  world.decide(["alarm", "alarm", "fire"]);
  world.decide([{ name: "bad name\n", metadata: {} }]);
  deepEqual([...world.cells.signals()], [
    { plugin: "other", signal: "other", count: 1 },
    { plugin: "guard", signal: "alarm", count: 2 },
    { plugin: "guard", signal: "fire", count: 1 },
  ]);
  equal(world.count("log", "matches"), 2);
  equal(world.count("(default)", "matches"), 2);
});
