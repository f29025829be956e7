import type { Address, TcpAddress } from "../src/base/address.ts";
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { Config, ServerConfig } from "../src/config/config.ts";

import { LISTENER_CELL } from "../src/observe/counters.ts";
import type { LogRecord } from "../src/observe/log_record.ts";
import type { PluginSpec } from "../src/plugin_host/plugin_spec.ts";
import { ActMemory } from "../src/plugins/act_memory.ts";
import { PluginMemory } from "../src/plugins/plugin_memory.ts";
import { WorkerFleet } from "../src/worker_fleet.ts";
import { CLIENT_DEFAULTS, NO_PLUGINS, POOL_DEFAULTS, SERVER_DEFAULTS } from "./support/configs.ts";
import { sleep } from "./support/net_harness.ts";

/** Patience with the machine, not a measure. */
const PATIENCE_MS = 30_000;

/** Longer than the pause before a replacement is started. */
const RESTART_PAUSE_OVER_MS = 700;

const LISTEN: TcpAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };

const SERVER: ServerConfig = {
  ...SERVER_DEFAULTS,
  address: LISTEN,
  proxies: ["main"],
  clientsMax: 10,
};

/** A fleet of workers that do what `script` says (see support/fleet_worker.ts). */
class Fixture implements Disposable {
  readonly log: LogRecord[] = [];
  readonly failures: Error[] = [];
  readonly fleet: WorkerFleet;
  readonly config: Config;
  readonly #script: string;

  constructor(
    script: string,
    workers: number,
    others: Readonly<Record<string, Address>> = {},
  ) {
    this.#script = script;
    const servers = new Map([[script, SERVER]]);
    for (const [name, address] of Object.entries(others)) servers.set(name, { ...SERVER, address });
    const config: Config = {
      servers,
      clients: new Map([["main", { ...CLIENT_DEFAULTS, address: LISTEN }]]),
      pools: new Map([["main", { ...POOL_DEFAULTS, size: 1, acquireTimeoutMs: 1_000 }]]),
      proxies: new Map(),
      users: new Map(),
      act: { defaultPolicy: "passthrough", actionTimeoutMs: 5_000, policies: [] },
      plugins: NO_PLUGINS,
      loggers: new Map(),
      metrics: { enabled: false, address: LISTEN, path: "/metrics" },
      runtime: {
        workers,
        driver: "deno",
        shutdownTimeoutMs: 1_000,
        serverConnectionsMax: 0,
        controlSocket: "",
      },
    };
    this.config = config;
    this.fleet = new WorkerFleet({
      config,
      driver: "deno",
      logLevel: "info",
      log: { write: (record) => void this.log.push(record) },
      pluginMemory: new PluginMemory(() => {}),
      actMemory: new ActMemory(config.act),
      onFailure: (error) => void this.failures.push(error),
      workerUrl: new URL("./support/fleet_worker.ts", import.meta.url),
    });
  }

  /** As after a change of files: with one more pool, which makes no difference to workers. */
  changedConfig(): Config {
    return { ...this.config, pools: new Map([...this.config.pools, ["other", POOL_DEFAULTS]]) };
  }

  logged(message: string): LogRecord["fields"][] {
    return this.log.filter((record) => record.message === message).map(({ fields }) => fields);
  }

