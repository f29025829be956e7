/**
 * What a session holds does not depend on how much passes through it.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { int32At } from "../../src/base/bytes.ts";
import { READ_BUFFER_SIZE_MAX } from "../../src/net/socket.ts";
import { World } from "../support/dialogue.ts";
import { LOOKING_ON } from "../support/looking_on.ts";
import { int32 } from "../support/messages.ts";

/** The largest message that PostgreSQL takes, header included. */
const SIZE = 1024 ** 3;

/** Four reads' worth. */
const CHUNK = 4 * READ_BUFFER_SIZE_MAX;

for (const who of ["client", "server"] as const) {
  const name = `Session streams a message of 1 GiB from the ${who} and holds none of it`;
  Deno.test({ name, ignore: LOOKING_ON === "all" }, async () => {
    const world = await World.start();
    const pair = await world.pair();
    const [speaker, listener] = [pair[who], pair[who === "client" ? "server" : "client"]];
    let passed = 0;
    let heldMost = 0;
    const chunk = new Uint8Array(CHUNK).fill(0x61);
    for (let sent = 0; sent < SIZE; sent += CHUNK) {
      const isFirst = sent === 0;
      const bytes = isFirst ? chunk.slice() : chunk;
      if (isFirst) bytes.set([0x64, ...int32(SIZE - 1)]);
      await speaker.says(bytes);
      const heard = listener.peer.take();
      if (isFirst) equal(int32At(heard, 1), SIZE - 1);
      passed += heard.length;
      const held = world.network.sockets.map((socket) => socket.heldBytes);
      heldMost = Math.max(heldMost, ...held);
    }
    equal(passed, SIZE);
    equal(heldMost, 0, "everything that was read has been passed on");
  });
}

Deno.test("Session stops reading from a server whose client does not read", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  client.peer.isReading = false;
  const chunk = new Uint8Array(1024 * 1024).fill(0x61);
  chunk.set([0x64, ...int32(8 * 1024 * 1024 - 1)]);
  for (let i = 0; i < 8; i++) {
    await server.says(i === 0 ? chunk : chunk.fill(0x61));
    const held = world.network.sockets.map((socket) => socket.heldBytes);
    if (LOOKING_ON !== "all") ok(Math.max(...held) <= READ_BUFFER_SIZE_MAX, `${held}`);
  }
  const waiting = LOOKING_ON === "all" ? 0 : 7 * 1024 * 1024;
  ok(server.peer.unreadBytes >= waiting, "the rest waits at the server");
  client.peer.isReading = true;
  await world.settle();
  equal(client.peer.take().length, 8 * 1024 * 1024);
});
