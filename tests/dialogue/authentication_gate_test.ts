import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { AuthConfig, ServerConfig } from "../../src/config/config.ts";
import { SERVER_DEFAULTS } from "../support/configs.ts";
import { type Actor, SERVER_KEY, World } from "../support/dialogue.ts";
import {
  auth,
  AUTH_OK,
  backendKeyData,
  type Bytes,
  cut,
  errorFields,
  int32,
  message,
  negotiate,
  parameterStatus,
  password,
  query,
  ready,
  startup,
  TERMINATE,
  textOfMessages,
} from "../support/messages.ts";

const CLEARTEXT: Bytes = auth(3);
const ANN: Bytes = startup({ user: "ann" });
const WRONG = /^password authentication failed for user "ann"$/;

function listener(settings: Partial<AuthConfig>): Partial<ServerConfig> {
  const users = new Map([["ann", "secret"], ["bob", "another"]]);
  return { auth: { ...SERVER_DEFAULTS.auth, method: "password", users, ...settings } };
}

function start(settings: Partial<AuthConfig> = {}, more: Partial<ServerConfig> = {}) {
  return World.start({
    listener: { ...listener(settings), ...more },
    pool: { mode: "transaction", size: 1 },
  });
}

/** A client that has been asked for its password. */
async function asked(world: World, who: Bytes = ANN): Promise<Actor> {
  const client = await world.client();
  await client.says(who);
  await client.hears(CLEARTEXT);
  return client;
}

/** Lets the gateway log in to a server. */
async function admit(world: World, user = "ann"): Promise<Actor> {
  const server = await world.server();
  await server.hearsBytes(startup({ user, database: user }));
  await server.says(
    AUTH_OK,
    parameterStatus("client_encoding", "UTF8"),
    backendKeyData(SERVER_KEY.processId, SERVER_KEY.key),
    ready(),
  );
  return server;
}

/** Checks that the client is in: that AuthenticationOk comes, and ReadyForQuery at last. */
async function isLetIn(world: World, client: Actor): Promise<void> {
  await world.settle();
  const messages = cut(client.peer.take());
  deepEqual(textOfMessages(messages[0]!.bytes), textOfMessages(AUTH_OK));
  equal(messages.at(-1)!.tag, "Z");
  equal(messages.filter(({ tag }) => tag === "E").length, 0);
}

async function tries(world: World, text: string): Promise<Actor> {
  const client = await asked(world);
  await client.says(password(text));
  return client;
}

Deno.test("ClientGate asks for a password, and logs in to the server with it", async () => {
  const world = await start();
  const client = await asked(world);
  await world.noServer();
  await client.says(password("secret"));
  await admit(world);
  await isLetIn(world, client);
});

Deno.test("ClientGate refuses a wrong password, and no server hears of it", async () => {
  const world = await start();
  for (const text of ["wrong", "", "secret ", "Secret", "another"]) {
    const client = await world.client();
    await client.says(ANN);
    await world.pass(5_000); // it has to wait after a failure
    await client.hears(CLEARTEXT);
    await client.says(password(text));
    await client.hearsFatal("28P01", WRONG);
    await client.leaves();
  }
  await world.noServer();
  await world.isOver();
  const reasons = world.logged("authentication failed").map(({ fields }) => fields["reason"]);
  equal(reasons.length, 5);
});

Deno.test("ClientGate answers unknown users as it answers known ones", async () => {
  for (const method of ["password", "md5", "scram-sha-256"] as const) {
    const world = await start({ method });
    const shapes: string[] = [];
    for (const user of ["ann", "nobody"]) {
      const client = await world.client();
      await client.says(startup({ user }));
      const answer = cut(client.peer.take());
      shapes.push(answer.map(({ tag, bytes }) => `${tag}${bytes.length}:${bytes[8]}`).join());
      await client.leaves();
    }
    equal(shapes[0], shapes[1], method);
    await world.isOver();
  }
});

