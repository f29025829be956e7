import { deepEqual, equal } from "node:assert/strict";
import { type Actor, SERVERS, World } from "../support/dialogue.ts";
import {
  auth,
  AUTH_OK,
  password,
  query,
  ready,
  SSL_REQUEST,
  startup,
} from "../support/messages.ts";

const TOO_LONG = /^canceling authentication: it took longer than 1s$/;

Deno.test("Session ends a login that takes longer than loginTimeout, whoever is slow", async () => {
  const begins: readonly ((client: Actor, world: World) => Promise<unknown>)[] = [
    () => Promise.resolve(),
    (client) => client.says(startup({ user: "ann" }).subarray(0, 10)),
    async (client) => {
      await client.says(SSL_REQUEST);
      client.peer.take();
    },
    async (client, world) => {
      await client.says(startup({ user: "ann" }));
      const server = await world.server();
      await server.says(auth(3));
      client.peer.take();
      await client.says(password("secret"));
      server.peer.take();
    },
    async (client, world) => {
      await client.says(startup({ user: "ann" }));
      await (await world.server()).says(auth(3));
      client.peer.take();
    },
  ];
  for (const begin of begins) {
    const world = await World.start({ listener: { loginTimeoutMs: 1_000 } });
    const client = await world.client();
    await begin(client, world);
    await world.pass(999);
    await client.hears();
    await world.pass(1);
    await client.hearsFatal("57014", TOO_LONG);
    equal(world.count("loginTimeouts"), 1);
    await client.leaves();
    await world.pass(30_000); // SERVER_LINGER_MS
    await world.isOver();
    const [record] = world.logged("login timed out");
    equal(record?.fields["session"], world.logged("client connected")[0]?.fields["session"]);
  }
});

Deno.test("Session counts startup and login as one time, and not what is between them", async () => {
  const world = await World.start({
    listener: { loginTimeoutMs: 1_000 },
    pool: { size: 1, acquireTimeoutMs: 50_000 },
    server: { retries: 1, backoffMs: 7_000, dialTimeoutMs: 20_000 },
  });
  const first = await world.pair();
  const client = await world.client();
  await world.pass(600);
  await client.says(startup({ user: "bob" }));
  await world.pass(40_000); // waits for a place
  world.network.answer(SERVERS[0]!, "hang");
  await first.client.leaves();
  await first.server.leaves();
  await world.pass(20_000); // is dialled, without an answer
  world.network.answer(SERVERS[0]!, "accept");
  await world.pass(7_000); // waits for the next attempt
  await (await world.server()).says(auth(3));
  await client.hears(auth(3));
  await world.pass(399);
  await client.hears();
  await world.pass(1);
  await client.hearsFatal("57014", TOO_LONG);
});

Deno.test("Session stops the time of the login at the first ReadyForQuery", async () => {
  const world = await World.start({ listener: { loginTimeoutMs: 1_000 } });
  const client = await world.client();
  await world.pass(500);
  await client.says(startup({ user: "ann" }));
  const server = await world.server();
  await server.says(AUTH_OK);
  await world.pass(499);
  await server.says(ready());
  await world.pass(1_000_000);
  await client.hears(AUTH_OK, ready());
  equal(world.count("loginTimeouts"), 0);
});

Deno.test("Session knows no limit of time once it is active", async () => {
  const world = await World.start({ listener: { loginTimeoutMs: 1_000 } });
  const { client, server } = await world.pair();
  await world.pass(1_000_000_000);
  await client.says(query("select 1"));
  await server.hears(query("select 1"));
  equal(world.count("loginTimeouts"), 0);
});

Deno.test("Session refuses clients above clientsMax, over all workers, until one leaves", async () => {
  const world = await World.start({ workers: 2, listener: { clientsMax: 2 } });
  const { client, server } = await world.pair(0);
  await world.pair(1);
  for (const worker of [0, 1]) {
    const refused = await world.client(worker);
    await refused.says(SSL_REQUEST);
    refused.peer.take();
    await refused.says(startup({ user: "eve" }));
    await refused.hearsFatal("53300", /^too many clients: listener "main" serves at most 2$/);
    await refused.leaves();
  }
  await client.leaves();
  await server.leaves();
  await world.pair(1);
  deepEqual(world.errors(), { "gateway 53300": 2 });
  equal(world.count("clientsRefused"), 2);
  const reasons = world.logged("client refused").map(({ fields }) => fields["reason"]);
  deepEqual(reasons, Array(2).fill("servers.main.clientsMax clients are served"));
});

Deno.test("SessionListener closes what comes beyond twice clientsMax without a word", async () => {
  const world = await World.start({ listener: { clientsMax: 2 } });
  const silent = [];
  for (let i = 0; i < 4; i++) silent.push(await world.client());
  deepEqual(world.states(), { "client startup": 4 });
  const refused = await world.client();
  await refused.hearsEnd();
  equal(world.count("clientsRefused"), 1);
  await silent[0]!.leaves();
  const served = await world.client();
  await served.says(startup({ user: "ann" }));
  await (await world.server()).says(AUTH_OK, ready());
  await served.hears(AUTH_OK, ready());
});
