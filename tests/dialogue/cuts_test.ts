/**
 * One short dialogue with one of every kind of message, cut at every byte and at every pair of
 * bytes, in both directions: what the other side hears never depends on the cuts.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { SERVER_KEY, World } from "../support/dialogue.ts";
import { IS_LOOKED_AT, KEEPS_UNITS } from "../support/looking_on.ts";
import {
  auth,
  AUTH_OK,
  backendKeyData,
  BIND,
  type Bytes,
  complete,
  copyData,
  dataRow,
  error,
  EXECUTE,
  message,
  negotiate,
  notification,
  parameterStatus,
  parse,
  password,
  query,
  ready,
  ROW_DESCRIPTION,
  startup,
  SYNC,
  TERMINATE,
  textOfMessages,
} from "../support/messages.ts";

const DOWN = concat(
  auth(5, Uint8Array.of(1, 2, 3, 4)),
  AUTH_OK,
  parameterStatus("a", "b"),
  backendKeyData(SERVER_KEY.processId, SERVER_KEY.key),
  ready(),
  ROW_DESCRIPTION,
  dataRow("a"),
  complete("SELECT 1"),
  error("ERROR", "42601", "no"),
  notification("c", "p"),
  message("1"),
  ready(),
);

const PARSE = parse("p");

const UP = concat(password("x"), query("q"), PARSE, BIND, EXECUTE, SYNC, TERMINATE);

const UP_SIMPLE = concat(password("x"), query("q"), copyData("d"), SYNC);

/** What the client hears of {@linkcode DOWN}, the key's bytes left out: they are made by chance. */
async function heard(pieces: readonly Uint8Array[], minorVersion: number): Promise<string[]> {
  const world = await World.start();
  const client = await world.client();
  await client.says(startup({ user: "ann" }, minorVersion));
  const server = await world.server();
  for (const piece of pieces) await server.says(piece);
  return textOfMessages(client.peer.take()).map((text) => text.startsWith("K") ? "K" : text);
}

function cuts(bytes: Uint8Array, ...ats: readonly number[]): Uint8Array[] {
  const ends = [...ats, bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter((one) =>
    one.length > 0
  );
}

async function servedAs(pieces: readonly Uint8Array[]): Promise<Bytes> {
  const world = await World.start();
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  const server = await world.server();
  server.peer.take();
  for (const piece of pieces) await client.says(piece);
  if (IS_LOOKED_AT) await server.says(AUTH_OK, ready());
  return new Uint8Array(server.peer.take());
}

Deno.test("Session's answer to a server does not depend on one cut", async () => {
  for (const minorVersion of [0, 9999]) {
    const whole = await heard([DOWN], minorVersion);
    const first = textOfMessages(minorVersion === 0 ? DOWN : concat(negotiate(2), DOWN));
    deepEqual(whole, first.map((text) => text.startsWith("K") ? "K" : text));
    for (let at = 1; at < DOWN.length; at++) {
      deepEqual(await heard(cuts(DOWN, at), minorVersion), whole, `cut at ${at}`);
    }
  }
});

Deno.test("Session's answer to a server does not depend on two cuts", async () => {
  // The login, where messages are translated, up to the first row: pairs grow with the square.
  const bytes = DOWN.subarray(0, 110);
  const whole = await heard([bytes], 0);
  for (let one = 1; one < bytes.length; one++) {
    for (let two = one + 1; two < bytes.length; two++) {
      deepEqual(await heard(cuts(bytes, one, two), 0), whole, `cut at ${one} and ${two}`);
    }
  }
});

Deno.test("Session passes a client's bytes whatever one cut, and two", async () => {
  for (const bytes of [UP, UP_SIMPLE]) {
    for (let one = 1; one < bytes.length; one++) {
      for (let two = one; two < bytes.length; two++) {
        const pieces = cuts(bytes, one, two);
        deepEqual(await servedAs(pieces), bytes, `cut at ${one} and ${two}`);
      }
    }
  }
});

Deno.test("Session shows a server only whole messages while they are small", async () => {
  const ends = new Set([0]);
  let size = 0;
  for (const one of [password("x"), query("q"), PARSE, BIND, EXECUTE, SYNC, TERMINATE]) {
    size += one.length;
    // Until the Execute, somebody may answer in the server's place.
    const isHeldBack = KEEPS_UNITS && (one === PARSE || one === BIND);
    if (!isHeldBack) ends.add(size);
  }
  for (let at = 1; at < UP.length; at++) {
    const bytes = await servedAs([UP.subarray(0, at)]);
    const shown = Math.max(...[...ends].filter((end) => end <= at));
    equal(bytes.length, shown, `cut at ${at}`);
  }
});
