/**
 * Each need against each state of a server, as tables of cases.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import type { Candidate, Strategy } from "../../src/upstream/balancer/strategy.ts";
import { membersOf } from "../../src/upstream/members.ts";
import {
  ANY_NEED,
  type Need,
  Router,
  type ServerRoute,
  type Shares,
  type WantedRole,
} from "../../src/upstream/router.ts";
import { ServerLoad } from "../../src/upstream/server_loads.ts";
import { type ServerTable, serverTableFor } from "../../src/upstream/server_table.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type Said, say } from "../support/said.ts";

/** Takes candidates as they come, and remembers them. */
class Listed implements Strategy {
  seen: readonly Candidate[] = [];

  order(candidates: readonly Candidate[]): readonly number[] {
    this.seen = candidates;
    return candidates.map((_, index) => index);
  }
}

/** Servers of one proxy each: of the group `a` those of `a` and `b`, and one of the group `c`. */
class Scene {
  readonly clock = new FakeClock();
  readonly table: ServerTable;
  readonly strategy = new Listed();
  readonly shareStrategy = new Listed();
  readonly router: Router;
  readonly routes: readonly ServerRoute[];

  /** @param states Of the servers of one group; one more of another group is always down. */
  constructor(states: readonly Said[], options: Partial<ServerRoute> = {}) {
    const address = (port: number) => ({ kind: "tcp", host: "10.0.0.1", port }) as const;
    const others = states.slice(1).map((_, index) => address(index + 2));
    const groups = new Map([["a", { address: address(1), others }]]);
    this.table = serverTableFor(groups, 1);
    for (const [member, state] of states.entries()) say(this.table, member, state);
    this.routes = membersOf(groups).get("a")!.map((member) => ({
      proxy: "p",
      member,
      load: new ServerLoad(this.clock),
      weight: 1,
      slowStartMs: 0,
      triesAll: true,
      ...options,
    }));
    this.router = new Router(this.table, this.strategy, this.shareStrategy, () => 1_000_000);
  }

  order(need: Partial<Need>, shares?: Shares): readonly number[] {
    return this.router.order(this.routes, { ...ANY_NEED, ...need }, shares, "");
  }
}

const ROLES = ["any", "primary", "replica", "prefer-replica"] as const;

/** Who serves each role, in the order of {@linkcode ROLES}. */
function served(scene: Scene): (readonly number[])[] {
  return ROLES.map((role) => scene.order({ role }));
}

const primary: Said = { role: "primary" };
const replica: Said = { role: "replica" };
const unknown: Said = { role: "unknown", health: "unknown" };
const down = (said: Said): Said => ({ ...said, health: "down" });
const flagged = (said: Said, ...flags: NonNullable<Said["flags"]>): Said => ({ ...said, flags });

Deno.test("Router finds who can serve a role in each state of a group", () => {
  const cases: readonly (readonly [string, readonly Said[], ...(readonly number[])[]])[] = [
    // What it is, the servers, and who serves any, primary, replica and prefer-replica.
    ["all up", [primary, replica, replica], [0, 1, 2], [0], [1, 2], [1, 2]],
    ["nobody checked", [unknown, unknown], [0, 1], [], [], []],
    ["only a primary", [primary], [0], [0], [], [0]],
    ["only replicas", [replica, replica], [0, 1], [], [0, 1], [0, 1]],
    ["a role that is not known", [{ role: "unknown" }, replica], [0, 1], [], [1], [1]],
    ["a replica down", [primary, down(replica), replica], [0, 2], [0], [2], [2]],
    ["all replicas down", [primary, down(replica)], [0], [0], [], [0]],
    ["the primary down", [down(primary), replica], [1], [], [1], [1]],
    ["disabled", [primary, flagged(replica, "disabled")], [0], [0], [], [0]],
    ["draining", [primary, flagged(replica, "draining")], [0], [0], [], [0]],
    ["lagging", [primary, flagged(replica, "lagging")], [0], [0], [], [0]],
    ["a primary lags never", [flagged(primary, "lagging")], [0], [0], [], [0]],
    ["fenced", [flagged(primary, "fenced"), primary], [1], [1], [], [1]],
    ["all away", [flagged(primary, "disabled"), flagged(replica, "fenced")], [], [], [], []],
    ["all down", [down(primary), down(replica)], [0, 1], [0], [1], [1]],
    ["all down or away", [down(primary), down(flagged(replica, "disabled"))], [0], [0], [], [0]],
  ];
  for (const [what, states, ...expected] of cases) {
    deepEqual(served(new Scene(states)), expected, what);
  }
});

