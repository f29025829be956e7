/**
 * The same dialogues straight with PostgreSQL and through the gateway in each mode: every message
 * that comes back is the same. In transaction and statement mode other clients make the server
 * change hands between any two transactions, and once more everything is cut into small pieces.
 *
 * @module
 */

import assert from "node:assert/strict";
import { COPY_SCRIPTS, STATEMENT_SCRIPTS } from "../support/dialogue_scripts_statements.ts";
import {
  type DialogueScript,
  type DialogueScripts,
  EXTENDED_SCRIPTS,
  SIMPLE_SCRIPTS,
} from "../support/dialogue_scripts.ts";
import { PARAMETER_SCRIPTS, SESSION_SCRIPTS } from "../support/dialogue_scripts_session.ts";
import {
  assertSameLines,
  parametersOf,
  play,
  type PlayOptions,
} from "../support/dialogue_recorder.ts";
import { configFor, startGateway } from "../support/gateway.ts";
import { findPgBouncer, startTestPgBouncer } from "../support/pgbouncer.ts";
import {
  Disturbers,
  modesToTest,
  type PoolMode,
  startPooledGateway,
} from "../support/pooled_gateway.ts";
import { inTemporaryFolder, queryOnce } from "../support/postgres.ts";
import { type ClientTarget, ProtocolClient } from "../support/protocol_client.ts";
import { Random } from "../support/random.ts";
import { type ServerScene, type Stories, targetAt, testOnServers } from "../support/stories.ts";

const SCRIPTS: DialogueScripts = {
  ...SIMPLE_SCRIPTS,
  ...EXTENDED_SCRIPTS,
  ...STATEMENT_SCRIPTS,
  ...COPY_SCRIPTS,
  ...PARAMETER_SCRIPTS,
  ...SESSION_SCRIPTS,
};

/** Servers of a pool: two are held by others now and then, one is left. */
const POOL_SIZE = 3;

/** Pieces are at most this large when everything is cut. */
const PIECE_SIZE_MAX = 7;

/** More than this is not cut into small pieces: it would take minutes. */
const CUT_SIZE_MAX = 100_000;

const SEED = 4_711;

const SETTINGS = { "max_connections": "60", "max_prepared_transactions": "2" };

/** Empties what the scripts write to. */
async function clean(direct: ClientTarget): Promise<void> {
  await queryOnce(
    direct,
    "set client_min_messages = error; drop schema if exists dialogue cascade",
  );
  await queryOnce(direct, "create schema dialogue");
}

async function playCleanly(
  direct: ClientTarget,
  target: ClientTarget,
  script: DialogueScript,
  options: PlayOptions = {},
): Promise<string[]> {
  await clean(direct);
  return await play(target, script, options);
}

function fits(script: DialogueScript, mode: PoolMode, major: number): boolean {
  if (major < (script.majorMin ?? 0)) return false;
  return mode !== "statement" || script.needs === "statement";
}

function isSmall(script: DialogueScript): boolean {
  return script.exchanges.every(({ say }) => say.every(({ length }) => length < CUT_SIZE_MAX));
}

function cutWith(random: Random): (bytes: Uint8Array) => readonly Uint8Array[] {
  return (bytes) => random.pieces(bytes, PIECE_SIZE_MAX);
}

/** Plays all that fit, one after the other, as steps of the test. */
async function compare(
  { direct, major }: ServerScene,
  step: Deno.TestContext,
  mode: PoolMode,
  playVia: (script: DialogueScript) => Promise<string[]>,
): Promise<void> {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    if (!fits(script, mode, major)) continue;
    await step.step(name, async () => {
      const expected = await playCleanly(direct, direct, script);
      assert.ok(expected.length > script.exchanges.length, "the server answers");
      assertSameLines(await playVia(script), expected);
    });
  }
}

const relayed: Stories<ServerScene> = {
  "relayed sessions answer as the server does": async (scene, step) => {
    const { server, direct } = scene;
    const config = configFor(`${server.host}:${server.port}`, { workers: 2 });
    await using gateway = await startGateway({ config });
    const via = targetAt(gateway.target);
    await compare(scene, step, "session", (script) => playCleanly(direct, via, script));
    await gateway.untilIdle();
  },
};

/** Stories of a gateway in `mode`. */
function pooled(mode: PoolMode): Stories<ServerScene> {
  const isShared = mode !== "session";
  return {
    [`${mode} mode answers as the server does, whoever else uses it`]: async (scene, step) => {
      const { server, direct } = scene;
      await using gateway = await startPooledGateway(server, { mode, size: POOL_SIZE });
      const via = targetAt(gateway.target);
      await compare(scene, step, mode, async (script) => {
        if (!isShared) return await playCleanly(direct, via, script);
        // Statement mode has no transactions to hold a server with.
        if (mode === "statement") return await playCleanly(direct, via, script);
        using others = await Disturbers.start(via);
        return await playCleanly(direct, via, script, { between: () => others.rotate() });
      });
    },

    [`${mode} mode answers as the server does, cut into small pieces`]: async (scene, step) => {
      const { server, direct } = scene;
      await using gateway = await startPooledGateway(server, { mode, size: POOL_SIZE, workers: 2 });
      const via = targetAt(gateway.target);
      await compare(scene, step, mode, async (script) => {
        const random = new Random(SEED);
        return await playCleanly(
          direct,
          via,
          script,
          isSmall(script) ? { cut: cutWith(random) } : {},
        );
      });
    },

    [`${mode} mode tells a client the server's parameters at login`]: async (
      { server, direct },
    ) => {
      await using gateway = await startPooledGateway(server, { mode, size: POOL_SIZE });
      const parameters = { "TimeZone": "Asia/Tokyo", "application_name": "told" };
      using expected = await ProtocolClient.logIn(direct, { parameters });
      const options = { parameters };
      using actual = await ProtocolClient.logIn(targetAt(gateway.target), options);
      assert.deepEqual(parametersOf(actual), parametersOf(expected));
      using again = await ProtocolClient.logIn(targetAt(gateway.target), options);
      assert.deepEqual(parametersOf(again), parametersOf(expected));
    },
  };
}

await testOnServers(
  "a dialogue through the gateway",
  { postgres: { auth: "trust", settings: SETTINGS } },
  { ...relayed, ...Object.assign({}, ...modesToTest().map(pooled)) },
);

const pgbouncer = await findPgBouncer();

/** A comparison that never fails says nothing: this one fails where it is known to have to. */
await testOnServers(
  "the comparison of dialogues",
  { newestOnly: true, postgres: { auth: "trust" } },
  pgbouncer === undefined ? {} : {
    "notices that a pooler loses prepared statements, and finds nothing in plain queries": async (
      { server, direct },
    ) => {
      await inTemporaryFolder(async (folder) => {
        await using pooler = await startTestPgBouncer(pgbouncer, server.port, folder, POOL_SIZE);
        // From 1.21 on it keeps prepared statements.
        if (!/1\.(\d|1\d|20)\./.test(pooler.description)) return;
        const via = targetAt(pooler);
        const through = async (script: DialogueScript) => {
          using others = await Disturbers.start(via);
          return await playCleanly(direct, via, script, { between: () => others.rotate() });
        };
        const plain = SIMPLE_SCRIPTS["transactions, savepoints and failed transactions"]!;
        assert.deepEqual(await through(plain), await playCleanly(direct, direct, plain));
        const named = STATEMENT_SCRIPTS["named statements are still there later"]!;
        assert.notDeepEqual(await through(named), await playCleanly(direct, direct, named));
      });
    },
  },
);
