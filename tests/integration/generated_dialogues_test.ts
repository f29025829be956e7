/**
 * Dialogues that chance made up, many clients at once over fewer servers: each client is answered
 * as if it were alone with PostgreSQL. `SEED` repeats a run, `FUZZ_ROUNDS` lengthens it.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  describeDialogue,
  type GeneratedDialogue,
  generateDialogue,
  scriptOf,
  shrink,
} from "../support/dialogue_generator.ts";
import { assertSameLines, play } from "../support/dialogue_recorder.ts";
import { configFor, startGateway } from "../support/gateway.ts";
import { modesToTest, type PoolMode, startPooledGateway } from "../support/pooled_gateway.ts";
import { psql } from "../support/psql.ts";
import { fuzz } from "../support/random.ts";
import type { ClientTarget } from "../support/protocol_client.ts";
import { type Stories, type Target, targetAt, testOnServers } from "../support/stories.ts";
import type { ServerScene } from "../support/stories.ts";

const CLIENTS = 8;
const POOL_SIZE = 3;
const ROUNDS = 15;

function tableOf(client: number): string {
  return `dialogue.t${client}`;
}

/** Every client's table, new and empty. */
async function clean(direct: Target): Promise<void> {
  const statements = [
    "set client_min_messages = error",
    "drop schema if exists dialogue cascade",
    "create schema dialogue",
    ...Array.from({ length: CLIENTS }, (_, i) => `create table ${tableOf(i)} (i int, t text)`),
  ];
  const { stderr } = await psql(direct, statements.join(";\n") + ";\n");
  assert.equal(stderr, "");
}

/** In a failed transaction, what a server has not prepared before it refuses to prepare. */
const TOO_LATE = /^E .*C25P02.*Rexec_parse_message/;

/**
 * Both without what lies between two ReadyForQuery where the gateway had to prepare a statement in
 * a transaction that had failed already: the server refuses that, where it would have described a
 * statement of its own, or found another fault with it. docs/pooling.md says so.
 */
function withoutLateStatements(
  actual: readonly string[],
  expected: readonly string[],
): [actual: string[], expected: string[]] {
  const [mine, theirs] = [partsOf(actual), partsOf(expected)];
  const isLate = mine.map((part) => part.some((line) => TOO_LATE.test(line)));
  const kept = (parts: string[][]) => parts.filter((_, i) => isLate[i] !== true).flat();
  return [kept(mine), kept(theirs)];
}

/** Lines up to and with each ReadyForQuery. */
function partsOf(lines: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  for (const line of lines) {
    parts.at(-1)!.push(line);
    if (line.startsWith("Z ")) parts.push([]);
  }
  return parts;
}

async function playAll(
  direct: Target,
  target: ClientTarget,
  dialogues: readonly GeneratedDialogue[],
): Promise<string[][]> {
  await clean(direct);
  return await Promise.all(dialogues.map((dialogue) => play(target, scriptOf(dialogue))));
}

/** Fails with the smallest dialogue that is answered in another way, alone if it is alone. */
async function explain(
  direct: Target,
  via: Target,
  dialogue: GeneratedDialogue,
  difference: unknown,
): Promise<never> {
  const differs = async (smaller: GeneratedDialogue) => {
    const [expected] = await playAll(direct, direct, [smaller]);
    const [actual] = await playAll(direct, via, [smaller]).catch(() => [["it did not end"]]);
    return JSON.stringify(withoutLateStatements(actual!, expected!)[0]) !==
      JSON.stringify(withoutLateStatements(actual!, expected!)[1]);
  };
  const isAlone = await differs(dialogue);
  const smallest = isAlone ? await shrink(dialogue, differs) : dialogue;
  const whose = isAlone ? "This alone shows it" : "Alone it is answered well";
  throw new Error(`${whose}:\n${describeDialogue(smallest)}`, { cause: difference });
}

async function compareGenerated(direct: Target, via: Target): Promise<void> {
  await fuzz(ROUNDS, async (random) => {
    const dialogues = Array.from(
      { length: CLIENTS },
      (_, client) => generateDialogue(random, tableOf(client)),
    );
    const expected = await playAll(direct, direct, dialogues);
    await clean(direct);
    for (const [index, result] of (await playSettled(via, dialogues)).entries()) {
      try {
        if (result.status === "rejected") throw result.reason;
        assertSameLines(...withoutLateStatements(result.value, expected[index]!));
      } catch (difference) {
        await explain(direct, via, dialogues[index]!, difference);
      }
    }
  });
}

function playSettled(via: Target, dialogues: readonly GeneratedDialogue[]) {
  return Promise.allSettled(dialogues.map((dialogue) => play(via, scriptOf(dialogue))));
}

const relayed: Stories<ServerScene> = {
  "relayed clients are answered as without a gateway": async ({ server, direct }) => {
    const config = configFor(`${server.host}:${server.port}`, { workers: 2 });
    await using gateway = await startGateway({ config });
    await compareGenerated(direct, targetAt(gateway.target));
  },
};

function pooled(mode: PoolMode): Stories<ServerScene> {
  const size = mode === "session" ? CLIENTS : POOL_SIZE;
  return {
    [`${CLIENTS} clients on ${size} servers in ${mode} mode are answered as without a gateway`]:
      async (
        { server, direct },
      ) => {
        await using gateway = await startPooledGateway(server, { mode, size, workers: 1 });
        await compareGenerated(direct, targetAt(gateway.target));
      },
  };
}

// Statement mode refuses transactions, which most of these dialogues have.
const modes = modesToTest().filter((mode) => mode !== "statement");

await testOnServers(
  "a generated dialogue",
  { newestOnly: true, postgres: { auth: "trust" } },
  { ...relayed, ...Object.assign({}, ...modes.map(pooled)) },
);
