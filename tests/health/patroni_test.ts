import { deepEqual, equal } from "node:assert/strict";
import { HELD_MS, PatroniSource } from "../../src/health/patroni.ts";
import type { ManagedState } from "../../src/upstream/health/group_health.ts";
import { type Member, membersOf } from "../../src/upstream/members.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { eventually } from "../support/wait.ts";

/** As Patroni's documentation shows an answer, with more of a member than is used. */
const CLUSTER = {
  members: [
    {
      name: "patroni1",
      role: "leader",
      state: "running",
      api_url: "http://10.0.0.1:8008/patroni",
      host: "10.0.0.1",
      port: 5432,
      timeline: 5,
      tags: { clonefrom: true },
    },
    {
      name: "patroni2",
      role: "sync_standby",
      state: "streaming",
      api_url: "http://10.0.0.2:8008/patroni",
      host: "10.0.0.2",
      port: 5433,
      timeline: 5,
      lag: 16,
    },
    { name: "patroni3", role: "replica", state: "stopped", host: "10.0.0.3", port: 5432 },
  ],
  scope: "demo",
};

const MEMBERS = membersOf(
  new Map([["main", {
    address: { kind: "tcp", host: "10.0.0.1", port: 5432 },
    others: [
      { kind: "tcp", host: "10.0.0.2", port: 5433 },
      { kind: "tcp", host: "10.0.0.3", port: 5432 },
    ],
  }]]),
).get("main")!;

/** What a server answers, or does, for `GET /cluster`. */
type Answer = () => Response | Promise<Response>;

/** Some Patronis on 127.0.0.1, and what a source makes of them. */
class Scene implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly events: string[] = [];
  readonly requests: string[] = [];
  answers: Answer[];
  rounds = 0;
  states: ReadonlyMap<Member, ManagedState> | undefined;
  readonly source: PatroniSource;
  readonly #servers: Deno.HttpServer<Deno.NetAddr>[];

  constructor(...answers: Answer[]) {
    this.answers = answers;
    this.#servers = answers.map((_, index) =>
      Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
        this.requests.push(`${index} ${request.method} ${new URL(request.url).pathname}`);
        return this.answers[index]!();
      })
    );
    this.source = new PatroniSource({
      urls: this.#servers.map(({ addr }) => `http://127.0.0.1:${addr.port}`),
      intervalMs: () => 1_000,
      timeoutMs: 300,
      members: MEMBERS,
      clock: this.clock,
      fetch: (url, init) => fetch(url, init),
      onStates: (states) => {
        this.states = states;
        this.events.push(states === undefined ? "no states" : "states");
      },
      onUnknownLeader: (address) => this.events.push(`unknown leader ${address}`),
      onSilent: (_, heldMs) => this.events.push(`silent, held ${heldMs}`),
      onForgotten: () => this.events.push("forgotten"),
      onBack: () => this.events.push("back"),
      onRound: () => void (this.rounds += 1),
    });
    this.source.start();
  }

  /** One more round, `afterMs` from now. */
  async round(afterMs = 1_000): Promise<void> {
    const before = this.rounds;
    await this.clock.pass(afterMs);
    await eventually("a round is over", () => this.rounds > before);
  }

  /** Each member's, by its port and host. */
  get all(): readonly (ManagedState | undefined)[] {
    return MEMBERS.map((member) => this.states?.get(member));
  }

  takeEvents(): readonly string[] {
    return this.events.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.source.stop();
    await Promise.all(this.#servers.map((server) => server.shutdown()));
  }
}

const answers = (cluster: unknown): Answer => () => Response.json(cluster);
const fails: Answer = () => new Response("", { status: 503 });

Deno.test("PatroniSource reads who is what, and how far behind", async () => {
  await using scene = new Scene(answers(CLUSTER));
  equal(scene.source.hasBegun, false);
  await scene.round(0);
  equal(scene.source.hasBegun, true);
  deepEqual(scene.requests, ["0 GET /cluster"]);
  deepEqual(scene.all, [
    { isLeader: true, timeline: 5, lagSize: 0 },
    { isLeader: false, timeline: 5, lagSize: 16 },
    undefined,
  ]);
});

Deno.test("PatroniSource knows no primary in a standby cluster, and none while there is no leader", async () => {
  const [first, second] = CLUSTER.members;
  const standby = [{ ...first, role: "standby_leader" }, { ...second, lag: "unknown" }];
  await using scene = new Scene(answers({ members: standby }));
  await scene.round(0);
  deepEqual(scene.all.slice(0, 2), [
    { isLeader: false, timeline: 5, lagSize: undefined },
    { isLeader: false, timeline: 5, lagSize: undefined },
  ]);
  scene.answers = [answers({ members: [{ ...first, role: "replica" }] })];
  await scene.round();
  equal(scene.all[0]!.isLeader, false);
});

Deno.test("PatroniSource asks one address after the other, first the one that answered", async () => {
  await using scene = new Scene(fails, answers(CLUSTER), answers(CLUSTER));
  await scene.round(0);
  await scene.round();
  deepEqual(scene.requests, ["0 GET /cluster", "1 GET /cluster", "1 GET /cluster"]);
  deepEqual(scene.takeEvents(), ["states", "states"]);
});

Deno.test("PatroniSource lets the last answer hold for a while when no more comes", async () => {
  await using scene = new Scene(answers(CLUSTER));
  await scene.round(0);
  scene.answers = [fails];
  await scene.round();
  await scene.round();
  deepEqual(scene.takeEvents(), ["states", `silent, held ${HELD_MS - 1_000}`]);
  while (scene.clock.nowMs() < HELD_MS) await scene.round();
  await scene.round();
  deepEqual(scene.takeEvents(), ["forgotten", "no states"]);
  scene.answers = [answers(CLUSTER)];
  await scene.round();
  deepEqual(scene.takeEvents(), ["back", "states"]);
});

Deno.test("PatroniSource says nothing of roles when it has never heard of any", async () => {
  await using scene = new Scene(fails);
  await scene.round(0);
  await scene.round();
  deepEqual(scene.takeEvents(), ["silent, held 0", "no states"]);
});

Deno.test("PatroniSource survives answers that are none", async () => {
  const huge = answers({ ...CLUSTER, scope: "x".repeat(2_000_000) });
  const redirect = () => new Response("", { status: 302, headers: { location: "/cluster" } });
  const wrong: readonly Answer[] = [
    () => new Response("hello"),
    answers(null),
    answers([]),
    answers({ members: {} }),
    huge,
    redirect,
  ];
  for (const answer of wrong) {
    await using scene = new Scene(answer);
    await scene.round(0);
    deepEqual(scene.takeEvents(), ["silent, held 0", "no states"], String(answer));
  }
  await using scene = new Scene(answers({ members: [null, 1, "x", {}, ...CLUSTER.members] }));
  await scene.round(0);
  equal(scene.all[0]!.isLeader, true);
});

Deno.test("PatroniSource does not wait for an address that hangs", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using scene = new Scene(() => promise, answers(CLUSTER));
  await scene.clock.pass(0);
  await eventually("it is asked", () => scene.requests.length > 0);
  await scene.round(300);
  deepEqual(scene.takeEvents(), ["states"]);
  resolve(new Response(""));
});

Deno.test("PatroniSource says once that the leader is nobody of ours", async () => {
  const leader = { ...CLUSTER.members[0], host: "10.9.9.9" };
  await using scene = new Scene(answers({ members: [leader] }));
  await scene.round(0);
  await scene.round();
  deepEqual(scene.takeEvents(), ["unknown leader 10.9.9.9:5432", "states", "states"]);
  equal(scene.states!.size, 0);
});
