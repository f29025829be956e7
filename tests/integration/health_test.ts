/**
 * Real servers that replicate, lag, fail and come back, and what the control plane makes of them.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { HealthControl } from "../../src/health/health_control.ts";
import type { ClientConfig } from "../../src/config/config.ts";
import { openSsl } from "../../src/net/tls/openssl.ts";
import type { LogRecord } from "../../src/observe/log_record.ts";
import { membersOf } from "../../src/upstream/members.ts";
import { ServerTable, serverTableBuffer } from "../../src/upstream/server_table.ts";
import { Certificates } from "../support/certificates.ts";
import { CLIENT_DEFAULTS } from "../support/configs.ts";
import { TEST_PASSWORD } from "../support/postgres.ts";
import { type Cluster, testOnCluster } from "../support/replication.ts";
import { eventually } from "../support/wait.ts";

openSsl(); // a test that loads it and leaves it there is taken for one that leaks

/** Health of one cluster, checked often. */
class Watch implements AsyncDisposable {
  readonly control: HealthControl;
  readonly table: ServerTable;
  readonly records: LogRecord[] = [];
  readonly #cluster: Cluster;
  readonly #group: Partial<ClientConfig["group"]>;
  readonly #client: Partial<ClientConfig>;

  constructor(
    cluster: Cluster,
    group: Partial<ClientConfig["group"]> = {},
    health: Partial<ClientConfig["group"]["health"]> = {},
    client: Partial<ClientConfig> = {},
  ) {
    this.#cluster = cluster;
    this.#group = group;
    this.#client = client;
    const clients = this.clients(health);
    const count = membersOf(clients).get("main")!.length;
    this.table = new ServerTable(serverTableBuffer(count, 1), count, 1);
    this.control = new HealthControl({
      config: { clients },
      table: this.table,
      log: { write: (record) => void this.records.push(record) },
    });
    this.control.start();
  }

  /** The configuration. */
  clients(health: Partial<ClientConfig["group"]["health"]>): Map<string, ClientConfig> {
    const [address, ...others] = this.#cluster.members.map(({ gatewayAddress }) => {
      const [host, port] = gatewayAddress.split(":");
      return { kind: "tcp" as const, host: host!, port: Number(port) };
    });
    const defaults = CLIENT_DEFAULTS.group;
    const client: ClientConfig = {
      ...CLIENT_DEFAULTS,
      address: address!,
      others,
      user: "postgres",
      password: TEST_PASSWORD,
      ...this.#client,
      group: {
        ...defaults,
        ...this.#group,
        health: {
          ...defaults.health,
          check: "query",
          intervalMs: 100,
          timeoutMs: 2_000,
          rise: 1,
          ...health,
        },
      },
    };
    return new Map([["main", client]]);
  }

  /** What is known of each server, such as "primary up fenced". */
  get all(): readonly string[] {
    return this.control.readings().servers.map(({ role, health, flags }) => {
      const set = Object.entries(flags).filter(([, isSet]) => isSet).map(([flag]) => flag);
      return [role, health, ...set].join(" ");
    });
  }

  async until(expected: readonly string[]): Promise<void> {
    try {
      await eventually(expected.join(), () => this.all.join() === expected.join());
    } catch {
      deepEqual(this.all, expected);
    }
  }

  messages(text: string): readonly LogRecord[] {
    return this.records.filter(({ message }) => message === text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.control.stop();
  }
}

await testOnCluster("HealthControl on a cluster", { replicas: 2 }, async (cluster, test) => {
  const [a, b, c] = cluster.members;
  await using watch = new Watch(cluster, { lagMaxMs: 500, lagSizeMax: 100_000 });

  await test.step("finds who is what before anybody has to wait", async () => {
    equal(await watch.control.waitForFirstRound(10_000), true);
    deepEqual(watch.all, ["primary up", "replica up", "replica up"]);
    deepEqual([0, 1, 2].map((one) => watch.table.timeline(one)), [1, 1, 1]);
  });

  await test.step("calls replicas caught up with what was written, and not before", async () => {
    await b!.pauseReplay();
    await a!.query("create table t as select generate_series(1, 10000) as n");
    const written = watch.table.round;
    await eventually("one has it", () => watch.table.caughtUpRound(2) > written);
    equal(watch.table.caughtUpRound(1) > written, false);
    deepEqual((await c!.query("select count(*)::int as n from t"))[0], { n: 10_000 });
  });

  await test.step("flags a replica that lags, until it has caught up", async () => {
    await watch.until(["primary up", "replica up lagging", "replica up"]);
    ok(watch.table.lagSize(1) > 100_000);
    await b!.resumeReplay();
    await watch.until(["primary up", "replica up", "replica up"]);
    const written = watch.table.round;
    await eventually("it has", () => watch.table.caughtUpRound(1) > written);
  });

  await test.step("follows a failover", async () => {
    const epoch = watch.table.epoch(0);
    await a!.kill();
    await watch.until(["primary down", "replica up", "replica up"]);
    ok(watch.table.epoch(0) > epoch);
    await b!.promote();
    await watch.until(["unknown down fenced", "primary up", "replica up"]);
    await c!.follow(b!);
    equal(watch.control.readings().primaryChanges.get("main"), 1);
    equal(watch.messages("primary changed").length, 1);
    await b!.query("insert into t values (0)");
    const written = watch.table.round;
    await eventually("c follows", () => watch.table.caughtUpRound(2) > written);
    equal((await c!.query("select count(*)::int as n from t"))[0]!["n"], 10_001);
  });

  await test.step("fences the old primary when it comes back as one", async () => {
    await a!.start();
    await watch.until(["unknown up fenced", "primary up", "replica up"]);
    equal(watch.control.readings().primaryChanges.get("main"), 1);
  });

  await test.step("uses it again when it is a replica", async () => {
    await a!.stop("immediate");
    await a!.rejoin(b!);
    await watch.until(["replica up", "primary up", "replica up"]);
    equal(watch.messages("server no longer fenced").length, 1);
  });
});

