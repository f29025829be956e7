/**
 * The driver npm:postgres through the gateway: it pipelines, prepares by itself, and streams.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgres from "postgres";
import { type Target, testThroughGateway } from "../support/stories.ts";
import { untilSleeping } from "../support/observe.ts";
import { eventually, PATIENCE_MS, within } from "../support/wait.ts";

async function withSql(
  target: Target,
  max: number,
  body: (sql: postgres.Sql) => Promise<void>,
): Promise<void> {
  const { host, port, user, password, database } = target;
  const sql = postgres({ host, port, user, password, database, max, ssl: false, onnotice() {} });
  try {
    await body(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

await testThroughGateway("npm:postgres through the gateway", { workers: [1, 4], programs: [] }, {
  "queries on one connection are pipelined and answered in order": ({ via }) =>
    withSql(via, 1, async (sql) => {
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, i) => sql`select ${i}::int as n`.then(([row]) => row!.n)),
      );
      assert.deepEqual(answers, Array.from({ length: 500 }, (_, i) => i));
    }),

  "an error in a pipeline is that query's alone": ({ via }) =>
    withSql(via, 1, async (sql) => {
      const results = await Promise.allSettled([
        sql`select 1 as n`,
        sql`select 1/${0}::int as n`,
        sql`select 3 as n`,
      ]);
      assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
      assert.equal((results[1] as PromiseRejectedResult).reason.code, "22012");
    }),

  "a transaction commits, and rolls back when its function throws": ({ via, workers }) =>
    withSql(via, 2, async (sql) => {
      const table = sql(`kept_${workers}`);
      await sql`create table ${table} (i int)`;
      await sql.begin(async (tx) => {
        await tx`insert into ${table} values (1)`;
      });
      await assert.rejects(
        sql.begin(async (tx) => {
          await tx`insert into ${table} values (2)`;
          throw new Error("no");
        }),
        /no/,
      );
      assert.deepEqual([...await sql`select i from ${table}`], [{ i: 1 }]);
    }),

  "a cursor fetches in portions and can be left early": ({ via }) =>
    withSql(via, 1, async (sql) => {
      const sizes: number[] = [];
      for await (const rows of sql`select * from generate_series(1, 1050) i`.cursor(100)) {
        sizes.push(rows.length);
      }
      assert.deepEqual(sizes, [...Array(10).fill(100), 50]);
      for await (const rows of sql`select * from generate_series(1, 1000) i`.cursor(10)) {
        assert.equal(rows.length, 10);
        break;
      }
      assert.deepEqual([...await sql`select 9 as n`], [{ n: 9 }]);
    }),

  "COPY streams in and out": ({ via, workers }) =>
    withSql(via, 2, async (sql) => {
      const table = sql(`streamed_${workers}`);
      await sql`create table ${table} (i int, t text)`;
      const lines = Array.from({ length: 20_000 }, (_, i) => `${i}\tline ${i}\n`);
      await pipeline(Readable.from(lines), await sql`copy ${table} from stdin`.writable());
      assert.deepEqual([...await sql`select count(*)::int from ${table}`], [{ count: 20_000 }]);
      const out = await sql`copy (select * from ${table} order by i) to stdout`.readable();
      const chunks: Uint8Array[] = [];
      out.on("data", (chunk) => chunks.push(chunk));
      await within(PATIENCE_MS, "COPY ends", once(out, "end"));
      assert.equal(Buffer.concat(chunks).toString(), lines.join(""));
    }),

  "LISTEN hears NOTIFY": ({ via }) =>
    withSql(via, 2, async (sql) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const { unlisten } = await sql.listen("news", resolve);
      await sql.notify("news", "hello");
      assert.equal(await within(PATIENCE_MS, "a notification comes", promise), "hello");
      await unlisten();
    }),

  "a query that is cancelled ends with 57014, and its connection goes on": (
    { via, direct, gateway },
  ) =>
    withSql(via, 1, async (sql) => {
      const forwarded = 'sluice_cancel_requests_total{listener="default",outcome="forwarded"}';
      for (let round = 0; round < 4; round++) {
        const before = await gateway.metric(forwarded);
        const query = sql`select pg_sleep(120)`.execute();
        const failed = assert.rejects(query, { code: "57014" });
        await untilSleeping(direct);
        query.cancel();
        await within(PATIENCE_MS, "the query is cancelled", failed);
        // PostgreSQL signals the process and then its group (`signal_child` in postmaster.c): the
        // second one may end the next query, unless one waits until the request is over.
        await eventually(
          "the request is over",
          async () => await gateway.metric(forwarded) > before,
        );
        assert.deepEqual([...await sql`select ${round}::int as n`], [{ n: round }]);
      }
    }),

  "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
});