Deno.test("Router serves nobody when all are down and panic is refuse", () => {
  const scene = new Scene([down(primary), down(replica)], { triesAll: false });
  deepEqual(served(scene), [[], [], [], []]);
  say(scene.table, 1, replica);
  deepEqual(served(scene), [[1], [], [1], [1]]);
});

Deno.test("Router serves nobody of a group that is paused", () => {
  const scene = new Scene([primary, replica]);
  scene.table.setPaused(0, true);
  deepEqual(served(scene), [[], [], [], []]);
  equal(scene.router.isUsable(scene.routes[0]!, ANY_NEED), false);
  scene.table.setPaused(0, false);
  deepEqual(served(scene), [[0, 1], [0], [1], [1]]);
});

Deno.test("Router leaves out who could not be reached, as long as there is another", async () => {
  const scene = new Scene([primary, replica, replica]);
  scene.routes[1]!.load.onUnreachable();
  deepEqual(served(scene), [[0, 2], [0], [2], [2]]);
  scene.routes[2]!.load.onUnreachable();
  deepEqual(served(scene), [[0], [0], [], [0]], "who is checked is waited for");
  await scene.clock.pass(999);
  deepEqual(scene.order({ role: "replica" }), []);
  await scene.clock.pass(1);
  deepEqual(scene.order({ role: "replica" }), [1, 2]);
  scene.routes[1]!.load.onUnreachable();
  scene.routes[1]!.load.clear();
  deepEqual(scene.order({ role: "replica" }), [1, 2]);
});

Deno.test("Router tries those again that nobody checks, though they could not be reached", () => {
  const scene = new Scene([unknown, unknown]);
  scene.routes[0]!.load.onUnreachable();
  deepEqual(scene.order({}), [1]);
  scene.routes[1]!.load.onUnreachable();
  deepEqual(scene.order({}), [0, 1]);
});

Deno.test("Router does not try who could not be reached when all are down", () => {
  const scene = new Scene([down(primary), down(replica)]);
  scene.routes[0]!.load.onUnreachable();
  deepEqual(served(scene), [[1], [], [1], [1]]);
});

Deno.test("Router serves nobody from a replica that has not got what was written", () => {
  const scene = new Scene([primary, replica, replica]);
  for (let round = 1; round <= 5; round++) scene.table.beginRound();
  scene.table.setCaughtUp(1, 4);
  scene.table.setCaughtUp(2, 5);
  const byRound = [-1, 0, 3, 4, 5].map((writtenRound) =>
    scene.order({ role: "prefer-replica", writtenRound })
  );
  deepEqual(byRound, [[1, 2], [1, 2], [1, 2], [2], [0]]);
  deepEqual(scene.order({ role: "any", writtenRound: 5 }), [0]);
  deepEqual(scene.order({ role: "replica", writtenRound: 5 }), []);
  const isUsable = (index: number, role: WantedRole, writtenRound: number) =>
    scene.router.isUsable(scene.routes[index]!, { ...ANY_NEED, role, writtenRound });
  deepEqual([3, 4].map((round) => isUsable(1, "prefer-replica", round)), [true, false]);
  equal(isUsable(0, "prefer-replica", 9), true);
});

