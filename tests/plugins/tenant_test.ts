/**
 * The plugin tenant in a gateway, in front of a real server with row level security.
 *
 * @module
 */

import assert from "node:assert/strict";
import pg from "pg";
import type { Gateway } from "../support/gateway.ts";
import { errorFields } from "../support/messages.ts";
import { bind, functionCall, parseNamed } from "../support/extended_messages.ts";
import { SYNC } from "../support/messages.ts";
import { pooledSettings, type PoolMode } from "../support/pooled_gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { LogInRefused, ProtocolClient } from "../support/protocol_client.ts";
import { startWithPlugins, testShippedPlugin } from "../support/shipped_plugins.ts";
import { type ServerScene, type Target, targetAt } from "../support/stories.ts";

type Config = Readonly<Record<string, unknown>>;

/** All clients share a server connection of one user, whom the policy holds for. */
function start({ server }: ServerScene, config: Config, mode: PoolMode = "transaction") {
  return startWithPlugins(server, {
    plugins: { tenant: { config } },
    keys: { tickInterval: "100ms" },
    settings: pooledSettings({ mode, size: 1, client: { user: "app", password: "app" } }),
  });
}

const SCHEMA = `create role app login password 'app';
  create table orders (id int, tenant text default current_setting('app.tenant'));
  alter table orders enable row level security;
  create policy own on orders using (tenant = current_setting('app.tenant', true));
  grant all on orders to app;
  create role sleeper;
  insert into orders values (1, 'acme'), (2, 'globex')`;

const USERS: Config = {
  users: [{ user: "alice", tenant: "acme" }, { user: "bob", tenant: "globex" }],
};

function as(gateway: Gateway, user: string): Target {
  return { ...targetAt(gateway.target), user };
}

/** Ways to another tenant's rows: none may do anything. */
const ATTEMPTS: readonly string[] = [
  "set app.tenant = 'globex'",
  'set "app"."tenant" to globex',
  'set U&"\\0061pp".tenant = globex',
  "set app./* x */tenant = 'globex'",
  "begin; set local app.tenant = 'globex'; select * from orders; commit",
  "reset app.tenant",
  "select set_config('app.tenant', 'globex', false)",
  "select pg_catalog.set_config('app.' || 'tenant', 'globex', true), * from orders",
  "select * from orders where set_config('app.tenant', 'globex', true) is not null",
  "with a as (select set_config('app.tenant', 'globex', false)) select * from a, orders",
  "explain analyze select set_config('app.tenant', 'globex', false)",
  "prepare p as select set_config('app.tenant', 'globex', false)",
  "copy (select set_config('app.tenant', 'globex', false)) to stdout",
  "update pg_settings set setting = 'globex' where name = 'app.tenant'",
  "update pg_catalog.pg_settings set setting = 'globex' where name like 'app.%'",
  "do $$ begin perform set_config('app.ten' || 'ant', 'globex', false); end $$",
  "create function pg_temp.f() returns text language sql as " +
  "$$ select set_config('app.tenant', 'globex', false) $$",
  "create aggregate pg_temp.a(text, bool) (sfunc = set_config, stype = text)",
  "select query_to_xml('select set_config(''app.tenant'', ''globex'', false)', true, true, '')",
  "alter role app set app.tenant = 'globex'",
  "set standard_conforming_strings = off; select '\\'; set app.tenant = globex --'",
  "selec",
];