Deno.test("ClientGate takes a password that comes byte by byte, or behind the startup", async () => {
  const world = await start();
  const slow = await asked(world);
  for (const byte of password("secret")) await slow.says(Uint8Array.of(byte));
  await admit(world);
  await isLetIn(world, slow);
  const fast = await world.client();
  await fast.says(ANN, password("secret"));
  await world.settle();
  const messages = cut(fast.peer.take());
  deepEqual(textOfMessages(messages[0]!.bytes), textOfMessages(CLEARTEXT));
  deepEqual(textOfMessages(messages[1]!.bytes), textOfMessages(AUTH_OK));
});

Deno.test("ClientGate refuses what is no password, and what is too long for one", async () => {
  const wrong: readonly Bytes[] = [
    query("select 1"),
    message("p"),
    message("p", "no end"),
    message("p", "two\0texts\0"),
    Uint8Array.of(0x70, 0xff, 0xff, 0xff, 0xff, 0, 0, 0),
    Uint8Array.of(0x70, 0, 0, 0, 3, 0, 0, 0),
    Uint8Array.of(0x70, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0),
    new Uint8Array([...new TextEncoder().encode("p"), ...int32(70_000)]),
  ];
  for (const [index, bytes] of wrong.entries()) {
    const world = await start();
    const client = await asked(world);
    await client.says(bytes);
    const messages = cut(client.peer.take());
    equal(messages.length, 1, `case ${index}`);
    const fields = errorFields(messages[0]!.bytes);
    match(fields.get("C")!, /^(08P01|28P01)$/, `case ${index}`);
    ok(client.peer.hasSeenEnd);
    await world.noServer();
    await client.leaves();
    await world.isOver();
  }
});

Deno.test("ClientGate lets a client leave at any time", async () => {
  const leaving: readonly ((client: Actor) => Promise<void>)[] = [
    (client) => client.leaves(),
    (client) => client.breaks(),
    async (client) => {
      await client.says(TERMINATE);
      await client.hearsEnd();
      await client.leaves();
    },
    async (client) => {
      await client.says(password("secret").subarray(0, 6));
      await client.leaves();
    },
  ];
  for (const leave of leaving) {
    const world = await start();
    await leave(await asked(world));
    await world.noServer();
    await world.isOver();
  }
});

Deno.test("ClientGate ends an exchange that takes longer than loginTimeout", async () => {
  const world = await start({}, { loginTimeoutMs: 1_000 });
  const client = await asked(world);
  await world.pass(999);
  await client.hears();
  await world.pass(1);
  await client.hearsFatal("57014", /^canceling authentication: it took longer than 1s$/);
  await client.leaves();
  await world.isOver();
});

Deno.test("ClientGate declines what it does not speak before it asks", async () => {
  const world = await start();
  const client = await world.client();
  await client.says(startup({ user: "ann", "_pq_.unknown": "1" }, 9));
  await client.hears(negotiate(2, "_pq_.unknown"), CLEARTEXT);
});

Deno.test("ClientGate refuses a replication that is none", async () => {
  const world = await start({ method: "trust" });
  const client = await world.client();
  await client.says(startup({ user: "ann", replication: "perhaps" }));
  await client.hearsFatal("22023", /invalid value for parameter "replication": "perhaps"/);
  await client.leaves();
  await world.isOver();
});

