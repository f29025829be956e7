import { deepEqual, equal, throws } from "node:assert/strict";
import type { Address } from "../../src/base/address.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { HealthControl } from "../../src/health/health_control.ts";
import type { ClientConfig } from "../../src/config/config.ts";
import type { PatroniFetch } from "../../src/health/patroni.ts";
import type { LogRecord } from "../../src/observe/log_record.ts";
import { membersOf } from "../../src/upstream/members.ts";
import { HEALTH, ServerTable, serverTableBuffer } from "../../src/upstream/server_table.ts";
import { CLIENT_DEFAULTS } from "../support/configs.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryNetwork } from "../support/memory_driver.ts";

const [A, B, C] = ["a", "b", "c"].map((host): Address => ({ kind: "tcp", host, port: 5432 }));

function client(address: Address, others: readonly Address[], check: "off" | "connect") {
  const { group } = CLIENT_DEFAULTS;
  const health = { ...group.health, check, intervalMs: 1_000, timeoutMs: 400 };
  return { ...CLIENT_DEFAULTS, address, others, group: { ...group, health } };
}

/** Two servers of `main` that are checked, and one of `other` that is not. */
class Scene {
  readonly clock = new FakeClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly records: LogRecord[] = [];
  readonly table: ServerTable;
  readonly control: HealthControl;

  constructor(main: Partial<ClientConfig["group"]> = {}, fetch?: PatroniFetch) {
    const one = client(A!, [B!], "connect");
    const clients = new Map([
      ["main", { ...one, group: { ...one.group, ...main } }],
      ["other", client(C!, [], "off")],
    ]);
    const count = [...membersOf(clients).values()].flat().length;
    this.table = new ServerTable(serverTableBuffer(count, 2), count, 2);
    this.control = new HealthControl({
      config: { clients },
      table: this.table,
      log: { write: (record) => void this.records.push(record) },
      clock: this.clock,
      wallClockMs: () => 5_000,
      driver: this.network.driver(),
      ...(fetch === undefined ? {} : { fetch }),
    });
  }

  /** Moves time, and answers whoever has connected. */
  async pass(ms: number): Promise<void> {
    await this.clock.pass(ms, async () => {
      await this.network.settle();
      for (const address of [A!, B!]) {
        for (const peer of this.network.accepted(address).splice(0)) peer.write(utf8("N"));
      }
      await this.network.settle();
    });
  }

  get health(): readonly string[] {
    return this.control.readings().servers.map(({ server, health }) => `${server} ${health}`);
  }

  get said(): readonly string[] {
    return this.records.map(({ level, message }) => `${level} ${message}`);
  }
}

Deno.test("HealthControl checks servers that are to be checked, and no others", async () => {
  const scene = new Scene();
  scene.network.answer(A!, "accept");
  scene.control.start();
  await scene.pass(0);
  deepEqual(scene.health, ["a:5432 up", "b:5432 down", "c:5432 unknown"]);
  deepEqual(scene.said, ["info server is up", "error server is down"]);
  deepEqual(scene.records[1]!.fields, {
    client: "main",
    server: "b:5432",
    reason: "refused",
    error: "Cannot connect to b:5432: connection refused",
  });
  await scene.pass(2_500);
  const [a, b, c] = scene.control.readings().servers;
  deepEqual([a!.checks.get("alive"), b!.checks.get("refused"), c!.checks.size], [3, 3, 0]);
  await scene.control.stop();
  await scene.network.settle();
  equal(scene.clock.pending, 0);
  equal(scene.network.sockets.length, 0);
});

Deno.test("HealthControl lets a server that hangs delay no other one", async () => {
  const scene = new Scene();
  scene.network.answer(A!, "hang");
  scene.network.answer(B!, "accept");
  scene.control.start();
  let isComplete: boolean | undefined;
  void scene.control.waitForFirstRound(5_000).then((complete) => isComplete = complete);
  await scene.pass(399);
  deepEqual(scene.health.slice(0, 2), ["a:5432 unknown", "b:5432 up"]);
  equal(isComplete, undefined);
  await scene.pass(1);
  equal(isComplete, true);
  await scene.pass(2_000);
  equal(scene.control.readings().servers[1]!.checks.get("alive"), 3);
  await scene.control.stop();
  await scene.pass(1_000);
  equal(scene.clock.pending, 0);
});