const STORIES = {
  "two tenants on one connection never see each other's rows": async (scene: ServerScene) => {
    await queryOnce(scene.direct, SCHEMA);
    await using gateway = await start(scene, USERS);
    const clients = ["alice", "bob", "alice", "bob"].map((user) =>
      new pg.Client({ ...as(gateway, user), ssl: false })
    );
    await Promise.all(clients.map((client) => client.connect()));
    const own = [["acme"], ["globex"], ["acme"], ["globex"]];
    for (let round = 0; round < 25; round++) {
      const seen = await Promise.all(clients.map(async (client, i) => {
        const values = i < 2 ? [] : [round];
        const text = `select distinct tenant from orders where ${i < 2 ? "true" : "id >= 0 * $1"}`;
        const { rows } = await client.query({ text, values, rowMode: "array" });
        return rows.flat();
      }));
      assert.deepEqual(seen, own);
      await Promise.all(clients.map((client) => client.query("insert into orders values (3)")));
    }
    for (const client of clients) {
      await client.query("begin");
      await client.query("reset all");
      const { rows } = await client.query("select count(*)::int as n from orders");
      assert.ok(rows[0]!.n === 0 || rows[0]!.n === 51, "after RESET ALL: its own, or none");
      await client.query("rollback");
      await client.query("discard all");
    }
    for (const [i, client] of clients.entries()) {
      const { rows } = await client.query("select distinct tenant from orders");
      assert.deepEqual(rows.map((row: { readonly tenant: string }) => row.tenant), own[i]);
      await client.end();
    }
  },

  "no client changes its tenant": async (scene: ServerScene) => {
    await using gateway = await start(scene, USERS);
    const client = new pg.Client({ ...as(gateway, "alice"), ssl: false });
    await client.connect();
    for (const text of ATTEMPTS) {
      await assert.rejects(client.query(text), { code: "42501" }, text);
      const { rows } = await client.query("select distinct tenant from orders");
      assert.deepEqual(rows, [{ tenant: "acme" }], text);
    }
    for (const text of ["set search_path = public, tenant_x", "set TimeZone = 'UTC'", "begin"]) {
      await client.query(text);
    }
    await client.query("set local statement_timeout = 1000");
    await client.query("commit");
    const { rows } = await client.query("select current_setting('app.tenant') as t");
    assert.deepEqual(rows, [{ t: "acme" }]);
    await client.end();
    using raw = await ProtocolClient.logIn(as(gateway, "alice"));
    const setConfig = 2078; // its OID in pg_proc
    raw.send(functionCall(setConfig, ["app.tenant", "globex", "f"]));
    const [error] = await raw.untilReady();
    assert.equal(errorFields(error!.bytes).get("C"), "42501");
    raw.send(parseNamed("s", "select set_config('app.tenant', $1, false)"), SYNC);
    raw.send(bind({ statement: "s" }), SYNC);
    assert.deepEqual((await raw.untilReady(2)).map(({ tag }) => tag), ["E", "Z", "E", "Z"]);
  },

  "a StartupMessage cannot choose, and who has no tenant stays out": async (
    scene: ServerScene,
  ) => {
    await using gateway = await start(scene, USERS);
    const tenantOf = async (user: string, parameters: Readonly<Record<string, string>>) => {
      try {
        using client = await ProtocolClient.logIn(as(gateway, user), { parameters });
        const [, row] = await client.query("select current_setting('app.tenant')");
        return new TextDecoder().decode(row!.bytes.slice(11));
      } catch (error) {
        assert.ok(error instanceof LogInRefused);
        return error.code;
      }
    };
    assert.equal(await tenantOf("alice", { "app.tenant": "globex" }), "acme");
    assert.equal(await tenantOf("alice", { "App.Tenant": "globex" }), "acme");
    assert.equal(await tenantOf("alice", { options: "-c app.tenant=globex" }), "28000");
    assert.equal(await tenantOf("alice", { options: "--App.\\tenant=globex" }), "28000");
    assert.equal(await tenantOf("alice", { options: "-c statement_timeout=5s" }), "acme");
    assert.equal(await tenantOf("mallory", {}), "28000");
    assert.equal(await tenantOf("mallory", { "app.tenant": "acme" }), "28000");
    const refused = 'plugin_tenant_refused_sessions_total{plugin="tenant"}';
    assert.equal(await gateway.metric(refused), 4);
  },

  "a tenant may come from names, and may be left out": async (scene: ServerScene) => {
    await using gateway = await start(scene, {
      required: false,
      tables: ["orders"],
      sources: [
        { parameter: "user", pattern: "of_*" },
        { parameter: "application_name", pattern: "tenant=*;" },
      ],
    }, "session");
    const all = "select distinct tenant from orders";
    const one = [{ tenant: "globex" }];
    assert.deepEqual(await queryOnce(as(gateway, "of_globex"), all), one);
    const named = new pg.Client({
      ...as(gateway, "x"),
      ssl: false,
      application_name: "tenant=globex;",
    });
    await named.connect();
    assert.deepEqual((await named.query(all)).rows, one);
    await named.end();
    await assert.rejects(queryOnce(as(gateway, "x"), all), { code: "42501" });
    await assert.rejects(queryOnce(as(gateway, "x"), "table public.orders"), { code: "42501" });
    assert.deepEqual(await queryOnce(as(gateway, "x"), "select 1 as one"), [{ one: 1 }]);
  },
};

await testShippedPlugin("tenant", ["psql"], STORIES);
