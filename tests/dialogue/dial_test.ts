import { deepEqual, equal, match } from "node:assert/strict";
import { openSsl } from "../../src/net/tls/openssl.ts";
import { CLIENT_DEFAULTS } from "../support/configs.ts";
import { type Actor, SERVERS, World } from "../support/dialogue.ts";
import { IS_LOOKED_AT } from "../support/looking_on.ts";
import {
  auth,
  AUTH_OK,
  type Bytes,
  error,
  query,
  ready,
  SSL_REQUEST,
  startup,
} from "../support/messages.ts";
import { admits, hearsWelcome, startPooled } from "../support/pooled_world.ts";

openSsl(); // a test that loads it and leaves it there is taken for one that leaks

const PAUSES = { retries: 3, backoffMs: 100, backoffMultiplier: 3 } as const;

Deno.test("Session tries again after growing pauses, and then says which database it was", async () => {
  const world = await World.start({ server: PAUSES });
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  const failures = [];
  for (const pauseMs of [0, 99, 1, 299, 1, 899, 1]) {
    await world.pass(pauseMs);
    failures.push(world.poolCount("serverDialFailures"));
  }
  deepEqual(failures, [1, 1, 2, 2, 3, 3, 4]);
  await client.hearsFatal("08001", /^cannot connect to the database server: "db0" did not answer/);
  await client.leaves();
  await world.isOver();
});

Deno.test("Session goes on as soon as an attempt succeeds", async () => {
  const world = await World.start({ server: PAUSES });
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  world.network.answer(SERVERS[0]!, "accept");
  await world.pass(100);
  const server = await world.server();
  await server.says(AUTH_OK, ready());
  await client.hears(AUTH_OK, ready());
  equal(world.poolCount("serversOpened"), 1);
});

Deno.test("Session names every database that it tried", async () => {
  const world = await World.start({ servers: 2 });
  world.network.answer(SERVERS[0]!, "refuse");
  world.network.answer(SERVERS[1]!, "hang");
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  await world.pass(999);
  await client.hears();
  await world.pass(1);
  await client.hearsFatal("08001", /: "db0", "db1" did not answer$/);
  equal(world.poolCount("serverDialFailures", "db1"), 1);
  await client.leaves();
  await world.isOver();
});

Deno.test("Session goes to no other database when the first one is reached and offers no TLS", async () => {
  const tls = { ...CLIENT_DEFAULTS.tls, mode: "require" } as const;
  const options = { servers: 2, server: { ...PAUSES, tls } };
  for (const [start, ...before] of [[World.start], [startPooled, AUTH_OK]] as const) {
    const world = await start(options);
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    const server = await world.server();
    await server.hearsBytes(SSL_REQUEST);
    await server.says(new TextEncoder().encode("N"));
    await client.hearsFatal("08004", /^cannot log in to the database server$/, ...before);
    await world.noServer(1);
    const [record] = world.logged("cannot log in to server");
    equal(record?.fields["server"], "10.0.0.1:5432");
    match(String(record?.fields["error"]), /does not offer TLS/);
    equal(world.inUse(), 0);
  }
});

Deno.test("Session takes a server that does not answer its StartupMessage for unreachable", async () => {
  const world = await World.start({ servers: 2, listener: { loginTimeoutMs: 900 } });
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  const silent = await world.server();
  await world.pass(999); // dialTimeout is 1 s; loginTimeout does not run meanwhile
  await client.hears();
  await world.pass(1);
  equal(silent.peer.hasSeenEnd || silent.peer.wasReset, true);
  deepEqual(world.states(), { "client login": 1, "db1 login": 1 });
  const next = await world.server(1);
  await next.says(auth(3));
  await client.hears(auth(3));
  await next.says(AUTH_OK, ready());
  await client.hears(AUTH_OK, ready());
  await world.pass(5_000);
  deepEqual(world.states(), { "client active": 1, "db1 active": 1 });
  equal(world.poolCount("serverLoginTimeouts", "db0"), 1);
  const { pool, server, error } = world.logged("cannot log in to server")[0]!.fields;
  deepEqual([pool, server], ["db0", "10.0.0.1:5432"]);
  equal(error, "no answer to the StartupMessage in 1s");
});