Deno.test("HealthControl.waitForFirstRound gives up in time, or when all is over", async () => {
  const scene = new Scene();
  scene.network.answer(A!, "hang");
  scene.control.start();
  const results: boolean[] = [];
  void scene.control.waitForFirstRound(100).then((isComplete) => results.push(isComplete));
  void scene.control.waitForFirstRound(300).then((isComplete) => results.push(isComplete));
  await scene.pass(100);
  deepEqual(results, [false]);
  await scene.control.stop();
  await scene.pass(0);
  deepEqual(results, [false, false]);
  await scene.pass(1_000);
  equal(scene.clock.pending, 0);
});

Deno.test("HealthControl checks at once what a worker could not use, ten times a second", async () => {
  const scene = new Scene();
  scene.network.answer(A!, "accept");
  scene.network.answer(B!, "accept");
  scene.control.start();
  await scene.pass(500);
  scene.network.answer(B!, "refuse");
  scene.table.countFailure(1);
  scene.control.onFailureReported(1);
  await scene.pass(0);
  equal(scene.table.health(1), HEALTH.down);
  for (let i = 0; i < 100; i++) {
    scene.control.onFailureReported(1);
    await scene.pass(10);
  }
  const checks = scene.control.readings().servers[1]!.checks.get("refused")!;
  equal(checks, 11);
  scene.control.onFailureReported(99); // of nobody
  scene.control.onFailureReported(2); // of somebody who is not checked
  await scene.control.stop();
});

Deno.test("HealthControl does what an operator says, to one server or to all of a client", async () => {
  const scene = new Scene();
  const { control, table } = scene;
  const flags = () =>
    control.readings().servers.map(({ flags }) =>
      Object.entries(flags).filter(([, isSet]) => isSet).map(([flag]) => flag).join()
    );
  control.disable("main@b:5432");
  control.drain("other");
  deepEqual(flags(), ["", "disabled", "draining"]);
  control.drain("main");
  deepEqual(flags(), ["draining", "draining", "draining"]);
  control.enable("main");
  control.enable("other@c:5432");
  deepEqual(flags(), ["", "", ""]);
  const { changes } = table;
  control.pause("other");
  deepEqual([table.isPaused(0), table.isPaused(1)], [false, true]);
  control.resume("other");
  deepEqual([table.isPaused(0), table.isPaused(1)], [false, false]);
  equal(table.changes > changes, true);
  for (const verb of ["disable", "drain", "enable", "pause", "resume"] as const) {
    throws(() => control[verb]("nobody"), RangeError);
  }
  throws(() => control.pause("main@b:5432"), RangeError);
  equal(scene.said.at(-1), "info client resumed");
  await control.stop();
});

Deno.test("HealthControl takes roles from Patroni, and changes of the primary into its count", async () => {
  let leader = "a";
  const member = (host: string) => ({
    host,
    port: 5432,
    state: "running",
    timeline: 1,
    role: host === leader ? "leader" : "replica",
  });
  const scene = new Scene({ patroni: ["http://p:8008"] }, (url) => {
    equal(url, "http://p:8008/cluster");
    return Promise.resolve(Response.json({ members: [member("a"), member("b")] }));
  });
  const { control } = scene;
  scene.network.answer(A!, "accept");
  scene.network.answer(B!, "accept");
  control.start();
  await scene.pass(0);
  const shown = () => control.readings().servers.map(({ role, health }) => `${role} ${health}`);
  deepEqual(shown(), ["primary up", "replica up", "unknown unknown"]);
  leader = "b";
  await scene.pass(1_000);
  deepEqual(shown(), ["replica up", "primary up", "unknown unknown"]);
  equal(control.readings().primaryChanges.get("main"), 1);
  await control.stop();
});

Deno.test("HealthControl asks often who is the primary while it is lost, but not for ever", async () => {
  let leader = "a";
  let asked = 0;
  const member = (host: string) => ({
    host,
    port: 5432,
    state: "running",
    timeline: 1,
    role: host === leader ? "leader" : "replica",
  });
  const scene = new Scene({ patroni: ["http://p:8008"] }, () => {
    asked += 1;
    return Promise.resolve(Response.json({ members: [member("a"), member("b")] }));
  });
  scene.network.answer(A!, "accept");
  scene.network.answer(B!, "accept");
  scene.control.start();
  await scene.pass(10_500);
  equal(asked, 11);
  scene.network.answer(A!, "refuse");
  await scene.pass(1_000);
  asked = 0;
  await scene.pass(10_000);
  equal(asked, 50);
  await scene.pass(60_000);
  asked = 0;
  await scene.pass(10_000);
  equal(asked, 10);
  leader = "b";
  await scene.pass(1_000);
  asked = 0;
  await scene.pass(10_000);
  equal(asked, 10);
  await scene.control.stop();
});
