/**
 * A client whose reads and writes go to different servers, and whose bytes come in pieces: what it
 * hears never depends on the cuts, and neither does it where a write runs.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import type { Actor, World } from "../support/dialogue.ts";
import { execute, parseNamed } from "../support/extended_messages.ts";
import { BIND, EXECUTE, FLUSH, parse, query, SYNC, textOfMessages } from "../support/messages.ts";
import { ModelGroup } from "../support/model_group.ts";
import { connects } from "../support/pooled_world.ts";
import { startRouted } from "../support/routed_world.ts";

const WRITES = ["delete from t", "begin", "delete from u", "commit", "update t set a = 1"];

const SAID = concat(
  query("select 1"),
  query("delete from t"),
  ...[parse("select 2"), BIND, EXECUTE, SYNC],
  ...[query("begin"), query("delete from u"), query("commit")],
  ...[parse("update t set a = 1"), FLUSH, BIND, EXECUTE, SYNC],
  query("/* sluice: role=replica */ select 3"),
  ...[parseNamed("a", "select 4"), BIND, execute(), SYNC],
);

/** A gateway whose servers answer, and a client that it has let in. */
async function scene(): Promise<{ world: World; client: Actor; servers: ModelGroup }> {
  const world = await startRouted({
    members: 2,
    pool: { size: 2 },
    routing: { readWriteSplit: true, causality: "off" },
  });
  const servers = new ModelGroup(world);
  const client = await connects(world);
  await servers.serve();
  client.peer.take();
  return { world, client, servers };
}

/** What is heard, but for the server's number. */
async function heard(pieces: readonly Uint8Array[]): Promise<string[]> {
  const { client, servers } = await scene();
  for (const piece of pieces) {
    await client.says(piece);
    await servers.serve();
  }
  for (const text of WRITES) deepEqual(servers.whoRan(text), [0], text);
  return textOfMessages(client.peer.take()).map((text) => text.replace(/S[01]/, "S"));
}

Deno.test("Split of a client's bytes depends on no cut, and its writes run on the primary", async () => {
  const whole = await heard([SAID]);
  equal(whole.filter((text) => text.startsWith("Z")).length, 9);
  for (let at = 1; at < SAID.length; at++) {
    deepEqual(await heard([SAID.subarray(0, at), SAID.subarray(at)]), whole, `cut at ${at}`);
  }
  deepEqual(await heard([...SAID].map((byte) => Uint8Array.of(byte))), whole, "byte by byte");
});

Deno.test("Split leaves reads that are sent behind a write on the primary, and no later ones", async () => {
  const { client, servers } = await scene();
  await client.says(SAID);
  await servers.serve();
  deepEqual(["select 1", "select 2"].map((text) => servers.whoRan(text)), [[1], [0]]);
  await client.says(query("select 5"));
  await servers.serve();
  deepEqual(servers.whoRan("select 5"), [1]);
});