Deno.test("Session takes a server that does not answer its SSLRequest for unreachable", async () => {
  const tls = { ...CLIENT_DEFAULTS.tls, mode: "require" } as const;
  const world = await World.start({ servers: 2, server: { tls } });
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  await (await world.server()).hearsBytes(SSL_REQUEST);
  await world.pass(1_000);
  await client.hears();
  await (await world.server(1)).hearsBytes(SSL_REQUEST);
  equal(world.poolCount("serverLoginTimeouts", "db0"), 1);
});

Deno.test("Session sends no other server what one has got that did not answer", async () => {
  for (const isAhead of [true, false]) {
    // What is looked at is not sent before the login is done.
    const servers = isAhead && !IS_LOOKED_AT ? 2 : 1;
    const world = await World.start({ servers });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    if (isAhead) await client.says(query("select 1"));
    await world.server();
    await world.pass(1_000);
    await client.hearsFatal("08001", /: "db0" did not answer$/);
    await client.leaves();
    await world.isOver();
    equal(world.inUse(), 0);
  }
});

const STARTING = error("FATAL", "57P03", "the database system is starting up");

/** What a server does that cannot serve yet. */
const NOT_YET: Readonly<Record<string, (server: Actor) => Promise<void>>> = {
  "says so": (server) => server.says(STARTING),
  async "says so byte by byte"(server) {
    for (const byte of STARTING) await server.says(Uint8Array.of(byte) as Bytes);
  },
  closes: (server) => server.leaves(),
};

for (const [what, answers] of Object.entries(NOT_YET)) {
  Deno.test(`Session dials a server again that ${what} instead of a login`, async () => {
    const world = await World.start({ server: PAUSES });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    await answers(await world.server());
    deepEqual(world.states(), { "client connecting": 1, "db0 connecting": 1 });
    await world.pass(99);
    await world.noServer();
    await world.pass(1);
    const server = await world.server();
    await server.hearsBytes(startup({ user: "ann" }));
    await server.says(AUTH_OK, ready());
    await client.hears(AUTH_OK, ready());
    equal(world.poolCount("serverDialFailures"), 1);
    deepEqual(world.errors(), {});
    deepEqual(world.logged("server connection lost"), []);
    await client.leaves();
    await server.leaves();
    await world.isOver();
  });

  Deno.test(`A pool dials a server again that ${what} instead of a login`, async () => {
    const world = await startPooled({ server: PAUSES });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    await answers(await world.server());
    equal(world.poolCount("serverDialFailures"), 1);
    await world.pass(99);
    await world.noServer();
    await world.pass(1);
    await admits(world);
    await hearsWelcome(world, client);
    deepEqual(world.errors(), {});
    deepEqual(world.logged("cannot log in to server"), []);
  });
}

Deno.test("Session dials a server again that does one after the other, and half of it", async () => {
  for (const start of [World.start, startPooled]) {
    const world = await start({ server: PAUSES });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    const [first, pauses] = [await world.server(), [100, 300, 900]];
    await first.says(STARTING);
    await world.pass(pauses[0]!);
    await (await world.server()).leaves();
    await world.pass(pauses[1]!);
    const cut = await world.server();
    await cut.says(STARTING.slice(0, 20));
    // A pool's login has been answered then: whoever that is speaks, and breaks off.
    await cut.leaves();
    if (start === startPooled) {
      await client.hearsFatal("08004", /^cannot log in to the database server$/, AUTH_OK);
      continue;
    }
    await world.pass(pauses[2]!);
    const server = await world.server();
    await server.says(AUTH_OK, ready());
    await client.hears(AUTH_OK, ready());
  }
});

Deno.test("Session has all the time of a login when its server is dialled again", async () => {
  const world = await World.start({ server: PAUSES, listener: { loginTimeoutMs: 50 } });
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  await (await world.server()).says(STARTING);
  await world.pass(100);
  await (await world.server()).says(AUTH_OK, ready());
  await client.hears(AUTH_OK, ready());
});