Deno.test("ClientGate goes by the first rule that fits", async () => {
  const everybody = { databases: ["all"], address: undefined };
  const options = { map: "", clientCertificate: undefined };
  const world = await start({
    method: "rules",
    rules: [
      { type: "local", ...everybody, users: ["all"], method: "trust", options },
      { type: "hostssl", ...everybody, users: ["all"], method: "trust", options },
      { type: "host", ...everybody, users: ["bob"], method: "reject", options },
      { type: "host", ...everybody, users: ["ann", "bob"], method: "password", options },
    ],
  });
  await (await asked(world)).leaves();
  const rejected = await world.client();
  await rejected.says(startup({ user: "bob" }));
  await rejected.hearsFatal(
    "28000",
    /^a rule rejects .*user "bob", database "bob", no encryption$/,
  );
  const stranger = await world.client();
  await stranger.says(startup({ user: "carol", database: "d" }));
  await stranger.hearsFatal("28000", /^no rule for .*user "carol", database "d", no encryption$/);
  for (const client of [rejected, stranger]) await client.leaves();
  await world.isOver();
});

Deno.test("FailureThrottle: each failure makes the next login wait longer", async () => {
  const world = await start({ failuresMax: 100 });
  for (const delayMs of [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    const client = await world.client();
    await client.says(ANN);
    if (delayMs > 0) {
      await world.pass(delayMs - 1);
      await client.hears();
      await world.pass(1);
    }
    await client.hears(CLEARTEXT);
    await client.says(password("wrong"));
    await client.hearsFatal("28P01", WRONG);
    await client.leaves();
  }
  await world.isOver();
});

Deno.test("FailureThrottle: too many failures are refused until the ban ends", async () => {
  const world = await start({ failuresMax: 1, banTimeMs: 30_000 });
  await (await tries(world, "wrong")).hearsFatal("28P01", WRONG);
  await world.pass(29_001);
  const client = await world.client();
  await client.says(ANN);
  const fields = errorFields(client.peer.take());
  equal(fields.get("C"), "28000");
  equal(fields.get("M"), "too many authentication failures from your address");
  equal(fields.get("H"), "Try again in 1 s.");
  await world.pass(999);
  const later = await tries(world, "secret");
  await admit(world);
  await isLetIn(world, later);
});

Deno.test("FailureThrottle: those who were asked before the ban have no attempt left", async () => {
  const world = await start({ failuresMax: 2 });
  const clients = [];
  for (let i = 0; i < 5; i++) clients.push(await asked(world));
  for (const client of clients) await client.says(password("wrong"));
  const codes = clients.map((client) => errorFields(client.peer.take()).get("C"));
  deepEqual(codes, ["28P01", "28P01", "28000", "28000", "28000"]);
});

Deno.test("ClientGate: who waits because of failures may leave, and a stop sends it away", async () => {
  const world = await start({ failuresMax: 100 });
  for (let i = 0; i < 4; i++) {
    const client = await world.client();
    await client.says(ANN);
    await world.pass(5_000);
    await client.hears(CLEARTEXT);
    await client.says(password("wrong"));
    await client.leaves();
  }
  const leaving = await world.client();
  await leaving.says(ANN);
  await leaving.hears();
  await leaving.leaves();
  await world.isOver();
  const waiting = await world.client();
  await waiting.says(ANN);
  world.planes[0]!.drain(() => {});
  await waiting.hearsFatal("57P03", /./);
  await waiting.leaves();
  await world.isOver();
});

Deno.test("ClientGate: no secret is in the log, whatever happens", async () => {
  const world = await start();
  await (await tries(world, "wr0ng-secret")).hearsFatal("28P01", WRONG);
  const client = await world.client();
  await client.says(ANN);
  await world.pass(100);
  await client.says(password("secret"));
  const server = await world.server();
  await server.says(auth(5, Uint8Array.of(1, 2, 3, 4)));
  await server.leaves();
  await client.leaves();
  const log = JSON.stringify(world.log);
  for (const secret of ["wr0ng-secret", '"secret"', "another"]) equal(log.includes(secret), false);
});

Deno.test("ClientGate names no key for a password that is too long: its limit is fixed", async () => {
  const client = await asked(await start());
  await client.says(Uint8Array.of(0x70, 0x7f, 0xff, 0xff, 0xff));
  const fields = await client.hearsFatal("08P01", /^invalid length of message "p"/);
  equal(fields.get("H"), undefined);
});