await testOnCluster(
  "HealthControl while the network fails",
  { replicas: 1 },
  async (cluster, test) => {
    const [a, b] = cluster.members;
    await using watch = new Watch(cluster, {}, { timeoutMs: 300, fall: 2 });
    await watch.until(["primary up", "replica up"]); // a busy machine may miss the first check

    await test.step("a server that says nothing goes down, and delays no other check", async () => {
      await a!.cut("silent");
      await watch.until(["primary down", "replica up"]);
      equal(watch.messages("server is down")[0]!.fields["reason"], "timeout");
      const checks = () => watch.control.readings().servers[1]!.checks.get("alive")!;
      const before = checks();
      await eventually("others are checked", () => checks() > before + 5);
    });

    await test.step("a primary that was cut off is fenced before it is back", async () => {
      await b!.promote();
      await watch.until(["unknown down fenced", "primary up"]);
      await a!.heal();
      await watch.until(["unknown up fenced", "primary up"]);
      equal((await cluster.primaries()).length, 2, "both would take writes");
    });

    await test.step("a server whose processes stand still goes down", async () => {
      await b!.pause();
      await watch.until(["unknown up fenced", "primary down"]);
      await b!.resume();
      await watch.until(["unknown up fenced", "primary up"]);
    });
  },
);

await testOnCluster("HealthControl and its user", { replicas: 1 }, async (cluster, test) => {
  const [a, b] = cluster.members;
  await a!.query("create role watcher login password 'let me see'");
  await cluster.waitForReplication();
  const user = { user: "watcher", password: "let me see" };

  await test.step("needs no privileges to know roles, timelines and positions", async () => {
    await using watch = new Watch(cluster, {}, user);
    await watch.until(["primary up", "replica up"]);
    deepEqual([0, 1].map((one) => watch.table.timeline(one)), [1, 1]);
    await a!.query("create table t (n int)");
    const written = watch.table.round;
    await eventually("b has it", () => watch.table.caughtUpRound(1) > written);
  });

  await test.step("says what is wrong when it cannot log in, once", async () => {
    await using watch = new Watch(cluster, {}, { ...user, password: "wrong" });
    await watch.until(["unknown down", "unknown down"]);
    const failed = watch.messages("check of server failed");
    equal(failed.length, 2);
    const { fields } = failed[0]!;
    equal(fields["reason"], "login");
    ok(String(fields["error"]).includes("password authentication failed for user"));
    ok(!JSON.stringify(watch.records).includes("wrong"), "the password is nowhere");
  });

  await test.step("logs in with what changed files say", async () => {
    await using watch = new Watch(cluster, {}, user);
    await watch.until(["primary up", "replica up"]);
    await a!.query("alter role watcher password 'now another'");
    await cluster.waitForReplication();
    watch.control.refresh({ clients: watch.clients({ ...user, password: "now another" }) });
    const logins = () => a!.query("select count(*)::int as n from pg_stat_activity");
    await logins();
    await watch.until(["primary up", "replica up"]);
    await a!.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'watcher'",
    );
    const before = watch.control.readings().servers[0]!.checks.get("alive")!;
    const checks = () => watch.control.readings().servers[0]!.checks.get("alive")!;
    await eventually("it logs in again", () => checks() > before + 2);
    equal(watch.messages("server is down").length, 0);
  });

  await test.step("encrypts what it asks as clients.tls says", async () => {
    using certificates = new Certificates();
    const standard = certificates.standard();
    const { uid, gid } = await Deno.stat(a!.dataDir);
    for (const [name, source] of [["server.crt", "certFile"], ["server.key", "keyFile"]] as const) {
      const path = `${a!.dataDir}/${name}`;
      await Deno.copyFile(standard.server[source], path);
      await Deno.chmod(path, 0o600);
      await Deno.chown(path, uid, gid);
    }
    await a!.query("alter system set ssl = on");
    await a!.query("select pg_reload_conf()");
    const ca = await Deno.readTextFile(standard.ca.certFile);
    const tls = { ...CLIENT_DEFAULTS.tls, mode: "verify-ca" as const, ca };
    const login = { user: "watcher", password: "now another" };
    await using watch = new Watch(cluster, {}, login, { tls });
    await watch.until(["primary up", "unknown down"]);
    const [row] = await a!.query(
      "select bool_and(ssl) as ssl from pg_stat_ssl join pg_stat_activity using (pid) " +
        "where usename = 'watcher'",
    );
    equal(row!["ssl"], true);
    const failed = watch.messages("check of server failed")[0]!.fields;
    equal(failed["reason"], "login");
    ok(String(failed["error"]).includes("it does not offer TLS"));
  });

  await test.step("leaves no trace in a server's log when it only connects", async () => {
    const before = [a!.logLines.length, b!.logLines.length];
    await using watch = new Watch(cluster, {}, { check: "connect" });
    const checks = () => watch.control.readings().servers.map(({ checks }) => checks.get("alive")!);
    await eventually("some checks", () => checks().every((count) => count > 5));
    deepEqual(watch.all, ["unknown up", "unknown up"]);
    deepEqual(a!.logLines.slice(before[0]), []);
    deepEqual(b!.logLines.slice(before[1]), []);
  });
});