Deno.test("Session dials no server again that its client has heard of", async () => {
  for (const last of [[], [STARTING]]) {
    const world = await World.start({ servers: 2, server: PAUSES });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    const server = await world.server();
    await server.says(auth(3));
    await client.hears(auth(3));
    await server.says(...last);
    await server.leaves();
    await client.hearsFatal(last.length === 0 ? "08006" : "57P03", /./);
    await world.pass(1_000);
    await world.noServer();
    await world.noServer(1);
  }
});

Deno.test("A pool takes a server that is starting for none that wants TLS", async () => {
  const tls = { ...CLIENT_DEFAULTS.tls, mode: "allow" } as const;
  const world = await startPooled({ server: { tls } });
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  await (await world.server()).says(STARTING);
  await client.hearsFatal("57P03", /^the database system is starting up$/, AUTH_OK);
  await world.noServer();
});

Deno.test("Session passes on what a server says that is starting when no attempt is left", async () => {
  for (const start of [World.start, startPooled]) {
    const world = await start({ server: { ...PAUSES, retries: 1 } });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    await (await world.server()).says(STARTING);
    await world.pass(100);
    const server = await world.server();
    await server.says(STARTING);
    await server.leaves();
    const before = start === startPooled ? [AUTH_OK] : [];
    await client.hearsFatal("57P03", /^the database system is starting up$/, ...before);
    equal(world.poolCount("serverDialFailures"), 1);
    equal(world.inUse(), 0);
  }
});

Deno.test("Session goes to the next database when the first one stays starting", async () => {
  for (const start of [World.start, startPooled]) {
    const world = await start({ servers: 2 });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    await (await world.server()).says(STARTING);
    if (start === startPooled) {
      await admits(world, {}, 1);
      await hearsWelcome(world, client);
    } else {
      await (await world.server(1)).says(AUTH_OK, ready());
      await client.hears(AUTH_OK, ready());
    }
    equal(world.logged("cannot log in to server").length, 1);
  }
});

Deno.test("Session dials no server again that has got more than the StartupMessage", async () => {
  if (IS_LOOKED_AT) return; // what is looked at is not sent before the login is done
  const world = await World.start({ servers: 2, server: PAUSES });
  const client = await world.client();
  await client.says(startup({ user: "ann" }), query("select 1"));
  const server = await world.server();
  await server.says(STARTING);
  await server.leaves();
  await client.hearsFatal("57P03", /^the database system is starting up$/);
  await world.pass(1_000);
  await world.noServer();
});

Deno.test("Session that leaves while a server starts leaves nothing behind", async () => {
  for (const start of [World.start, startPooled]) {
    const world = await start({ server: PAUSES });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    await (await world.server()).says(STARTING);
    await client.leaves();
    equal(world.states()["client connecting"], undefined);
    if (start === World.start) await world.isOver();
  }
});

Deno.test("Session does not wait for an answer when its client leaves", async () => {
  const world = await World.start();
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  await client.leaves();
  await world.pass(60_000);
  deepEqual(world.logged("cannot log in to server"), []);
  await world.isOver();
});

Deno.test("Session gives its place back at once when its client leaves while it dials", async () => {
  for (const answer of ["hang", "refuse"] as const) {
    const world = await World.start({ server: PAUSES });
    world.network.answer(SERVERS[0]!, answer);
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    deepEqual(world.states(), { "client connecting": 1, "db0 connecting": 1 });
    await client.leaves();
    deepEqual(world.states(), {});
    equal(world.inUse(), 0);
    world.network.answer(SERVERS[0]!, "accept");
    await world.pass(10_000);
    await world.noServer();
    await world.isOver();
  }
});

Deno.test("Session shows a client no address of a server", async () => {
  const world = await World.start();
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  const heard = new TextDecoder().decode(client.peer.take());
  equal(heard.includes("10.0.0.1"), false);
  equal(world.logged("cannot connect to server")[0]?.fields["server"], "10.0.0.1:5432");
});
