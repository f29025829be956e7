/**
 * The plugin firewall in a gateway, in front of a real server: what it denies, and what gets past.
 *
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";
import { queryOnce } from "../support/postgres.ts";
import { bind, describe, execute, functionCall, parseNamed } from "../support/extended_messages.ts";
import type { Gateway } from "../support/gateway.ts";
import { errorFields, query, SYNC } from "../support/messages.ts";
import { pooledSettings } from "../support/pooled_gateway.ts";
import { type Message, ProtocolClient } from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { startWithPlugins, testShippedPlugin } from "../support/shipped_plugins.ts";
import { type ServerScene, type Target, targetAt } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

type Config = Readonly<Record<string, unknown>>;

function start({ server }: ServerScene, config: Config): Promise<Gateway> {
  return startWithPlugins(server, {
    plugins: { firewall: { config } },
    keys: { tickInterval: "100ms" },
    settings: pooledSettings({ mode: "transaction", size: 2 }),
  });
}

const RULES: Config = {
  rules: [
    { name: "no-secrets", action: "deny", tables: ["secrets"] },
    { name: "no-drop", action: "deny", statements: ["DROP *", "TRUNCATE TABLE"] },
    { name: "no-sleep", action: "deny", functions: ["pg_sleep*"] },
    { name: "no-programs", action: "deny", statements: ["DO"] },
    { name: "where", action: "deny", withoutWhere: true },
    { name: "one", action: "deny", stacked: true },
    { name: "injection", action: "deny", signals: ["tautology", "union-null"] },
    { name: "watch", action: "log", tables: ["orders"], tableAccess: "write" },
  ],
};

/** Each of them is denied, by this rule. */
const DENIED: readonly (readonly [text: string, rule: string])[] = [
  ["select * from secrets", "no-secrets"],
  ["select * from public.secrets", "no-secrets"],
  ['select * from "secrets"', "no-secrets"],
  ['select * from U&"\\0073ecrets"', "no-secrets"],
  ["select/**/1/* ; */from -- x\n secrets", "no-secrets"],
  ["with a as (insert into secrets values (1) returning *) select * from a", "no-secrets"],
  ["select (select count(*) from (select 1 from secrets) s)", "no-secrets"],
  ["explain analyze select * from secrets", "no-secrets"],
  ["copy secrets to stdout", "no-secrets"],
  ["copy (select * from secrets) to stdout", "no-secrets"],
  ["prepare p as select * from secrets", "no-secrets"],
  ["create view v as select * from secrets", "no-secrets"],
  ["declare c cursor for select * from secrets", "no-secrets"],
  ["select 1; select * from secrets", "no-secrets"],
  ["drop table if exists nothing", "no-drop"],
  ["truncate orders", "no-drop"],
  ["select pg_catalog.pg_sleep(0)", "no-sleep"],
  ['select U&"\\0070g_sleep"(0)', "no-sleep"],
  ["do $$ begin perform 1; end $$", "no-programs"],
  ["delete from orders", "where"],
  ["with d as (delete from orders returning 1) select * from d", "where"],
  ["explain analyze delete from orders", "where"],
  ["select 1; select 2", "one"],
  ["select * from orders where id = 1 or 1 = 1", "injection"],
  ["select id from orders union select null", "injection"],
  ["selec 1", "unparsable"],
];

/** All that there is to say of a refused query. */
async function refusal(target: Target, text: string, values?: readonly unknown[]) {
  return await queryOnce(target, text, values).then(
    () => "it passed",
    ({ code, message }) => `${code} ${message}`,
  );
}

const refused = (rule: string) => `42501 firewall rule "${rule}" does not allow this`;

/** Errors, ends of commands and ends of requests, in the order in which they came. */
function outline(messages: readonly Message[]): string[] {
  return messages.filter(({ tag }) => "ECZ".includes(tag)).map(({ tag, bytes }) => {
    if (tag === "E") return `E ${errorFields(bytes).get("C")}`;
    const end = tag === "Z" ? bytes.length : -1;
    return `${tag} ${new TextDecoder().decode(bytes.slice(5, end))}`;
  });
}

