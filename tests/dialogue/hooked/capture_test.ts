import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { HookChain } from "../../../src/hooks/chain.ts";
import type { Capture } from "../../../src/hooks/event.ts";
import { type Pair, World } from "../../support/dialogue.ts";
import { describe, execute, int16, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  complete,
  COPY_DONE,
  copyData,
  dataRow,
  error,
  EXECUTE,
  FLUSH,
  message,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
  textOfMessages,
} from "../../support/messages.ts";
import { pooledPair } from "../../support/pooled_world.ts";
import {
  answers,
  type Handlers,
  plug,
  rejects,
  replaces,
  replays,
  runs,
  subscriber,
  text,
} from "../../support/subscribers.ts";

const [PARSED, BOUND, SUSPENDED] = [message("1"), message("2"), message("s")];
const DESCRIBE = describe("P");
const FAILED = error("ERROR", "22012", "zero");
const ROWS = [dataRow("a"), dataRow("b"), complete("SELECT 2")];

/** Captures what runs; `kept` gets what is captured, by the query's text. */
function capturing(kept: [string, string[]][], sizeMax = 1_000, more: Handlers = {}): Handlers {
  return {
    ...more,
    onQuery(event) {
      const said = text(event, "text")!;
      const verdict = more.onQuery?.(event);
      if (verdict !== undefined) return verdict;
      const keep = (bytes: Uint8Array) => void kept.push([said, textOfMessages(bytes)]);
      equal(event.capture?.(sizeMax, keep), runs(event) ? true : undefined);
      return undefined;
    },
  };
}

async function relayed(handlers: Handlers): Promise<Pair & { readonly world: World }> {
  const world = await World.start();
  plug(world.hooks, handlers);
  return { world, ...await world.pair() };
}

function textsOf(...messages: readonly Uint8Array[]): string[] {
  return textOfMessages(concat(...messages));
}

Deno.test("HookedSession captures a unit with its description, and without", async () => {
  for (const isDescribed of [true, false]) {
    const kept: [string, string[]][] = [];
    const { client, server } = await relayed(capturing(kept));
    const columns = isDescribed ? [ROW_DESCRIPTION] : [];
    const described = isDescribed ? [DESCRIBE] : [];
    await client.says(parse("x"), BIND, ...described, EXECUTE, SYNC);
    await server.says(PARSED, BOUND, ...columns, ...ROWS.slice(0, 1));
    deepEqual(kept, []);
    await server.says(...ROWS.slice(1), ready());
    deepEqual(kept, [["x", textsOf(...columns, ...ROWS)]]);
  }
});

Deno.test("HookedSession captures each unit of a pipeline for itself, up to one that fails", async () => {
  const kept: [string, string[]][] = [];
  const { client, server } = await relayed(capturing(kept));
  const unit = (said: string) => [parse(said), BIND, DESCRIBE, EXECUTE];
  await client.says(...unit("a"), ...unit("b"), ...unit("c"), SYNC, ...unit("d"), SYNC);
  const begun = [PARSED, BOUND, ROW_DESCRIPTION];
  await server.says(...begun, dataRow("1"), complete("SELECT 1"));
  await server.says(...begun, dataRow("2"), FAILED, ready());
  await server.says(PARSED, BOUND, message("n"), complete("INSERT 0 1"), ready());
  deepEqual(kept, [
    ["a", textsOf(ROW_DESCRIPTION, dataRow("1"), complete("SELECT 1"))],
    ["d", textsOf(complete("INSERT 0 1"))],
  ]);
});

Deno.test("HookedSession captures nothing that is no whole answer", async () => {
  const kept: [string, string[]][] = [];
  const { client, server } = await relayed(capturing(kept));
  await client.says(parse("part"), BIND, execute("", 1), SYNC);
  await server.says(PARSED, BOUND, dataRow("1"), SUSPENDED, ready());
  await client.says(query("copy t to stdout"));
  const copyOut = [message("H", "\0", int16(0)), copyData("1"), COPY_DONE];
  await server.says(...copyOut, complete("COPY 1"), ready());
  await client.says(query(""));
  await server.says(message("I"), ready());
  await client.says(query("begin; commit"));
  await server.says(complete("BEGIN"), complete("COMMIT"), ready());
  await client.says(query("ends"));
  await server.says(ROW_DESCRIPTION, dataRow("a"), FAILED, ready());
  deepEqual(kept, []);
  await client.says(query("noticed"));
  await server.says(error("NOTICE", "00000", "psst", "N"), complete("X"), ready());
  deepEqual(kept, [["noticed", textsOf(complete("X"))]]);
});

Deno.test("HookedSession captures nothing whose Bind a server may have got before", async () => {
  const isTaken: unknown[] = [];
  const { client, server } = await relayed({
    onQuery(event) {
      if (runs(event)) isTaken.push(event.capture?.(1_000, () => isTaken.push("kept")));
    },
  });
  await client.says(parse("x"), BIND, FLUSH);
  await server.says(PARSED, BOUND);
  await client.says(EXECUTE, SYNC);
  await server.says(...ROWS, ready());
  const portal = message("B", "p\0s\0\0\0\0\0\0\0");
  await client.says(parseNamed("s", "x"), portal, execute("p"), SYNC);
  await server.says(PARSED, BOUND, ...ROWS, ready());
  deepEqual(isTaken, [false, false]);
  await client.says(parseNamed("t", "x"), FLUSH);
  await server.says(PARSED);
  await client.says(message("B", "\0t\0\0\0\0\0\0\0"), EXECUTE, SYNC);
  await server.says(BOUND, ...ROWS, ready());
  deepEqual(isTaken.slice(2), [true, "kept"]);
});