  /** A listener's counter, by worker. */
  counts(cell: keyof typeof LISTENER_CELL): number[] {
    return this.fleet.counters.map((one) => one.listener(this.#script).get(LISTENER_CELL[cell]));
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS;
    while (!condition()) {
      ok(performance.now() < endMs, what);
      await sleep(5);
    }
  }

  [Symbol.dispose](): void {
    this.fleet.stop();
  }
}

Deno.test("WorkerFleet gives every worker the TCP ports as bound, and Unix sockets by turns", async () => {
  using fixture = new Fixture("plain", 2, {
    one: { kind: "unix", path: "/nowhere/one" },
    two: { kind: "unix", path: "/nowhere/two" },
  });
  const bound = await fixture.fleet.start();
  deepEqual([...bound.keys()].sort(), ["one", "plain", "two"]);
  deepEqual(bound.get("plain"), { kind: "tcp", host: "127.0.0.1", port: 7_000 });
  await fixture.until(() => fixture.logged("started").length === 2, "both have started");
  const [first, second] = [{ pools: "main", port: 0 }, { pools: "main", port: 7_000 }];
  deepEqual(fixture.logged("started"), [
    { worker: 0, generation: 0, admissions: "granted,queued", servers: "plain,two", ...first },
    { worker: 1, generation: 0, admissions: "queued,queued", servers: "plain,one", ...second },
  ]);
  equal(fixture.fleet.runningCount, 2);
});

Deno.test("WorkerFleet replaces a worker that dies, and gives away what it held", async () => {
  using fixture = new Fixture("dies1", 2);
  const { connections } = fixture.fleet.serverTable;
  for (const worker of [0, 1]) connections.counter(worker, 0)!.move(undefined, "active");
  await fixture.fleet.start();
  await fixture.until(() => fixture.logged("worker restarted").length === 1, "it is restarted");
  deepEqual([connections.open(0), connections.inUse(0)], [1, 1]); // the other one's
  const [died] = fixture.logged("worker died");
  equal(died?.["worker"], 0);
  ok(String(died?.["error"]).includes("died as told"));
  await fixture.until(() => fixture.logged("turn").length === 1, "the other one's turn has come");
  deepEqual(fixture.logged("turn"), [{ pool: "main", ticket: 1 }]);
  const again = fixture.logged("started").at(-1);
  deepEqual(again, {
    worker: 0,
    generation: 1,
    admissions: "queued,queued",
    servers: "dies1",
    pools: "main",
    port: 7_000,
  });
  deepEqual(fixture.counts("clientsActive"), [1, 1]); // one now, and not one from before
  deepEqual(fixture.counts("clientsAccepted"), [2, 1]); // what was counted stays
  equal(fixture.fleet.runningCount, 2);
  deepEqual(fixture.failures, []);
});

Deno.test("WorkerFleet tells a worker what has changed while it started, and the others once", async () => {
  using fixture = new Fixture("plain", 2);
  const started = fixture.fleet.start();
  const refreshed = fixture.fleet.refresh(fixture.changedConfig());
  await started;
  await refreshed;
  await fixture.fleet.drain();
  // The second worker is started with it, so there is nothing to tell it.
  deepEqual(fixture.logged("refresh"), [{ pools: "main,other" }]);
});

Deno.test("WorkerFleet says which workers cannot use changed files", async () => {
  using fixture = new Fixture("stubborn", 3);
  await fixture.fleet.start();
  await rejects(fixture.fleet.refresh(fixture.changedConfig()), {
    message: "worker 1: it is not to be used; worker 2: it is not to be used",
  });
  equal(fixture.logged("refresh").length, 3);
  equal(fixture.fleet.runningCount, 3);
});

Deno.test("WorkerFleet starts nobody with a change that another worker could not use", async () => {
  using fixture = new Fixture("stubborn-dying", 2);
  await fixture.fleet.start();
  await rejects(fixture.fleet.refresh(fixture.changedConfig()), {
    message: "worker 1: it is not to be used",
  });
  await fixture.until(() => fixture.logged("worker restarted").length === 1, "it is restarted");
  deepEqual(fixture.logged("started").map(({ pools }) => pools), ["main", "main", "main"]);
});

Deno.test("WorkerFleet waits for no worker that has died of a change, and replaces it", async () => {
  using fixture = new Fixture("dying", 2);
  await fixture.fleet.start();
  await fixture.fleet.refresh(fixture.changedConfig());
  await fixture.until(() => fixture.logged("worker restarted").length === 1, "it is restarted");
  deepEqual(fixture.failures, []);
  // Who takes its place is started with the change, and needs not be told.
  deepEqual(fixture.logged("started").at(-1)?.["pools"], "main,other");
  equal(fixture.logged("refresh").length, 2);
});

for (const script of ["failing", "stillborn"]) {
  Deno.test(`WorkerFleet tries again when a replacement cannot start: ${script}`, async () => {
    using fixture = new Fixture(`dies1-${script}2`, 2);
    await fixture.fleet.start();
    await fixture.until(() => fixture.logged("worker restarted").length === 1, "it is restarted");
    equal(fixture.logged("worker died").length, 1);
    const reason = script === "failing" ? "the port is taken" : "died again";
    const failed = fixture.logged("worker cannot be restarted");
    deepEqual(failed.map(({ worker }) => worker), [0, 0]);
    for (const { error } of failed) ok(String(error).includes(reason), String(error));
    const numbers = fixture.logged("started").map(({ worker, generation }) => [worker, generation]);
    deepEqual(numbers, [[0, 0], [1, 0], [0, 3]]);
    equal(fixture.fleet.runningCount, 2);
    deepEqual(fixture.failures, []);
    await fixture.fleet.drain(); // none that could not start is waited for
    equal(fixture.fleet.runningCount, 0);
  });

  Deno.test(`WorkerFleet is drained while no replacement can start: ${script}`, async () => {
    using fixture = new Fixture(`dies1-${script}9`, 2);
    await fixture.fleet.start();
    const hasFailed = () => fixture.logged("worker cannot be restarted").length > 0;
    await fixture.until(hasFailed, "a replacement fails");
    await fixture.fleet.drain();
    equal(fixture.fleet.runningCount, 0);
    const failed = fixture.logged("worker cannot be restarted").length;
    await sleep(RESTART_PAUSE_OVER_MS);
    equal(
      fixture.logged("worker cannot be restarted").length,
      failed,
      "nobody is started any more",
    );
    deepEqual(fixture.failures, []);
  });

  Deno.test(`WorkerFleet gives up when no replacement can start: ${script}`, async () => {
    using fixture = new Fixture(`dies1-${script}9`, 2);
    await fixture.fleet.start();
    await fixture.until(() => fixture.failures.length > 0, "it gives up");
    equal(fixture.logged("worker cannot be restarted").length, 5);
    ok(/at most 5 may die within 60 s/.test(fixture.failures[0]!.message));
    equal(fixture.fleet.runningCount, 1);
  });
}

Deno.test("WorkerFleet starts nobody anew once it is stopped", async () => {
  using fixture = new Fixture("dies1", 2);
  await fixture.fleet.start();
  await fixture.until(() => fixture.logged("worker died").length === 1, "it dies");
  fixture.fleet.stop();
  await sleep(RESTART_PAUSE_OVER_MS);
  equal(fixture.logged("started").length, 2);
});

Deno.test("WorkerFleet gives up when workers die faster than they can be replaced", async () => {
  using many = new Fixture("dies1000", 2);
  await many.fleet.start();
  await many.until(() => many.failures.length > 0, "it gives up");
  ok(/at most 5 may die within 60 s/.test(many.failures[0]!.message), many.failures[0]!.message);
  ok(many.failures[0]!.message.includes("died as told"));
  // The word of a death may overtake the word that the worker listens.
  const failed = many.logged("worker cannot be restarted").length;
  equal(many.logged("worker died").length + failed, 6);
  equal(many.logged("worker restarted").length + failed, 5);
  deepEqual(many.counts("clientsActive"), [0, 1]);
  equal(many.fleet.runningCount, 1);
  equal(many.failures.length, 1);
});

Deno.test("WorkerFleet does not start when a worker cannot listen, or dies before", async () => {
  using refused = new Fixture("refuse", 2);
  await rejects(refused.fleet.start(), /the port is taken/);
  using early = new Fixture("early", 2);
  await rejects(early.fleet.start(), /died early/);
  deepEqual(early.failures, []);
});

Deno.test("WorkerFleet is drained when every worker is, and terminates those that are not", async () => {
  using fixture = new Fixture("plain", 2);
  await fixture.fleet.start();
  await fixture.fleet.drain();
  equal(fixture.logged("drain").length, 2);
  equal(fixture.fleet.runningCount, 0);
  using silent = new Fixture("silent", 2);
  await silent.fleet.start();
  const drained = silent.fleet.drain();
  await silent.until(() => silent.logged("drain").length === 2, "both are told");
  equal(silent.fleet.runningCount, 2);
  silent.fleet.terminate();
  await drained;
  equal(silent.logged("terminate").length, 2);
});

Deno.test("WorkerFleet replaces nobody while it drains", async () => {
  using fixture = new Fixture("fragile", 2);
  await fixture.fleet.start();
  await fixture.fleet.drain();
  equal(fixture.logged("worker died").length, 1);
  equal(fixture.logged("started").length, 2);
  equal(fixture.fleet.runningCount, 0);
  deepEqual(fixture.counts("clientsActive"), [0, 1]); // the other one counts for itself
});

/** What a fleet is told of a plugin, as far as workers of tests look at it. */
function pluginNamed(name: string, generation = 1): PluginSpec {
  return {
    name,
    version: "",
    sha256: "",
    generation,
    priority: 100,
    module: new Uint8Array(),
    abi: "direct",
    hooks: [],
    clientMessageTypes: new Uint8Array(256),
    serverMessageTypes: new Uint8Array(256),
    permissions: [],
    hosts: [],
    configuration: "{}",
    onFailure: "open",
    fuelPerCall: 1,
    memoryMax: 65_536,
    outputMax: 1,
    failuresMax: 0,
    failureWindowMs: 1,
    store: undefined,
  };
}

Deno.test("WorkerFleet has all workers use plugins once all of them are ready", async () => {
  using fixture = new Fixture("plain", 2);
  await fixture.fleet.publishPlugins([pluginNamed("early")]);
  await fixture.fleet.start();
  await fixture.until(() => fixture.logged("has plugins").length === 2, "both start with it");
  deepEqual(fixture.logged("has plugins"), [{ names: "early" }, { names: "early" }]);
  await fixture.fleet.publishPlugins([pluginNamed("early"), pluginNamed("late")]);
  deepEqual(fixture.logged("plugins"), [{ names: "early,late" }, { names: "early,late" }]);
  equal(fixture.logged("use_plugins").length, 2, "both use them");
  deepEqual(fixture.logged("drop_plugins"), []);
});

Deno.test("WorkerFleet waits for no worker that has died of its plugins", async () => {
  using fixture = new Fixture("dying", 2);
  await fixture.fleet.start();
  await fixture.fleet.publishPlugins([pluginNamed("deadly")]);
  equal(fixture.logged("use_plugins").length, 1, "worker 1 uses it");
  await fixture.until(() => fixture.logged("has plugins").length === 1, "worker 0 is replaced");
});

Deno.test("WorkerFleet has no worker use plugins that one cannot", async () => {
  using fixture = new Fixture("stubborn", 2);
  await fixture.fleet.start();
  await rejects(fixture.fleet.publishPlugins([pluginNamed("bad")]), {
    message: "worker 1: it does not start",
  });
  // Worker 1 has nothing to drop.
  await fixture.until(() => fixture.logged("drop_plugins").length === 1, "worker 0 drops them");
  deepEqual(fixture.logged("use_plugins"), []);
});

Deno.test("WorkerFleet starts a worker in a dead one's place with what the others use", async () => {
  using fixture = new Fixture("dies1", 2);
  await fixture.fleet.publishPlugins([pluginNamed("kept")]);
  await fixture.fleet.start();
  await fixture.until(() => fixture.logged("worker restarted").length === 1, "it is replaced");
  deepEqual(fixture.logged("has plugins"), [
    { names: "kept" },
    { names: "kept" },
    { names: "kept" },
  ]);
});