Deno.test("Router keeps a server only as long as it is what is needed", () => {
  const cases: readonly (readonly [Said, ...boolean[]])[] = [
    [primary, true, true, false, true],
    [replica, true, false, true, true],
    [unknown, true, false, false, true],
    [down(primary), false, false, false, false],
    [flagged(primary, "fenced"), false, false, false, false],
    [flagged(replica, "lagging"), false, false, false, false],
  ];
  for (const [state, ...expected] of cases) {
    const { router, routes } = new Scene([state]);
    const found = ROLES.map((role) => router.isUsable(routes[0]!, { ...ANY_NEED, role }));
    deepEqual(found, expected, JSON.stringify(state));
  }
});

Deno.test("Router names others for one that is kept, and asks no strategy", () => {
  const scene = new Scene([primary, replica, replica, down(replica)]);
  scene.routes[2]!.load.onUnreachable();
  const others = (kept: number, need: Partial<Need>, shares?: Shares) =>
    scene.router.others(scene.routes, kept, { ...ANY_NEED, ...need }, shares);
  deepEqual(others(0, {}), [1]);
  deepEqual(others(1, { role: "primary" }), [0]);
  deepEqual(others(1, { proxy: "q" }), []);
  deepEqual(others(1, {}, new Map([["q", 1]])), []);
  deepEqual(scene.strategy.seen, []);
});

Deno.test("Router gives a server that came back less, growing from a tenth to all", () => {
  const cases = [
    [1_000_000, 0.2],
    [999_500, 0.2],
    [995_000, 1],
    [992_500, 1.5],
    [990_000, 2],
    [0, 2],
    [1_005_000, 0.2], // another machine's clock
  ] as const;
  for (const [upSinceMs, weight] of cases) {
    const scene = new Scene([{ ...primary, upSinceMs }, replica], {
      weight: 2,
      slowStartMs: 10_000,
    });
    scene.order({});
    deepEqual(scene.strategy.seen.map((one) => one.weight), [weight, 2], `${upSinceMs}`);
  }
});

Deno.test("Router tells the strategy what the worker knows of servers", () => {
  const scene = new Scene([primary, replica]);
  scene.routes[1]!.load.users.add({ place: 0, onServerUnusable() {} });
  scene.routes[1]!.load.onAnswered(20);
  scene.order({});
  const seen = scene.strategy.seen.map(({ name, connections }) => [name, connections]);
  deepEqual(seen, [["p/a@10.0.0.1:1", 0], ["p/a@10.0.0.1:2", 1]]);
  equal(scene.strategy.seen[0]!.latencyMs, 0);
  equal(scene.strategy.seen[1]!.latencyMs > 0, true);
});

/** The same servers by two more proxies. */
function withProxies(scene: Scene): readonly ServerRoute[] {
  return ["p", "q", "r"].flatMap((proxy) => scene.routes.map((route) => ({ ...route, proxy })));
}

Deno.test("Router serves a session by those proxies that have a share in it", () => {
  const scene = new Scene([primary, replica]);
  const routes = withProxies(scene);
  const order = (need: Partial<Need>, shares?: Shares) =>
    scene.router.order(routes, { ...ANY_NEED, ...need }, shares, "");
  deepEqual(order({}), [0, 1, 2, 3, 4, 5]);
  deepEqual(order({ proxy: "q" }), [2, 3]);
  deepEqual(order({ proxy: "nobody" }), []);
  deepEqual(order({}, new Map([["r", 1]])), [4, 5]);
  deepEqual(order({ role: "replica" }, new Map([["r", 1], ["q", 5]])), [3, 5]);
  const seen = scene.shareStrategy.seen.map(({ name, weight }) => [name, weight]);
  deepEqual(seen, [["q", 5], ["r", 1]]);
  deepEqual(order({ proxy: "p" }, new Map([["r", 1], ["q", 5]])), [0, 1], "as a hint says");
  deepEqual(order({}, new Map()), []);
});
