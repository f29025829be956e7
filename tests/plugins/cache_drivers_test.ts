/**
 * The plugin `cache` with other programs than npm:pg: those that prepare beforehand, pipeline, or
 * ask for binary results.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import postgres from "postgres";
import { CacheScene } from "../support/cache_scene.ts";
import { connectionArgs, findClientProgram } from "../support/psql.ts";
import { runProgram } from "../support/programs.ts";

const WHO = { user: "postgres", password: "", database: "postgres" } as const;

CacheScene.test("cache answers npm:postgres", { workers: 2 }, async (cache) => {
  const { host, port } = cache.scene.gateway.targetOf("default");
  const sql = postgres({ host, port, ...WHO, max: 1, onnotice: () => {} });
  try {
    const read = () => sql`select id, name from users where id = ${2}`;
    for (let i = 0; i < 4; i++) deepEqual([...await read()], [{ id: 2, name: "bob" }]);
    ok(await cache.count("hits") >= 2);
    await sql`update users set name = 'bert' where id = ${2}`;
    deepEqual([...await read()], [{ id: 2, name: "bert" }]);
    const many = Array.from({ length: 50 }, (_, i) => sql`select ${i}::int as i, name from users`);
    for (const [i, rows] of (await Promise.all(many)).entries()) {
      deepEqual(rows.map((row) => row["i"]), [i, i]);
    }
    await sql.begin(async (transaction) => {
      await transaction`update users set name = 'inside' where id = 2`;
      equal((await transaction`select name from users where id = 2`)[0]!["name"], "inside");
    });
    deepEqual([...await read()], [{ id: 2, name: "inside" }]);
  } finally {
    await sql.end();
  }
});

/** A step that needs a program of PostgreSQL's; without it, it is ignored. */
async function step(
  t: Deno.TestContext,
  name: string,
  how: string,
  body: (program: string) => Promise<void>,
): Promise<void> {
  const program = await findClientProgram(name);
  const ignore = program === undefined;
  await t.step({ name: `${name} ${how}`, ignore, fn: () => body(program!) });
}

CacheScene.test("cache answers pgbench and psql", { workers: 2 }, async (cache, t) => {
  const target = { ...cache.scene.gateway.targetOf("default"), ...WHO };
  const folder = cache.scene.gateway.folder;
  const script = `${folder}/read.sql`;
  await Deno.writeTextFile(script, "\\set id random(1, 2)\nselect * from users where id = :id;\n");
  for (const protocol of ["simple", "extended", "prepared"]) {
    await step(t, "pgbench", `-M ${protocol}`, async (pgbench) => {
      const before = await cache.count("hits");
      const args = ["-n", "-M", protocol, "-c", "3", "-j", "2", "-t", "100", "-f", script];
      const { code, stderr } = await runProgram(
        pgbench,
        [...args, ...connectionArgs(target), target.database],
      );
      equal(code, 0, stderr);
      const hits = await cache.count("hits") - before;
      ok(hits > 250, `${hits} of 300 were hits`);
    });
  }
  await step(t, "psql", "-c", async (psql) => {
    const text = "select count(*) from users";
    const commands = [text, text, "delete from users where id = 1", text].flatMap((c) => ["-c", c]);
    const args = ["-X", "-A", "-t", ...commands, ...connectionArgs(target), target.database];
    const { stdout, stderr } = await runProgram(psql, args);
    equal(stdout, "2\n2\nDELETE 1\n1\n", stderr);
  });
});
