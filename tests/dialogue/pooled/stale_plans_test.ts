import { deepEqual, ok } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import type { Actor } from "../../support/dialogue.ts";
import { bind, close, describe, parseNamed } from "../../support/extended_messages.ts";
import { KEEPS_UNITS } from "../../support/looking_on.ts";
import {
  type Bytes,
  error,
  EXECUTE,
  FLUSH,
  message,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import { admits, exchanges, type PooledOptions } from "../../support/pooled_world.ts";
import { BOUND, CLOSED, PARSED, prepared, RUN } from "../../support/prepared_world.ts";

/** A RowDescription of one column. */
function column(name: string, type: number): Bytes {
  const fields = new Uint8Array(18);
  fields[9] = type;
  return framed("T", Uint8Array.of(0, 1), new TextEncoder().encode(`${name}\0`), fields);
}

function framed(tag: string, ...parts: readonly Bytes[]): Bytes {
  const body = concat(...parts);
  return concat(
    new TextEncoder().encode(tag),
    Uint8Array.of(0, 0, 0, body.length + 4),
    body,
  );
}

const DONE = message("C", "SELECT 1\0");
const NO_PARAMETERS = message("t", "\0\0");
const NUMBER = column("n", 23);
const TEXT = column("n", 25);
const NO_DATA = message("n");

/** What the gateway asks a server ahead of a statement that the client was told the columns of. */
const ASKED = [parseNamed("sluice_1", "select 1"), describe("S", "sluice_1"), FLUSH];

const NO_SUCH_STATEMENT = error(
  "ERROR",
  "26000",
  'prepared statement "sluice_stale" does not exist',
);

const USE = [bind({ statement: "a" }), EXECUTE, SYNC];
const SENT = [bind({ statement: "sluice_1" }), EXECUTE, SYNC];

/** A client that was told the columns of "a" by one server, and a second server that lacks it. */
async function told(columns: Bytes, pool: PooledOptions["pool"] = {}) {
  const { world, client, server, other } = await prepared({ pool: { size: 2, ...pool } });
  await client.says(describe("S", "a"), SYNC);
  await server.hears(describe("S", "sluice_1"), SYNC);
  await server.says(NO_PARAMETERS, columns, ready());
  await client.hears(NO_PARAMETERS, columns, ready());
  await exchanges(other, server, "begin", "BEGIN", "T");
  return { world, client, server, other };
}

/** The second server answers what it is asked. */
async function describes(second: Actor, columns: Bytes): Promise<void> {
  await second.hears(...ASKED);
  await second.says(PARSED, NO_PARAMETERS, columns);
}

Deno.test("ClientStatements asks a server that lacks a statement whether its columns are what they were", async () => {
  for (const columns of [NUMBER, NO_DATA]) {
    const { world, client } = await told(columns);
    await client.says(...USE);
    const second = await admits(world);
    await describes(second, columns);
    await second.hears(...SENT);
    await second.says(...RUN);
    await client.hears(...RUN);
    // Once is enough.
    await client.says(...USE);
    await second.hears(...SENT);
  }
});

Deno.test("ClientStatements tells a client whose statement has other columns on another server", async () => {
  for (const [before, after] of [[NUMBER, TEXT], [NUMBER, column("m", 23)], [NUMBER, NO_DATA]]) {
    const { world, client } = await told(before!);
    await client.says(...USE);
    const second = await admits(world);
    await describes(second, after!);
    for (let i = 0; i < 2; i++) {
      if (i > 0) await client.says(...USE); // which does not help
      await second.hears(bind({ statement: "sluice_stale" }), EXECUTE, SYNC);
      await second.says(NO_SUCH_STATEMENT, ready());
      const heard = textOf(client.peer.take());
      ok(heard.includes("C0A000\0Mcached plan must not change result type\0"), heard);
      ok(heard.includes("RRevalidateCachedQuery\0"), heard);
    }
    // Preparing it once more does, under another name on the server.
    await client.says(parseNamed("b", "select 1"), SYNC);
    await second.hears(parseNamed("sluice_2", "select 1"), SYNC);
  }
});

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("ClientStatements sends again what describes a statement that has other columns now", async () => {
  const { world, client } = await told(NUMBER);
  await client.says(bind({ statement: "a" }), describe("P", ""), EXECUTE, SYNC);
  const second = await admits(world);
  await describes(second, TEXT);
  await second.hears(bind({ statement: "sluice_stale" }), describe("P", ""), EXECUTE, SYNC);
  await second.says(NO_SUCH_STATEMENT, ready());
  await client.hears();
  const again = textOf(second.peer.take());
  deepEqual(["DEALLOCATE sluice_1", "select 1"].map((part) => again.includes(part)), [true, true]);
  await second.says(message("C", "DEALLOCATE\0"), ready());
  await second.says(PARSED, BOUND, TEXT, message("C", "SELECT 1\0"), ready());
  await client.hears(BOUND, TEXT, message("C", "SELECT 1\0"), ready());
});

Deno.test("ClientStatements asks nothing for a client that was told nothing", async () => {
  const { world, client, server, other } = await prepared({ pool: { size: 2 } });
  await exchanges(other, server, "begin", "BEGIN", "T");
  await client.says(...USE);
  await (await admits(world)).hears(parseNamed("sluice_1", "select 1"), ...SENT);
});

Deno.test("ClientStatements takes what a client prepares anew for what it is", async () => {
  const { world, client } = await told(NUMBER);
  await client.says(parseNamed("b", "select 1"), SYNC);
  const second = await admits(world);
  await second.hears(parseNamed("sluice_1", "select 1"), SYNC);
  await second.says(PARSED, ready());
  await client.hears(PARSED, ready());
  await client.says(bind({ statement: "b" }), EXECUTE, SYNC);
  await second.hears(...SENT);
});

Deno.test("ClientStatements goes on when a server does not take the statement that it asks about", async () => {
  const { world, client } = await told(NUMBER);
  await client.says(...USE);
  const second = await admits(world);
  await second.hears(...ASKED);
  const gone = error("ERROR", "42P01", "no such table");
  await second.says(gone);
  await client.hears(gone);
  await second.hears(bind({ statement: "sluice_1" }), EXECUTE, SYNC);
  await second.says(ready());
  await client.hears(ready());
  // It is asked again, and not waited for.
  await client.says(...USE);
  await describes(second, NUMBER);
  await second.hears(...SENT);
});

Deno.test("ClientStatements asks a server once while it has not answered", async () => {
  const { world, client } = await told(NUMBER);
  const first = KEEPS_UNITS ? USE : USE.slice(0, 1);
  await client.says(...first);
  const second = await admits(world);
  await second.hears(...ASKED);
  await client.says(...USE.slice(first.length));
  await second.hears();
  await second.says(PARSED, NO_PARAMETERS, NUMBER);
  await second.hears(...SENT);
});

Deno.test("ClientStatements asks a server again that has prepared a statement anew", async () => {
  const { world, client } = await told(NUMBER, { preparedStatementsMax: 1 });
  await client.says(...USE);
  const second = await admits(world);
  await describes(second, NUMBER);
  await second.hears(...SENT);
  await second.says(...RUN);
  await client.hears(...RUN);
  await client.says(parseNamed("b", "select 2"), SYNC);
  await second.hears(parseNamed("sluice_2", "select 2"), close("S", "sluice_1"), SYNC);
  await second.says(PARSED, CLOSED, ready());
  await client.hears(PARSED, ready());
  await client.says(...USE);
  const [prepares, ...asks] = ASKED;
  await second.hears(prepares!, close("S", "sluice_2"), ...asks);
  await second.says(PARSED, CLOSED, NO_PARAMETERS, TEXT);
  await second.hears(bind({ statement: "sluice_stale" }), EXECUTE, SYNC);
});

Deno.test("ClientStatements prepares what a client prepares behind what is sent again", async () => {
  const [deallocated, described] = [message("C", "DEALLOCATE\0"), [BOUND, TEXT, DONE]];
  for (
    const [name, own] of [["", [deallocated]], ["c", [deallocated, NO_SUCH_STATEMENT]]] as const
  ) {
    const { world, client } = await told(NUMBER);
    await client.says(bind({ statement: "a" }), describe("P", ""), EXECUTE);
    const second = await admits(world);
    await describes(second, TEXT);
    await client.says(parseNamed(name, "select 2"), bind({ statement: name }), EXECUTE, SYNC);
    second.peer.take();
    await second.says(NO_SUCH_STATEMENT, ready());
    await client.hears();
    const again = textOf(second.peer.take());
    deepEqual([again.split("select 1\0").length, again.split("select 2\0").length], [2, 2]);
    for (const answer of own) await second.says(answer, ready());
    await second.says(PARSED, ...described, PARSED, BOUND, DONE, ready());
    await client.hears(...described, PARSED, BOUND, DONE, ready());
  }
});

Deno.test("ClientStatements sends nothing again that came before a Query, whichever server that has", async () => {
  const stale = message(
    "E",
    "SERROR\0VERROR\0C0A000\0Mcached plan must not change result type\0RRevalidateCachedQuery\0\0",
  );
  // What was described on the first server counts as unanswered by as many on the second one.
  for (let count = 0; count < 6; count++) {
    const { world, client } = await told(NUMBER);
    await client.says(query("select 0"));
    const second = await admits(world);
    await second.hears(query("select 0"));
    await second.says(DONE, ready());
    await client.hears(DONE, ready());
    for (let i = 0; i < count; i++) await exchanges(client, second, `select ${i}`, "SELECT 1");
    await client.says(query("select f()"));
    await second.hears(query("select f()"));
    await second.says(stale, ready());
    await client.hears(stale, ready());
    await second.hears();
  }
});
