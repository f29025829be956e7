/**
 * What plugins are told of requests before a query: only where there are none do they know in which
 * transaction it runs.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import { HookChain } from "../../src/hooks/chain.ts";
import { IS, PHASE } from "../../src/hooks/event.ts";
import { HOOK } from "../../src/hooks/hooks.ts";
import { FORWARD } from "../../src/hooks/verdict.ts";
import { World } from "../support/dialogue.ts";
import { describe } from "../support/extended_messages.ts";
import { BIND, complete, EXECUTE, FLUSH, message, parse } from "../support/messages.ts";
import { query, ready, SYNC } from "../support/messages.ts";

const BEFORE_EXECUTE = [message("1"), message("2")];

/** A world with a plugin that writes down, for each query that runs, whether it is pipelined. */
async function watched(): Promise<{ readonly world: World; readonly seen: string[] }> {
  const world = await World.start();
  const seen: string[] = [];
  const types = new Uint8Array(256).fill(1);
  world.hooks.chain = new HookChain([{
    name: "watcher",
    priority: 1,
    hooks: [HOOK.onQuery],
    mayRespond: true,
    messageTypes: () => types,
    call({ phase, flags }) {
      const isPipelined = (flags & IS.pipelined) !== 0;
      if (phase !== PHASE.parse) seen.push(isPipelined ? "pipelined" : "alone");
      return FORWARD;
    },
  }]);
  return { world, seen };
}

Deno.test("an Execute is not pipelined because of its own Parse, Bind and Describe", async () => {
  const { world, seen } = await watched();
  const { client, server } = await world.pair();
  await client.says(parse("select 1"), BIND, describe("P"), EXECUTE, SYNC);
  await server.says(...BEFORE_EXECUTE, message("n"), complete("SELECT 0"), ready());
  await client.says(BIND, EXECUTE, SYNC);
  deepEqual(seen, ["alone", "alone"]);
});

Deno.test("queries are pipelined behind others that are not answered", async () => {
  const { world, seen } = await watched();
  const { client, server } = await world.pair();
  await client.says(query("begin"), query("select 1"));
  await server.says(complete("BEGIN"), ready("T"), complete("SELECT 0"), ready("T"));
  await client.says(parse("commit"), BIND, EXECUTE, parse("select 1"), BIND, EXECUTE, SYNC);
  deepEqual(seen, ["alone", "pipelined", "alone", "pipelined"]);
});

Deno.test("queries are pipelined behind what no Sync has concluded, answered or not", async () => {
  const { world, seen } = await watched();
  const { client, server } = await world.pair();
  await client.says(parse("begin"), BIND, EXECUTE, FLUSH);
  await server.says(...BEFORE_EXECUTE, complete("BEGIN"));
  await client.says(parse("select 1"), BIND, EXECUTE, FLUSH);
  await server.says(...BEFORE_EXECUTE, complete("SELECT 0"));
  await client.says(query("select 1"));
  deepEqual(seen, ["alone", "pipelined", "pipelined"]);
  await server.says(complete("SELECT 0"), ready("T"));
  await client.says(SYNC);
  await server.says(ready("T"));
  await client.says(query("select 1"));
  deepEqual(seen.at(-1), "alone");
});