Deno.test("HookedSession captures up to a limit, to the byte", async () => {
  const answer = concat(ROW_DESCRIPTION, ...ROWS);
  for (const [sizeMax, count] of [[answer.length, 1], [answer.length - 1, 0]] as const) {
    const kept: [string, string[]][] = [];
    const { client, server } = await relayed(capturing(kept, sizeMax));
    await client.says(query("x"));
    await server.says(answer, ready());
    await client.hears(answer, ready());
    equal(kept.length, count);
  }
});

Deno.test("HookedSession captures what the client gets", async () => {
  const kept: [string, string[]][] = [];
  const { client, server } = await relayed(
    capturing(kept, 1_000, { onRow: () => replaces(dataRow("***")) }),
  );
  await client.says(query("x"));
  await server.says(ROW_DESCRIPTION, ...ROWS, ready());
  deepEqual(kept, [["x", textsOf(ROW_DESCRIPTION, dataRow("***"), complete("SELECT 2"))]]);
});

Deno.test("HookedSession captures for each plugin that wants it", async () => {
  const world = await World.start();
  const kept: string[] = [];
  const capturer = (name: string, sizeMax: number) =>
    subscriber({
      onQuery(event) {
        event.capture?.(sizeMax, ({ length }) => void kept.push(`${name} ${length}`));
      },
    }, { name });
  world.hooks.chain = new HookChain([capturer("a", 1_000), capturer("b", 10), capturer("c", 500)]);
  const { client, server } = await world.pair();
  const { length } = concat(ROW_DESCRIPTION, ...ROWS);
  await client.says(query("x"));
  await server.says(ROW_DESCRIPTION, ...ROWS, ready());
  deepEqual(kept, [`a ${length}`, `c ${length}`]);
  await client.says(parse("x"), BIND, DESCRIBE, EXECUTE, SYNC);
  await server.says(PARSED, BOUND, ROW_DESCRIPTION, ...ROWS, ready());
  deepEqual(kept.slice(2), [`a ${length}`, `c ${length}`]);
});

Deno.test("HookedSession captures nothing for who asks too late, or of what is not a query", async () => {
  let late: Capture | undefined;
  const isTaken: unknown[] = [];
  const ask = (capture: Capture | undefined) => capture?.(1_000, () => isTaken.push("kept"));
  const { client, server } = await relayed({
    onQuery(event) {
      if (event.phase === 2) isTaken.push(ask(event.capture));
      else late = event.capture;
    },
    onTrafficFromClient: (event) => void isTaken.push(ask(event.capture)),
    onQueryEnd: (event) => void isTaken.push(ask(event.capture)),
  });
  await client.says(query("x"));
  isTaken.push(ask(late));
  await client.says(parse("y"));
  await server.says(complete("X"), ready());
  deepEqual(isTaken, [undefined, false, undefined, undefined, undefined]);
});

Deno.test("HookedSession captures nothing of what a plugin makes, or hides from the client", async () => {
  const kept: [string, string[]][] = [];
  const { client, server } = await relayed({
    onQuery(event) {
      const said = text(event, "text")!;
      if (!runs(event)) return undefined;
      event.capture?.(1_000, (bytes) => void kept.push([said, textOfMessages(bytes)]));
      if (said === "bad") return rejects("no");
      return said === "cached" ? answers("hit") : undefined;
    },
  });
  await client.says(query("cached"), query("bad"));
  await client.says(query("fails"), parse("cached"), BIND, EXECUTE);
  await client.says(parse("rollback"), BIND, EXECUTE, SYNC);
  await server.says(FAILED, ready("E"));
  // The client has been told that the transaction has failed, and hears nothing of the rollback.
  await server.says(PARSED, BOUND, complete("ROLLBACK"), ready());
  deepEqual(kept, []);
});

Deno.test("HookedSession replays what it has captured of one client to another, pooled", async () => {
  let cached: Uint8Array | undefined;
  const { world, client, server } = await pooledPair();
  plug(world.hooks, {
    onQuery(event) {
      if (!runs(event)) return undefined;
      if (cached !== undefined) return replays(cached);
      event.capture?.(1_000, (bytes) => void (cached = bytes));
      return undefined;
    },
  });
  const unit = [parse("x"), BIND, DESCRIBE, EXECUTE, SYNC];
  const answer = [PARSED, BOUND, ROW_DESCRIPTION, ...ROWS, ready()];
  await client.says(...unit);
  equal(server.peer.take().length > 0, true);
  await server.says(...answer);
  await client.hears(...answer);
  await client.says(...unit);
  await client.hears(...answer);
  await client.says(query("x"));
  await client.hears(ROW_DESCRIPTION, ...ROWS, ready());
  await server.hears();
});
