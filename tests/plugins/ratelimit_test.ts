/**
 * The plugin ratelimit: how many queries and sessions it lets through, over all workers.
 *
 * @module
 */

import assert from "node:assert/strict";
import pg from "pg";
import postgres from "postgres";
import { HeldClient, refusal, type ServerError } from "../support/clients.ts";
import type { Gateway } from "../support/gateway.ts";
import { psql } from "../support/psql.ts";
import { startWithPlugins, testShippedPlugin } from "../support/shipped_plugins.ts";
import { type ServerScene, type Target, targetAt } from "../support/stories.ts";

type Rule = Readonly<Record<string, unknown>>;

/** A rule whose burst does not come back while a test runs. */
const SLOW = { per: "hour", rate: 10 } as const;

/** Each makes another fingerprint. */
const FUNCTIONS = ["abs", "ceil", "exp", "floor", "sign", "sqrt"];

function limited(
  { server }: ServerScene,
  rules: readonly Rule[],
  { workers = 1, permissions, ...more }: {
    readonly workers?: number;
    readonly permissions?: readonly string[];
    readonly dryRun?: boolean;
  } = {},
): Promise<Gateway> {
  const group = { config: { rules, ...more }, ...permissions === undefined ? {} : { permissions } };
  return startWithPlugins(server, { plugins: { ratelimit: group }, settings: { workers } });
}

function counted(gateway: Gateway, what: string, rule: string): Promise<number> {
  return gateway.metric(`plugin_ratelimit_${what}_total{plugin="ratelimit",rule="${rule}"}`);
}

async function connect(gateway: Gateway, change: Partial<Target> = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...targetAt(gateway.target), ssl: false, ...change });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Sends a query so often; returns the SQLSTATE of each, "" where there is none. */
async function repeat(client: pg.Client, count: number, text = "select 1"): Promise<string[]> {
  const codes: string[] = [];
  for (let i = 0; i < count; i++) {
    codes.push(await client.query(text).then(() => "", (error: ServerError) => error.code));
  }
  return codes;
}

function admitted(codes: readonly string[]): number {
  assert.ok(codes.every((code) => code === "" || code === "53400"), codes.join());
  return codes.filter((code) => code === "").length;
}

