/**
 * What comes alone goes a short way through a hooked session. Two of them hear the same client and
 * the same plugin; in the second one somebody wants messages that never come, so that nothing goes
 * the short way. All that plugins, servers and clients get must be the same.
 *
 * @module
 */

import { deepEqual, ok } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { HookChain } from "../../src/hooks/chain.ts";
import { type HookEvent, PHASE } from "../../src/hooks/event.ts";
import type { Verdict } from "../../src/hooks/verdict.ts";
import { World } from "../support/dialogue.ts";
import { bind, close, describe, execute, parseNamed } from "../support/extended_messages.ts";
import { type Bytes, FLUSH, query, readable, SYNC } from "../support/messages.ts";
import { fuzz, type Random } from "../support/random.ts";
import { HIT, RuledServer } from "../support/ruled_server.ts";
import { can, rejects, replaces, replays, subscriber, text } from "../support/subscribers.ts";

const DELAY_MS = 50;

const TEXTS = ["ok", "ok", "ok", "fail", "cached", "bad run", "swap", "slow", "kept", "begin"];

/** A session, its server, and what its plugin was asked. */
class Hooked {
  readonly world: World;
  readonly #pair: Awaited<ReturnType<World["pair"]>>;
  readonly #server = new RuledServer(false);
  /** What each has got so far. */
  readonly told: string[] = [];
  asked = 0;

  private constructor(world: World, pair: Awaited<ReturnType<World["pair"]>>) {
    this.world = world;
    this.#pair = pair;
  }

  static async start(hasShortWay: boolean): Promise<Hooked> {
    const world = await World.start();
    const hooked = new Hooked(world, await world.pair());
    const asked = { onQuery: (event: HookEvent) => hooked.#onQuery(event) };
    const other = hasShortWay ? {} : { onTrafficFromClient: () => {} };
    world.hooks.chain = new HookChain([subscriber({ ...asked, ...other }, { types: "" })]);
    return hooked;
  }

  #onQuery(event: HookEvent): Verdict | undefined {
    this.asked += 1;
    const { request, phase, flags, transactionStatus } = event;
    const said = text(event, "text") ?? "none";
    const fields = ["statementName", "portalName", "parameters", "resultFormats"] as const;
    const more = fields.map((field) => text(event, field));
    this.told.push(`asked ${[request, phase, flags, transactionStatus, said, ...more].join()}`);
    if (said.startsWith("slow")) event.delayMs = DELAY_MS;
    if (said.startsWith("kept")) {
      const isKept = event.capture?.(1_000, (bytes) => this.told.push(`kept ${readable(bytes)}`));
      this.told.push(`capture ${isKept}`);
    }
    if (said.startsWith("swap") && can(event, "replace")) return replaces("ok swapped");
    if (said.startsWith("bad run") && event.phase !== PHASE.parse) return rejects("no");
    if (said.startsWith("cached") && can(event, "respond")) return replays(HIT);
    return undefined;
  }

  async says(bytes: Uint8Array): Promise<void> {
    await this.#pair.client.says(bytes as Bytes);
    this.#note("client", this.#pair.client.peer.take());
  }

  /** The server answers what it has got, with pauses in its answer at these places. */
  async answers(cuts: readonly number[]): Promise<void> {
    await this.world.pass(DELAY_MS);
    const heard = this.#pair.server.peer.take();
    this.#note("server", heard);
    const answer = this.#server.hear(heard);
    let start = 0;
    for (const cut of [...cuts.filter((at) => at < answer.length), answer.length]) {
      await this.#pair.server.says(answer.slice(start, cut));
      start = cut;
    }
    this.#note("client", this.#pair.client.peer.take());
  }

  #note(who: string, heard: Uint8Array): void {
    // The portal of an Execute that is to fail has a name that nobody could guess.
    const said = readable(heard).replace(/[0-9a-f-]{36}/, "failing");
    if (heard.length > 0) this.told.push(`${who} ${said}`);
  }
}

/** One request, or several. */
function step(random: Random): Bytes[] {
  const said = random.pick(TEXTS) + random.pick(["", "", " x", " $1"]);
  const name = random.pick(["a", "b"]);
  const described = random.oneIn(2) ? [describe("P")] : [];
  const values = random.oneIn(2) ? { values: ["1"], resultFormats: [1] } : {};
  const statement = random.oneIn(4) ? "" : name;
  switch (random.below(10)) {
    case 0:
      return [query(said)];
    case 1:
      return [query("commit")];
    case 2:
      return [parseNamed(name, said), SYNC];
    case 3:
      return [close("S", name), parseNamed(name, said), SYNC];
    case 4:
      return [parseNamed("", said), ...random.oneIn(2) ? [FLUSH] : [SYNC]];
    case 5:
      return [parseNamed("", said), bind(values), ...described, execute(), SYNC, query("ok")];
    case 6:
      return [parseNamed("", said), bind(values), ...described, execute(), SYNC];
    case 7:
      return [execute(), SYNC];
  }
  return [bind({ statement, ...values }), ...described, execute("", random.oneIn(6) ? 1 : 0), SYNC];
}

Deno.test("LoneRequests tell plugins, servers and clients what they are told on the long way", async () => {
  let asked = 0;
  await fuzz(60, async (random) => {
    const sessions = [await Hooked.start(true), await Hooked.start(false)];
    const said: string[] = [];
    for (let steps = 2 + random.below(20); steps > 0; steps--) {
      const bytes = concat(...step(random));
      said.push(readable(bytes));
      const pieces = random.oneIn(5) ? [...random.pieces(bytes, 40)] : [bytes];
      for (const piece of pieces) {
        for (const session of sessions) await session.says(piece);
      }
      if (random.oneIn(6)) continue; // the next one is said before this is answered
      const cuts = random.oneIn(4) ? [1 + random.below(30)] : [];
      for (const session of sessions) await session.answers(cuts);
    }
    for (let i = 0; i < 5000; i++) {
      if (sessions[0]!.told[i] !== sessions[1]!.told[i]) {
        break;
      }
    }
    deepEqual(sessions[0]!.told, sessions[1]!.told, said.join("\n"));
    asked += sessions[0]!.asked;
  });
  ok(asked > 0);
});
