/**
 * Replication connections: their messages are COPY in both directions at once, for hours.
 *
 * @module
 */

import assert from "node:assert/strict";
import { queryOnce } from "../support/postgres.ts";
import { clientProgram, connectionArgs, connectionEnv, psql } from "../support/psql.ts";
import { runProgram, spawnProgram } from "../support/programs.ts";
import { type Scene, testThroughGateway } from "../support/stories.ts";
import { eventually, PATIENCE_MS, within } from "../support/wait.ts";

const PROGRAMS = ["psql", "pg_basebackup", "pg_verifybackup", "pg_receivewal", "pg_recvlogical"];
const SETTINGS = { "wal_level": "logical" };

/** pg_basebackup and pg_receivewal refuse a server that is newer than they are: says so. */
async function isTooOld(
  program: string,
  major: number,
  step: Deno.TestContext,
): Promise<boolean> {
  const { stdout } = await runProgram(await clientProgram(program), ["--version"]);
  if (Number(/\) (\d+)/.exec(stdout)?.[1]) >= major) return false;
  const name = `${stdout.trim()} does not work with PostgreSQL ${major}`;
  await step.step({ name, ignore: true, fn: () => {} });
  return true;
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function changeSomething({ direct }: Scene): Promise<void> {
  await queryOnce(direct, "create table if not exists changes (i int)");
  await queryOnce(direct, "insert into changes select generate_series(1, 10000)");
}

await testThroughGateway(
  "replication through the gateway",
  { workers: [2], postgres: { settings: SETTINGS }, programs: PROGRAMS },
  {
    "IDENTIFY_SYSTEM on a physical and on a logical connection": async ({ via, direct }) => {
      for (const replication of ["true", "database"]) {
        const conninfo = (port: number) =>
          `host=127.0.0.1 port=${port} user=postgres dbname=postgres replication=${replication}`;
        const run = async (port: number) => {
          const args = ["-d", conninfo(port), "-c", "IDENTIFY_SYSTEM", "-c", "SHOW port"];
          const { stdout, stderr } = await psql(via, "", { args });
          assert.equal(stderr, "");
          return stdout;
        };
        // The log position may move between the two.
        const stable = (answer: string) => answer.replace(/\|[0-9A-F]+\/[0-9A-F]+\|/, "|LSN|");
        const answer = stable(await run(via.port));
        assert.equal(answer, stable(await run(direct.port)));
        assert.match(answer, /^\d+\|1\|LSN\|(postgres)?\n\d+\n$/);
      }
    },

    "pg_basebackup makes a backup that verifies": async ({ via, major }, step) => {
      if (await isTooOld("pg_basebackup", major, step)) return;
      await inFolder(async (folder) => {
        const program = await clientProgram("pg_basebackup");
        const args = [
          ...connectionArgs(via),
          "-D",
          `${folder}/backup`,
          "-X",
          "stream",
          "-c",
          "fast",
        ];
        const backup = await runProgram(program, args, { env: connectionEnv(via) });
        assert.equal(backup.code, 0, backup.stderr);
        const verify = await clientProgram("pg_verifybackup");
        const { code, stdout, stderr } = await runProgram(verify, [`${folder}/backup`]);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /backup successfully verified/);
      });
    },

    "pg_receivewal streams the log while it is written, and ends on SIGINT": async (
      scene,
      step,
    ) => {
      const { via } = scene;
      if (await isTooOld("pg_receivewal", scene.major, step)) return;
      await inFolder(async (folder) => {
        const args = [...connectionArgs(via), "-D", folder, "--no-loop", "-v", "-n"];
        const program = await clientProgram("pg_receivewal");
        const child = spawnProgram(program, args, { env: connectionEnv(via) });
        const output = child.output();
        await eventually(
          "a segment is begun",
          () => [...Deno.readDirSync(folder)].some(({ name }) => name.endsWith(".partial")),
        );
        await changeSomething(scene);
        await queryOnce(scene.direct, "select pg_switch_wal()");
        await eventually(
          "a segment is whole",
          () => [...Deno.readDirSync(folder)].some(({ name }) => /^[0-9A-F]{24}$/.test(name)),
        );
        child.kill("SIGINT");
        const { code, stderr } = await within(PATIENCE_MS, "pg_receivewal ends", output);
        assert.equal(code, 0, new TextDecoder().decode(stderr));
      });
    },

    "pg_recvlogical receives changes and confirms them": async (scene) => {
      const { via, direct } = scene;
      await changeSomething(scene);
      await queryOnce(direct, "create publication all_of_it for all tables");
      const program = await clientProgram("pg_recvlogical");
      const common = [...connectionArgs(via), "-d", "postgres", "-S", "a_slot"];
      const options = { env: connectionEnv(via) };
      const create = ["--create-slot", "-P", "pgoutput"];
      const made = await runProgram(program, [...common, ...create], options);
      assert.equal(made.code, 0, made.stderr);
      await inFolder(async (folder) => {
        const file = `${folder}/changes`;
        const start = ["--start", "--no-loop", "-f", file, "-s", "1", "-F", "1"];
        const plugin = ["-o", "proto_version=1", "-o", "publication_names=all_of_it"];
        const child = spawnProgram(program, [...common, ...start, ...plugin], options);
        const output = child.output();
        await changeSomething(scene);
        await eventually(
          "changes arrive",
          () => Deno.stat(file).then(({ size }) => size > 10_000 * 10, () => false),
        );
        await eventually("they are confirmed", async () => {
          const [slot] = await queryOnce(
            direct,
            "select confirmed_flush_lsn > restart_lsn as moved from pg_replication_slots",
          );
          return slot?.["moved"] === true;
        });
        child.kill("SIGINT");
        const { code, stderr } = await within(PATIENCE_MS, "pg_recvlogical ends", output);
        assert.equal(code, 0, new TextDecoder().decode(stderr));
      });
      // The walsender is told that its client has left, and takes a moment to let go of the slot.
      await eventually("nobody uses the slot", async () => {
        const [slot] = await queryOnce(direct, "select active from pg_replication_slots");
        return slot?.["active"] === false;
      });
      const dropped = await runProgram(program, [...common, "--drop-slot"], options);
      assert.equal(dropped.code, 0, dropped.stderr);
    },

    "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
  },
);