const STORIES = {
  "whatever a text looks like, what it does is seen": async (scene: ServerScene) => {
    await queryOnce(scene.direct, "create table secrets (id int); create table orders (id int)");
    await using gateway = await start(scene, RULES);
    for (const [text, rule] of DENIED) {
      assert.equal(await refusal(targetAt(gateway.target), text), refused(rule), text);
      // npm:pg prepares what has values.
      if (!text.includes(";")) {
        assert.equal(
          await refusal(targetAt(gateway.target), text, [1]),
          refused(rule),
          `Parse: ${text}`,
        );
      }
    }
    const drops = await gateway.metric(
      'plugin_firewall_denied_total{plugin="firewall",rule="no-drop"}',
    );
    assert.equal(drops, 4);
    assert.deepEqual(await queryOnce(targetAt(gateway.target), "select 1 as one"), [{ one: 1 }]);
    await queryOnce(targetAt(gateway.target), "insert into orders values ($1)", [7]);
    assert.equal((await queryOnce(targetAt(gateway.target), "select * from orders")).length, 1);
    assert.match(gateway.logText, /seen by watch: .*text=insert into orders/);
    assert.ok(!gateway.logText.includes("nothing is"), "constants are not logged");
  },

  "every message of a pipeline is judged": async (scene: ServerScene) => {
    await using gateway = await start(scene, RULES);
    using client = await ProtocolClient.logIn(targetAt(gateway.target));
    client.send(query("select 1"), query("select * from secrets"), query("select 2"));
    assert.deepEqual(outline(await client.untilReady(3)), [
      "C SELECT 1",
      "Z I",
      "E 42501",
      "Z I",
      "C SELECT 1",
      "Z I",
    ]);
    client.send(SYNC, query("begin"), query("drop table orders"), query("commit"));
    assert.deepEqual(outline(await client.untilReady(4)), [
      "Z I",
      "C BEGIN",
      "Z T",
      "E 42501",
      "Z E",
      "C ROLLBACK",
      "Z I",
    ]);
    const evil = parseNamed("evil", "delete from orders");
    client.send(parseNamed("", "select 1"), bind(), execute(), evil, SYNC);
    assert.deepEqual(outline(await client.untilReady()), ["C SELECT 1", "E 42501", "Z I"]);
    client.send(bind({ statement: "evil" }), describe("P"), execute(), SYNC);
    assert.deepEqual(outline(await client.untilReady()), ["E 26000", "Z I"]);
    assert.equal((await queryOnce(scene.direct, "select * from orders")).length, 1);
  },

  "what has no text is denied, unless it is allowed": async (scene: ServerScene) => {
    const pgBackendPid = 2026; // its OID in pg_proc
    {
      await using gateway = await start(scene, RULES);
      using client = await ProtocolClient.logIn(targetAt(gateway.target));
      client.send(functionCall(pgBackendPid, []));
      assert.deepEqual(outline(await client.untilReady()), ["E 42501", "Z I"]);
      client.send(query("begin"), query("prepare hidden as select 1"));
      await client.untilReady(2);
      client.send(bind({ statement: "hidden" }), execute(), SYNC);
      assert.deepEqual(outline(await client.untilReady()), ["E 42501", "Z E"]);
    }
    await using gateway = await start(scene, { functionCalls: "allow" });
    using client = await ProtocolClient.logIn(targetAt(gateway.target));
    client.send(functionCall(pgBackendPid, []));
    assert.deepEqual(outline(await client.untilReady()), ["Z I"]);
  },

  "a text that servers may read otherwise is denied": async (scene: ServerScene) => {
    await using gateway = await start(scene, RULES);
    using client = await ProtocolClient.logIn(targetAt(gateway.target));
    // To the parser, all behind the second quote is a part of a string.
    const text = "select '\\' , ' from secrets --'";
    assert.deepEqual(outline(await client.query(text)), ["C SELECT 1", "Z I"]);
    client.send(query("set standard_conforming_strings = off"), query(text));
    assert.deepEqual(outline(await client.untilReady(2)), ["C SET", "Z I", "E 42501", "Z I"]);
    assert.deepEqual(outline(await client.query(text)), ["E 42501", "Z I"]);
    const harmless = "select 'a\\b'";
    assert.deepEqual(outline(await client.query(harmless)), ["C SELECT 1", "Z I"]);
  },

  "only what is allowed passes, for whom it is": async (scene: ServerScene) => {
    await using gateway = await start(scene, {
      default: "deny",
      rules: [
        {
          name: "reads",
          action: "allow",
          users: ["post*"],
          statements: ["SELECT"],
          tables: ["orders"],
          functions: ["count"],
        },
        { name: "nobody", action: "allow", users: ["other"] },
      ],
    });
    assert.equal(
      await refusal(targetAt(gateway.target), "select count(*) from orders"),
      "it passed",
    );
    for (
      const text of [
        "select * from orders, secrets",
        "select * from public.orders",
        "select 1",
        "select lower('A') from orders",
        "select * from orders; insert into orders values (1)",
        "insert into orders values (1)",
        "with a as (insert into orders values (1) returning 1) select * from a, secrets",
      ]
    ) assert.equal(await refusal(targetAt(gateway.target), text), refused("default"), text);
    assert.match(
      (await psql(targetAt(gateway.target), "copy orders to stdout")).stderr,
      /firewall rule "default" does not allow this/,
    );
    const sql = postgres({ ...targetAt(gateway.target), max: 1, ssl: false, fetch_types: false });
    assert.deepEqual([...await sql`select count(*)::int as n from orders`], [{ n: 1 }]);
    await assert.rejects(sql`delete from orders where id = ${1}`, { code: "42501" });
    await sql.end();
  },

  "what was learned passes afterwards, and nothing else": async (scene: ServerScene) => {
    const learned: string[] = [];
    await queryOnce(scene.direct, "create table orders22 (id int)");
    {
      await using gateway = await start(scene, { mode: "learn", ...RULES });
      assert.equal(
        await refusal(targetAt(gateway.target), "select * from orders where id = 1"),
        "it passed",
      );
      assert.equal(await refusal(targetAt(gateway.target), "delete from orders"), "it passed");
      await eventually("it is logged", () => gateway.logText.includes("learned "));
      for (const [, shape] of gateway.logText.matchAll(/learned ([0-9a-f-]{33}) /g)) {
        learned.push(shape!);
      }
      const would = 'plugin_firewall_would_deny_total{plugin="firewall",rule="where"}';
      assert.equal(await gateway.metric(would), 1);
    }
    assert.equal(learned.length, 1, "what a rule would deny is not learned");
    await using gateway = await start(scene, { onlyLearned: true, learned });
    assert.equal(
      await refusal(targetAt(gateway.target), "select * from orders where id = 99"),
      "it passed",
    );
    // To a fingerprint, it is the same table.
    const other = await refusal(targetAt(gateway.target), "select * from orders22 where id = 1");
    assert.equal(other, refused("not-learned"));
    assert.equal(
      await refusal(targetAt(gateway.target), "select id from orders"),
      refused("not-learned"),
    );
  },

  "after the time to learn, it enforces by itself": async (scene: ServerScene) => {
    await using gateway = await start(scene, { mode: "learn", learnSeconds: 1 });
    const usual = "select id from orders";
    assert.equal(await refusal(targetAt(gateway.target), usual), "it passed");
    let depth = 0;
    await eventually("it enforces", async () => {
      depth += 1; // what was asked before has been learned
      const text = `select ${"abs(".repeat(depth)}1${")".repeat(depth)}`;
      return await refusal(targetAt(gateway.target), text) === refused("not-learned");
    });
    assert.equal(await refusal(targetAt(gateway.target), usual), "it passed");
  },
};

await testShippedPlugin("firewall", ["psql"], STORIES);
