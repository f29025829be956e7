/**
 * The driver npm:pg through the gateway.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import pg from "pg";
import { type Target, testThroughGateway } from "../support/stories.ts";
import { PATIENCE_MS, within } from "../support/wait.ts";

async function withClient(
  target: Target,
  body: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ ...target, ssl: false });
  client.on("error", () => {});
  await client.connect();
  try {
    await body(client);
  } finally {
    await client.end();
  }
}

function numberOf({ rows }: { readonly rows: readonly { readonly n: number }[] }): number {
  return rows[0]!.n;
}

await testThroughGateway("npm:pg through the gateway", { workers: [1, 4], programs: [] }, {
  "simple and extended queries give their rows and types": ({ via }) =>
    withClient(via, async (client) => {
      assert.deepEqual((await client.query("select 1 as one, 'ä' as a")).rows, [
        { one: 1, a: "ä" },
      ]);
      const { rows } = await client.query("select $1::int + 1 as n, $2::jsonb as j", [41, {
        deep: [1, null],
      }]);
      assert.deepEqual(rows, [{ n: 42, j: { deep: [1, null] } }]);
    }),

  "a named prepared statement is parsed once and bound often": ({ via }) =>
    withClient(via, async (client) => {
      for (let i = 0; i < 50; i++) {
        const { rows } = await client.query({
          name: "double",
          text: "select 2 * $1::int as n",
          values: [i],
        });
        assert.deepEqual(rows, [{ n: 2 * i }]);
      }
      const { rows } = await client.query("select name from pg_prepared_statements");
      assert.deepEqual(rows, [{ name: "double" }]);
    }),

  "queries that are queued at once are answered in order": ({ via }) =>
    withClient(via, async (client) => {
      const answers = Array.from(
        { length: 200 },
        (_, i) => client.query("select $1::int as n", [i]).then(numberOf),
      );
      assert.deepEqual(await Promise.all(answers), Array.from({ length: 200 }, (_, i) => i));
    }),

  "an error has its SQLSTATE and fields, and the next query works": ({ via }) =>
    withClient(via, async (client) => {
      await client.query("create temp table unique_t (i int constraint only_once unique)");
      await client.query("insert into unique_t values (1)");
      await assert.rejects(client.query("insert into unique_t values ($1)", [1]), {
        code: "23505",
        constraint: "only_once",
        severity: "ERROR",
      });
      assert.equal((await client.query("select 5 as n")).rows[0].n, 5);
    }),

  "parameters and values of megabytes pass both ways": ({ via }) =>
    withClient(via, async (client) => {
      const bytes = Buffer.alloc(5_000_000, 0xa5);
      const { rows } = await client.query("select $1::bytea as b, length($1) as n", [bytes]);
      assert.equal(rows[0].n, 5_000_000);
      assert.ok(bytes.equals(rows[0].b));
    }),

  "LISTEN hears what another session says": ({ via }) =>
    withClient(via, async (listener) => {
      const { promise, resolve } = Promise.withResolvers<pg.Notification>();
      listener.on("notification", resolve);
      await listener.query("listen news");
      await withClient(via, async (speaker) => {
        await speaker.query("select pg_notify('news', 'hello')");
      });
      const { channel, payload } = await within(PATIENCE_MS, "a notification comes", promise);
      assert.deepEqual([channel, payload], ["news", "hello"]);
    }),

  "a pool of connections serves many at the same time": async ({ via }) => {
    const pool = new pg.Pool({ ...via, ssl: false, max: 8 });
    try {
      const sums = await Promise.all(
        Array.from(
          { length: 200 },
          (_, i) => pool.query("select $1::int as n", [i]).then(numberOf),
        ),
      );
      assert.equal(sums.reduce((sum: number, n: number) => sum + n, 0), 199 * 100);
    } finally {
      await pool.end();
    }
  },

  "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
});
