/**
 * Sessions with plugins: those that only look on must change nothing, and those that answer, reject
 * and replace at random must have the client hear what a server would have said with such rules.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { HookChain } from "../../src/hooks/chain.ts";
import { PHASE } from "../../src/hooks/event.ts";
import { HOOK } from "../../src/hooks/hooks.ts";
import { World } from "../support/dialogue.ts";
import { bind, close, describe, execute, parseNamed } from "../support/extended_messages.ts";
import { onlooker } from "../support/looking_on.ts";
import { type Bytes, cut, FLUSH, query, SYNC } from "../support/messages.ts";
import { converse } from "../support/pooled_conversation.ts";
import { fuzz, type Random } from "../support/random.ts";
import { HIT, RuledServer } from "../support/ruled_server.ts";
import {
  can,
  type Handlers,
  plug,
  rejects,
  replaces,
  replays,
  runs,
  text,
} from "../support/subscribers.ts";

/** Seeds that have found something once. */
const KNOWN = {
  onlookers: [1_161, 1_000_795, 1_001_195, 1_002_797, 2_001_297, 2_005_033],
  rules: [6_000_096, 20_261_387],
};

Deno.test("HookedSession changes nothing while plugins only look on", async () => {
  const some = [HOOK.onQuery, HOOK.onError, HOOK.onQueryEnd, HOOK.onTransactionEnd];
  const reached = new Set<string>();
  await fuzz(30, async (random) => {
    const hooks = random.pick([undefined, some, [HOOK.onRow], [HOOK.onTrafficToServer]]);
    const chain = new HookChain([onlooker(hooks)]);
    await converse(random, reached, (world) => {
      world.hooks.chain = chain;
    });
  }, KNOWN.onlookers);
});

/** Answers, rejects and replaces by what a text begins with. */
const RULES: Handlers = {
  onQuery(event) {
    const said = text(event, "text") ?? "";
    if (said.startsWith("swap") && can(event, "replace")) return replaces("ok swapped");
    if (said.startsWith("bad parse") && event.phase !== PHASE.execute) return rejects("no");
    if (said.startsWith("bad run") && runs(event)) return rejects("no");
    const mayAnswer = said.startsWith("cached") && can(event, "respond");
    return mayAnswer && runs(event) ? replays(HIT) : undefined;
  },
};

const TEXTS = ["ok", "ok", "fail", "cached", "cached", "bad parse", "bad run", "swap", "begin"];

function say(random: Random): Bytes[] {
  const said = random.pick(TEXTS);
  const name = random.pick(["a", "b"]);
  const end = random.oneIn(3) ? [] : [SYNC];
  const described = random.oneIn(2) ? [describe("P")] : [];
  switch (random.below(7)) {
    case 0:
      return [query(random.pick([...TEXTS, "commit", "commit"]))];
    case 1:
      return [query("commit")];
    case 2:
      return [parseNamed(name, said), ...end];
    case 3:
      return [bind({ statement: name }), ...described, execute(), ...end];
    case 4:
      return [close("S", name), ...end];
    case 5:
      return [
        parseNamed("", said),
        bind(),
        ...described,
        execute(),
        ...end,
        // Left out: behind an error, a rejected Parse that a server skips still ends the statement.
        ...said === "bad parse" ? [] : [bind(), execute()],
        ...random.oneIn(4) ? [FLUSH] : [],
        SYNC,
      ];
  }
  return [parseNamed("", said), bind(), ...described, execute("", random.below(2)), ...end];
}

/** What counts: rows, ends, statuses, and that there is an error; not which one of two it is. */
function gist(stream: Uint8Array): string[] {
  return cut(stream).filter(({ tag }) => "DCEZI".includes(tag)).map(({ tag, bytes }) =>
    tag === "Z" ? `Z${String.fromCharCode(bytes[5]!)}` : tag
  );
}

Deno.test("HookedSession has a client hear what a server with its plugins' rules says", async () => {
  let rejected = 0;
  await fuzz(150, async (random) => {
    const world = await World.start();
    plug(world.hooks, RULES);
    const { client, server } = await world.pair();
    const [reference, real] = [new RuledServer(true), new RuledServer(false)];
    const said: Bytes[] = [];
    let heard = new Uint8Array();
    for (let i = 1 + random.below(12); i > 0; i--) said.push(...say(random));
    said.push(SYNC);
    const expected = reference.hear(concat(...said));
    for (const piece of random.pieces(concat(...said), random.pick([7, 60, 1_000]))) {
      await client.says(piece);
      if (random.oneIn(2)) await server.says(real.hear(server.peer.take()));
      heard = concat(heard, client.peer.take());
    }
    for (let i = 0; i < 40; i++) {
      await server.says(real.hear(server.peer.take()));
      heard = concat(heard, client.peer.take());
    }
    const told = cut(concat(...said)).map(textOfCut).join(" ");
    deepEqual(gist(heard).join(" "), gist(expected).join(" "), told);
    rejected += gist(heard).filter((one) => one === "E").length;
  }, KNOWN.rules);
  deepEqual(rejected > 0, true);
});

function textOfCut({ tag, bytes }: { readonly tag: string; readonly bytes: Uint8Array }): string {
  return `${tag}(${new TextDecoder().decode(bytes.subarray(5)).replaceAll("\0", "|")})`;
}
