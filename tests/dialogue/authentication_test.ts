import { deepEqual, equal } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { type Actor, World } from "../support/dialogue.ts";
import { IS_LOOKED_AT } from "../support/looking_on.ts";
import {
  auth,
  AUTH_OK,
  type Bytes,
  error,
  message,
  parameterStatus,
  password,
  query,
  ready,
  startup,
  TERMINATE,
} from "../support/messages.ts";

async function begin(world: World): Promise<{ client: Actor; server: Actor }> {
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  const server = await world.server();
  await server.hearsBytes(startup({ user: "ann" }));
  return { client, server };
}

/** What the server asks and the client answers, one after the other. */
const EXCHANGES: Readonly<Record<string, readonly { asks: Bytes; answers?: Bytes }[]>> = {
  trust: [],
  "a password in clear text": [{ asks: auth(3), answers: password("secret") }],
  MD5: [{ asks: auth(5, Uint8Array.of(0, 0xff, 7, 9)), answers: password(`md5${"a".repeat(32)}`) }],
  "SCRAM-SHA-256": [
    {
      asks: auth(10, "SCRAM-SHA-256\0\0"),
      answers: message("p", "SCRAM-SHA-256\0\0\0\0\u0020", "n,,n=,r=fyko+d2lbbFgONRv9qkxdawL"),
    },
    {
      asks: auth(11, "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"),
      answers: message("p", "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0"),
    },
    { asks: auth(12, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") },
  ],
  GSSAPI: [
    { asks: auth(7), answers: message("p", new Uint8Array(9_000).fill(1)) },
    { asks: auth(8, new Uint8Array(9_000).fill(2)), answers: message("p", Uint8Array.of(0)) },
  ],
};

for (const [method, exchange] of Object.entries(EXCHANGES)) {
  Deno.test(`Session relays authentication by ${method}`, async () => {
    const world = await World.start();
    const { client, server } = await begin(world);
    for (const { asks, answers } of exchange) {
      await server.says(asks);
      await client.hears(asks);
      if (answers === undefined) continue;
      await client.says(answers);
      await server.hears(answers);
    }
    deepEqual(world.states(), { "client login": 1, "db0 login": 1 });
    const rest = [AUTH_OK, parameterStatus("server_version", "18.0"), ready()];
    await server.says(...rest);
    await client.hears(...rest);
    deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
    equal(world.poolCount("queries"), 0); // the login's ReadyForQuery answers no query
    equal(world.logged("session ready").length, 1);
    equal(JSON.stringify(world.log).includes("secret"), false);
  });
}

Deno.test("Session relays a refused password once, and closes behind it", async () => {
  const world = await World.start();
  const { client, server } = await begin(world);
  await server.says(auth(3));
  await client.hears(auth(3));
  await client.says(password("wrong"));
  await server.hears(password("wrong"));
  const refusal = error("FATAL", "28P01", 'password authentication failed for user "ann"');
  await server.says(refusal);
  await server.leaves();
  await client.hearsEnd(refusal);
  await client.leaves();
  deepEqual(world.errors(), { "server 28P01": 1 });
  equal(world.poolCount("serversLost"), 0); // it said why
  await world.isOver();
});

Deno.test("Session counts an error once that is too large to be seen whole", async () => {
  for (const readSizeMax of [Infinity, 7, 1]) {
    const world = await World.start();
    const { client, server } = await begin(world);
    world.network.readSizeMax = readSizeMax;
    const refusal = error("FATAL", "28000", `no entry ${"x".repeat(9_000)}`);
    await server.says(refusal);
    await server.leaves();
    await client.hearsEnd(refusal);
    deepEqual(world.errors(), { "server 28000": 1 });
  }
});

Deno.test("Session reports a server that closes without a word during the login", async () => {
  const mild = error("ERROR", "42501", "no reason to close");
  for (const says of [[], [auth(3)], [AUTH_OK], [mild]]) {
    const world = await World.start();
    const { client, server } = await begin(world);
    await server.says(...says);
    await server.leaves();
    await client.hearsFatal("08006", /^the server closed the connection unexpectedly/, ...says);
    await client.leaves();
    equal(world.poolCount("serversLost"), 1);
    equal(world.errors()["gateway 08006"], 1);
    await world.isOver();
  }
});

Deno.test("Session passes what the client sends ahead of the login's end", async () => {
  const world = await World.start();
  const { client, server } = await begin(world);
  await client.says(query("select 1"));
  if (!IS_LOOKED_AT) await server.hears(query("select 1"));
  await server.says(AUTH_OK, ready());
  if (IS_LOOKED_AT) await server.hears(query("select 1"));
  await server.says(message("C", "SELECT 1\0"), ready());
  await client.hears(AUTH_OK, ready(), message("C", "SELECT 1\0"), ready());
  equal(world.poolCount("queries"), 1);
});

Deno.test("Session lets a client leave that is asked for a password", async () => {
  const world = await World.start();
  const { client, server } = await begin(world);
  await server.says(auth(10, "SCRAM-SHA-256\0\0"));
  await client.hears(auth(10, "SCRAM-SHA-256\0\0"));
  await client.leaves();
  equal(server.peer.hasSeenEnd, true);
  await server.leaves();
  equal(world.poolCount("serversLost"), 0);
  await world.isOver();
});

Deno.test("Session passes a Terminate in place of a password", async () => {
  const world = await World.start();
  const { client, server } = await begin(world);
  await server.says(auth(3));
  await client.hears(auth(3));
  await client.says(TERMINATE);
  await server.hears(TERMINATE);
  await server.leaves();
  await client.hearsEnd();
  await client.leaves();
  deepEqual(world.errors(), {});
  equal(world.poolCount("serversLost"), 0);
  await world.isOver();
});

Deno.test("Session refuses a server that does not speak the protocol", async () => {
  for (const says of [utf8("\0HTTP/1.1 400 Bad Request"), utf8("R\0\0\0\x03"), utf8("\x80")]) {
    const world = await World.start();
    const { client, server } = await begin(world);
    await server.says(says);
    await client.hearsFatal("08P01", /^the server broke the protocol: invalid/);
    await client.leaves();
    await server.leaves();
    await world.isOver();
  }
});
