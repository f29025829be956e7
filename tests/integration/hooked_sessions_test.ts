/**
 * Real drivers through a gateway with a plugin that looks at everything that passes: they get what
 * they get without it, and what it rejects, replaces and answers by itself.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import pg from "pg";
import postgres from "postgres";
import { configFor, type Gateway, startGateway } from "../support/gateway.ts";
import { ASKS, LOOKING } from "../support/looking_plugin.ts";
import { pooledSettings, type PoolMode } from "../support/pooled_gateway.ts";
import { psql } from "../support/psql.ts";
import { type Target, targetAt, testOnServers } from "../support/stories.ts";
import { PATIENCE_MS, within } from "../support/wait.ts";

/** Rejected with this SQLSTATE, insufficient_privilege. */
const REJECTED = "42501";

const PERMISSIONS = ["replace", "respond", "reject"];

/** What two clients of a driver heard, one with the plugin between, has to be equal. */
async function same<Answer>(
  targets: readonly [Target, Target],
  ask: (target: Target) => Promise<Answer>,
): Promise<Answer> {
  const [direct, via] = targets;
  const [expected, heard] = [await ask(direct), await ask(via)];
  assert.deepEqual(heard, expected);
  return heard;
}

async function withClient<Answer>(
  target: Target,
  body: (client: pg.Client) => Promise<Answer>,
): Promise<Answer> {
  const client = new pg.Client({ ...target, ssl: false });
  client.on("error", () => {});
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

async function withSql<Answer>(
  target: Target,
  body: (sql: postgres.Sql) => Promise<Answer>,
): Promise<Answer> {
  const { host, port, user, password, database } = target;
  const sql = postgres({ host, port, user, password, database, max: 1, ssl: false, onnotice() {} });
  try {
    return await body(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** What became of a query: rows, or the error's code. */
async function outcome(query: Promise<{ readonly rows: unknown }>): Promise<unknown> {
  try {
    return (await query).rows;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Many kinds of queries by npm:pg, and their answers. */
async function manyQueries(client: pg.Client): Promise<unknown[]> {
  const answers: unknown[] = [];
  const ask = async (...query: Parameters<pg.Client["query"]>) =>
    void answers.push(await outcome(client.query(...query as [string, unknown[]])));
  await ask("select 1 as one, 'ä' as a, null as nothing");
  await ask("select 1; select 2, 3");
  await ask("select $1::int + 1 as n, $2::jsonb as j", [41, { deep: [1, null] }]);
  await ask("create temp table t (i int primary key, b bytea)");
  await ask("begin");
  for (let i = 0; i < 5; i++) {
    await ask(
      {
        name: "insert",
        text: "insert into t values ($1, $2) returning i",
        values: [i, Buffer.from([i])],
      } as never,
    );
  }
  await ask("savepoint a");
  await ask("insert into t values ($1)", [1]);
  await ask("select 1");
  await ask("rollback to a");
  await ask({ text: "select * from t order by i", values: [], binary: true } as never);
  await ask("commit");
  await ask("select 1/0");
  await ask("select $1::int / 0", [1]);
  await ask("");
  await ask("select length($1::text) as n, $1::text as same", ["x".repeat(3_000_000)]);
  await ask("select i, repeat('y', 1000) as y from generate_series(1, 2000) i");
  await ask({ name: "again", text: "select $1::text as a", values: ["1"] } as never);
  await ask({ name: "again", text: "select $1::text as a", values: ["2"] } as never);
  return answers;
}

/** A pipeline in which some queries fail, some are rejected, and some answered. */
async function pipelined(sql: postgres.Sql, asks: typeof ASKS | undefined): Promise<unknown[]> {
  const said = Array.from({ length: 200 }, (_, i) => {
    if (asks !== undefined && i % 10 === 3) return sql.unsafe(`${asks.reject} select ${i}`);
    if (asks !== undefined && i % 10 === 6) return sql.unsafe(`${asks.respond} select ${i}`);
    return i % 10 === 8 ? sql`select ${i}::int / 0 as n` : sql`select ${i}::int as n`;
  });
  const settled = await Promise.allSettled(said);
  return settled.map((one) =>
    one.status === "rejected" ? one.reason.code : (one.value as unknown as unknown[])[0]
  );
}

/** Starts a gateway with the plugin in a folder of its own, which goes with `resources`. */
async function startLooking(
  { host, port }: Target,
  mode: PoolMode | undefined,
  resources: AsyncDisposableStack,
): Promise<Gateway> {
  const directory = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
  resources.defer(() => Deno.remove(directory, { recursive: true }));
  const { name, wasm, manifest } = LOOKING;
  await Deno.writeFile(`${directory}/${name}.wasm`, wasm);
  await Deno.writeTextFile(`${directory}/${name}.yaml`, manifest);
  const settings = mode === undefined ? {} : pooledSettings({ mode, size: 2 });
  const plugins = { directory, [name]: { permissions: PERMISSIONS, onFailure: "closed" } };
  const config = { ...configFor(`${host}:${port}`, settings), plugins };
  const gateway = resources.use(await startGateway({ config }));
  await gateway.untilLogged("plugin loaded", { plugin: name });
  return gateway;
}

async function tellAll(server: Target, mode?: PoolMode) {
  await using resources = new AsyncDisposableStack();
  const gateway = await startLooking(server, mode, resources);
  const targets = [server, targetAt(gateway.target)] as const;
  const via = targets[1];
  const bounded = <Result>(what: Promise<Result>) => within(PATIENCE_MS, "a driver", what);
  await bounded(same(targets, (target) => withClient(target, manyQueries)));
  await bounded(same(targets, (target) => withSql(target, (sql) => pipelined(sql, undefined))));
  await bounded(withClient(via, changes));
  const heard = await bounded(withSql(via, (sql) => pipelined(sql, ASKS)));
  assert.deepEqual(
    heard.map((one) => typeof one === "object" ? Object.values(one as object)[0] : one),
    Array.from({ length: 200 }, (_, i) => ({ 3: REJECTED, 6: "hit", 8: "22012" })[i % 10] ?? i),
  );
  await bounded(same(targets, copies));
  await bounded(withClient(via, rejectsInTransactions));
}

/** What the plugin changes, by simple and by extended queries. */
async function changes(client: pg.Client): Promise<void> {
  for (const values of [undefined, []]) {
    const ask = (text: string) => outcome(client.query({ text, values } as never));
    assert.deepEqual(await ask(`${ASKS.replace} select 1`), [{ a: "swapped" }]);
    assert.deepEqual(await ask(`${ASKS.respond} select 1`), [{ a: "hit" }]);
    assert.deepEqual(await ask(`${ASKS.reject} select 1`), REJECTED);
    assert.deepEqual(await ask("select 1 as n"), [{ n: 1 }]);
  }
  // By name: the server prepares it, and the plugin answers each Execute.
  for (let i = 0; i < 3; i++) {
    const query = { name: "hit", text: `${ASKS.respond} select $1::text as a`, values: ["x"] };
    assert.deepEqual((await client.query(query)).rows, [{ a: "hit" }]);
  }
}

/** A rejection has the transaction fail as any error does, and what it did is undone. */
async function rejectsInTransactions(client: pg.Client): Promise<void> {
  await client.query("create table if not exists kept (i int)");
  for (const values of [undefined, []]) {
    await client.query("begin");
    await client.query("insert into kept values (1)");
    const bad = client.query({ text: `${ASKS.reject} select 1`, values } as never);
    assert.equal(await outcome(bad), REJECTED);
    assert.equal(await outcome(client.query("select 1")), "25P02");
    const hit = client.query({ text: `${ASKS.respond} select 1`, values } as never);
    assert.equal(await outcome(hit), "25P02");
    await client.query("commit");
    assert.deepEqual((await client.query("select count(*)::int as n from kept")).rows, [{ n: 0 }]);
  }
}

/** COPY both ways, notices, a script with errors. */
async function copies(target: Target): Promise<unknown> {
  const lines = Array.from({ length: 5_000 }, (_, i) => `${i}\t${"z".repeat(i % 100)}`).join("\n");
  const { stdout, stderr } = await psql(
    target,
    `create temp table c (i int, z text);
copy c from stdin;
${lines}
\\.
select count(*), sum(length(z)) from c;
copy (select i from c where i < 1000 order by i) to stdout;
copy c from stdin;
not a number\tx
\\.
do $$ begin raise notice 'noticed'; end $$;
select 1 \\; select 2 \\; select 1/0 \\; select 3;
select $1::int + 1 \\bind 41 \\g
select 'last';
`,
  );
  return { stdout, stderr: stderr.replaceAll(/^psql:.*?: |LOCATION:.*$/gm, "") };
}

await testOnServers("Plugins that look at everything", { newestOnly: true }, {
  "change nothing that they do not mean to, with servers that clients log in to": ({ server }) =>
    tellAll(targetAt(server)),
  "change nothing that they do not mean to, in session mode": ({ server }) =>
    tellAll(targetAt(server), "session"),
  "change nothing that they do not mean to, in transaction mode": ({ server }) =>
    tellAll(targetAt(server), "transaction"),
});