await testShippedPlugin("ratelimit", ["psql"], {
  "a burst is let through, and what is beyond it is told when to come back": async (scene) => {
    await using gateway = await limited(scene, [{ name: "all", ...SLOW, burst: 10 }]);
    const client = await connect(gateway);
    try {
      assert.deepEqual(await repeat(client, 13), [
        ...Array(10).fill(""),
        ...Array(3).fill("53400"),
      ]);
      const error = await client.query("select 1").catch((thrown: unknown) => thrown);
      assert.equal(error.severity, "ERROR");
      assert.equal(error.message, 'too many queries: the limit "all" is exceeded');
      assert.match(error.hint, /^Try again in \d+ s\.$/);
      const seconds = Number(/\d+/.exec(error.hint)![0]);
      assert.ok(seconds >= 1 && seconds <= 2 * 3600, error.hint);
    } finally {
      await client.end();
    }
    assert.equal(await counted(gateway, "rejected", "all"), 4);
  },

  "workers count together, also when many sessions ask at once": async (scene) => {
    const burst = 100;
    await using gateway = await limited(scene, [{ name: "all", ...SLOW, burst, rate: 100 }], {
      workers: 2,
    });
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(gateway)));
    try {
      const codes = await Promise.all(clients.map((client: pg.Client) => repeat(client, 50)));
      const passed = admitted(codes.flat());
      // Never more; and each worker may make the other refuse one too many while both count.
      assert.ok(passed <= burst && passed >= burst - 1, `${passed} were let through`);
    } finally {
      await Promise.all(clients.map((client: pg.Client) => client.end()));
    }
  },

  "a rate holds: no more than the burst and what has come back since": async (scene) => {
    await using gateway = await limited(scene, [{ name: "all", rate: 50, burst: 20 }], {
      workers: 2,
    });
    const clients = await Promise.all([connect(gateway), connect(gateway)]);
    try {
      const startMs = Date.now();
      let passed = 0;
      while (Date.now() - startMs < 3000) {
        const codes = await Promise.all(clients.map((client: pg.Client) => repeat(client, 5)));
        passed += admitted(codes.flat());
      }
      const seconds = (Date.now() - startMs) / 1000;
      assert.ok(passed <= 20 + 50 * seconds + 2, `${passed} in ${seconds} s`);
      assert.ok(passed >= 20, `only ${passed}`);
    } finally {
      await Promise.all(clients.map((client: pg.Client) => client.end()));
    }
  },

  "users, databases and fingerprints have counts of their own": async (scene) => {
    await psql(scene.direct, "create role other login superuser password 'other';");
    const rules = [
      { name: "user", ...SLOW, burst: 5 },
      { name: "text", ...SLOW, burst: 2, by: ["database", "fingerprint"], users: ["oth*"] },
    ];
    await using gateway = await limited(scene, rules, { permissions: ["reject", "kv", "parse"] });
    const first = await connect(gateway);
    const second = await connect(gateway, { user: "other", password: "other" });
    try {
      assert.equal(admitted(await repeat(first, 8)), 5);
      assert.deepEqual(await repeat(second, 3), ["", "", "53400"]);
      // What the second rule refused is not counted by the first, and other constants are one text.
      assert.deepEqual(await repeat(second, 1, "select 2"), ["53400"]);
      assert.deepEqual(await repeat(second, 4, "select abs(1)"), ["", "", "53400", "53400"]);
      assert.deepEqual(await repeat(second, 2, "select sign(1)"), ["", "53400"]);
    } finally {
      await first.end();
      await second.end();
    }
    assert.equal(await counted(gateway, "rejected", "user"), 4);
    assert.equal(await counted(gateway, "rejected", "text"), 4);
  },

  "prepared statements count when they are executed, and pipelines go on behind": async (scene) => {
    await using gateway = await limited(scene, [{ name: "all", ...SLOW, burst: 6 }]);
    const client = await connect(gateway);
    try {
      for (let i = 0; i < 6; i++) {
        const { rows } = await client.query({
          name: "p",
          text: "select $1::int as n",
          values: [i],
        });
        assert.deepEqual(rows, [{ n: i }]);
      }
      await assert.rejects(client.query({ name: "p", text: "select $1::int as n", values: [7] }), {
        code: "53400",
      });
      await assert.rejects(client.query("select $1::int", [1]), { code: "53400" });
    } finally {
      await client.end();
    }
    const { host, port, user, password, database } = targetAt(gateway.target);
    const sql = postgres({
      host,
      port,
      user,
      password,
      database,
      max: 1,
      ssl: false,
      fetch_types: false,
    });
    try {
      const results = await Promise.allSettled([1, 2, 3].map((n) => sql`select ${n}::int as n`));
      assert.ok(results.every((one) => one.status === "rejected" && one.reason.code === "53400"));
    } finally {
      await sql.end({ timeout: 5 });
    }
  },

  "a transaction in which a query is refused has failed": async (scene) => {
    await using gateway = await limited(scene, [{ name: "all", rate: 4, burst: 4, per: "minute" }]);
    const script = "begin;\ncreate table kept (i int);\nselect 1;\nselect 2;\nselect 3;\ncommit;\n";
    const { stdout, stderr } = await psql(targetAt(gateway.target), script);
    assert.equal(stdout, "1\n2\n");
    assert.match(stderr, /ERROR: {2}53400: too many queries/);
    const left = await psql(scene.direct, "select to_regclass('kept') is null;");
    assert.equal(left.stdout, "t\n");
  },

  "new sessions are limited by address, before anybody is asked for a password": async (scene) => {
    const rule = { name: "logins", limits: "sessions", by: ["address"], ...SLOW, burst: 3 };
    await using gateway = await limited(scene, [rule], { workers: 2 });
    const target = targetAt(gateway.target);
    for (let i = 0; i < 3; i++) await (await HeldClient.connect(target)).end();
    const error = await refusal(target);
    assert.deepEqual([error.code, error.severity], ["53300", "FATAL"]);
    assert.match(error.message, /too many new sessions: the limit "logins" is exceeded/);
    assert.equal(await counted(gateway, "rejected", "logins"), 1);
  },

  "a dry run refuses nothing, and counts what it would": async (scene) => {
    const rules = [
      { name: "first", ...SLOW, burst: 2 },
      { name: "second", ...SLOW, burst: 4, dryRun: false },
    ];
    await using gateway = await limited(scene, rules, { dryRun: true });
    const client = await connect(gateway);
    try {
      assert.equal(admitted(await repeat(client, 6)), 6);
    } finally {
      await client.end();
    }
    assert.equal(await counted(gateway, "would_reject", "first"), 4);
    assert.equal(await counted(gateway, "would_reject", "second"), 2);
    assert.equal(await counted(gateway, "rejected", "first"), 0);
  },

  "keys beyond those that a rule may have share one count": async (scene) => {
    const rule = { name: "texts", ...SLOW, burst: 2, by: ["fingerprint"], keysMax: 3 };
    await using gateway = await limited(scene, [rule], { permissions: ["reject", "kv", "parse"] });
    const client = await connect(gateway);
    try {
      const codes: string[] = [];
      for (let i = 0; i < FUNCTIONS.length; i++) {
        codes.push(...await repeat(client, 1, `select ${FUNCTIONS[i]}(1)`));
      }
      assert.deepEqual(codes, ["", "", "", "", "", "53400"]);
      assert.deepEqual(await repeat(client, 2, "select abs(2)"), ["", "53400"]);
    } finally {
      await client.end();
    }
    assert.equal(await counted(gateway, "shared", "texts"), 3);
  },

  "rules that cannot be are refused, with the reason": async (scene) => {
    for (
      const [rule, reason] of [
        [{ name: "a", rate: 1000, burst: 1 }, /what the rate allows in 100 ms or more/],
        [{ name: "a", rate: 1, by: ["fingerprint"] }, /needs the permission parse/],
        [{ name: "a", rate: 1, limits: "sessions", by: ["fingerprint"] }, /cannot count by/],
        [{ name: "b", rate: 1 }, /two rules have the same name/],
        [{ name: "a", rate: 0 }, /rules\.0\.rate: the value must be > 0/],
      ] as const
    ) {
      await assert.rejects(limited(scene, [rule, { name: "b", rate: 1 }]), reason);
    }
  },
});
