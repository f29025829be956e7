import { deepEqual, equal } from "node:assert/strict";
import { type Actor, World } from "../support/dialogue.ts";
import {
  AUTH_OK,
  backendKeyData,
  type Bytes,
  cut,
  error,
  keyOf,
  negotiate,
  ready,
  startup,
} from "../support/messages.ts";

const LONG_KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const SHORT_KEY = Uint8Array.of(1, 2, 3, 4);

async function begin(
  world: World,
  parameters: Readonly<Record<string, string>>,
  minorVersion: number,
): Promise<{ client: Actor; server: Actor }> {
  const client = await world.client();
  await client.says(startup(parameters, minorVersion));
  return { client, server: await world.server() };
}

async function keySizeAfter(minorVersion: number, ...answers: Bytes[]): Promise<number> {
  const world = await World.start();
  const { client, server } = await begin(world, { user: "ann" }, minorVersion);
  await server.says(...answers, AUTH_OK, backendKeyData(9, LONG_KEY), ready());
  const key = cut(client.peer.take()).find(({ tag }) => tag === "K");
  return keyOf(key!.bytes).key.length;
}

Deno.test("Login passes protocol 3.0 and 3.2 as they are", async () => {
  for (const minorVersion of [0, 2]) {
    const world = await World.start();
    const { client, server } = await begin(world, { user: "ann" }, minorVersion);
    await server.hearsBytes(startup({ user: "ann" }, minorVersion));
    await server.says(AUTH_OK, ready());
    await client.hears(AUTH_OK, ready());
  }
});

Deno.test("Login answers an unknown minor version once, and asks the server for 3.2", async () => {
  const world = await World.start();
  const { client, server } = await begin(world, { user: "ann" }, 9999);
  await server.hearsBytes(startup({ user: "ann" }, 2));
  await client.hears();
  await server.says(AUTH_OK, ready());
  await client.hears(negotiate(2), AUTH_OK, ready());
});

Deno.test("Login negotiates unknown extensions away, and the server never sees them", async () => {
  const world = await World.start();
  const parameters = { user: "ann", "_pq_.a": "1", database: "shop", "_pq_.b": "" };
  const { client, server } = await begin(world, parameters, 0);
  await server.hearsBytes(startup({ user: "ann", database: "shop" }, 0));
  await server.says(AUTH_OK);
  await server.says(ready());
  await client.hears(negotiate(0, "_pq_.a", "_pq_.b"), AUTH_OK, ready());
});

Deno.test("Login merges what the server negotiates with its own answer into one", async () => {
  const world = await World.start();
  const { client, server } = await begin(world, { user: "ann", "_pq_.a": "1" }, 9999);
  await server.hearsBytes(startup({ user: "ann" }, 2));
  await server.says(negotiate(0), AUTH_OK, ready());
  await client.hears(negotiate(0, "_pq_.a"), AUTH_OK, ready());
});

Deno.test("Login passes on what an older server negotiates with a newer client", async () => {
  const world = await World.start();
  const { client, server } = await begin(world, { user: "ann" }, 2);
  await server.says(negotiate(0), AUTH_OK, ready());
  await client.hears(negotiate(0), AUTH_OK, ready());
});

Deno.test("Login gives an error before the answer about the version: there will be none", async () => {
  const world = await World.start();
  const { client, server } = await begin(world, { user: "ann" }, 9999);
  const refusal = error("FATAL", "53300", "sorry, too many clients already");
  await server.says(refusal);
  await server.leaves();
  await client.hearsEnd(refusal);
});

Deno.test("Login refuses a server that negotiates upwards", async () => {
  const world = await World.start();
  const { client, server } = await begin(world, { user: "ann" }, 0);
  await server.says(negotiate(2), AUTH_OK);
  await client.hearsFatal("08P01", /the server broke the protocol: .*newer than what was asked/);
});

Deno.test("Login makes cancel keys as long as the protocol that was agreed on allows", async () => {
  deepEqual(
    {
      "3.0": await keySizeAfter(0),
      "3.2": await keySizeAfter(2),
      "3.9999": await keySizeAfter(9999),
      "3.2, but the server speaks 3.0": await keySizeAfter(2, negotiate(0)),
    },
    { "3.0": 4, "3.2": 32, "3.9999": 32, "3.2, but the server speaks 3.0": 4 },
  );
});

Deno.test("Login never shows a server's own cancel key to the client", async () => {
  for (const serverKey of [SHORT_KEY, LONG_KEY, new Uint8Array(256).fill(7)]) {
    const world = await World.start();
    const { client, server } = await begin(world, { user: "ann" }, 2);
    await server.says(AUTH_OK, backendKeyData(4711, serverKey), ready());
    const heard = cut(client.peer.take());
    deepEqual(heard.map(({ tag }) => tag), ["R", "K", "Z"]);
    const { processId, key } = keyOf(heard[1]!.bytes);
    equal(key.length, 32);
    equal(processId === 4711, false);
    equal(key.slice(0, 4).join() === serverKey.slice(0, 4).join(), false);
  }
});

Deno.test("Login refuses a BackendKeyData whose key has no possible size", async () => {
  for (const size of [0, 3, 257]) {
    const world = await World.start();
    const { client, server } = await begin(world, { user: "ann" }, 2);
    await server.says(AUTH_OK, backendKeyData(1, new Uint8Array(size)), ready());
    await client.hearsFatal("08P01", /invalid BackendKeyData/, AUTH_OK);
    await client.leaves();
    await server.leaves();
    await world.isOver();
  }
});
