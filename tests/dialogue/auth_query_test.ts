import { deepEqual, equal, ok } from "node:assert/strict";
import type { PoolLimit, ServerConfig } from "../../src/config/config.ts";
import { openSsl } from "../../src/net/tls/openssl.ts";
import { SERVER_DEFAULTS } from "../support/configs.ts";
import { type Actor, SERVER_KEY, SERVERS, World, type WorldOptions } from "../support/dialogue.ts";
import {
  auth,
  AUTH_OK,
  backendKeyData,
  type Bytes,
  cancelRequest,
  complete,
  error,
  parameterStatus,
  password,
  query,
  ready,
  ROW_DESCRIPTION,
  startup,
  SYNC,
} from "../support/messages.ts";
import { rowOf } from "../support/pooled_world.ts";

// Loaded here: it stays loaded, which a test that loads it would be blamed for.
openSsl();

const LISTENER: Partial<ServerConfig> = {
  loginTimeoutMs: 2_000,
  auth: {
    ...SERVER_DEFAULTS.auth,
    method: "password",
    query: { sql: "select secret_of($1)", user: "lookup", password: "", database: "postgres" },
    failuresMax: 1,
  },
};

/** The same, but the client's own database is asked. */
const OPEN: Partial<ServerConfig> = {
  ...LISTENER,
  auth: { ...LISTENER.auth!, query: { ...LISTENER.auth!.query!, database: "" } },
};

const LIMIT: PoolLimit = {
  database: "app",
  aliases: [],
  user: undefined,
  sizeMax: 1,
  initialSize: 0,
  minSize: 0,
  isDisabled: false,
};

function start(options: Partial<WorldOptions> = {}): Promise<World> {
  const { listener = LISTENER, pool, ...rest } = options;
  return World.start({ ...rest, listener, pool: { mode: "transaction", size: 1, ...pool } });
}

async function comes(world: World, user: string, database = "postgres"): Promise<Actor> {
  const client = await world.client();
  await client.says(startup({ user, database }));
  return client;
}

/** The gateway's own login for looking up. */
async function admitsLookup(world: World, options: {
  readonly database?: string;
  readonly strings?: "on" | "off";
  readonly index?: number;
} = {}): Promise<Actor> {
  const { database = "postgres", strings = "on", index = 0 } = options;
  const server = await world.server(index);
  await server.hearsBytes(startup({ user: "lookup", database, client_encoding: "UTF8" }));
  await server.says(
    AUTH_OK,
    parameterStatus("standard_conforming_strings", strings),
    backendKeyData(SERVER_KEY.processId, SERVER_KEY.key),
    ready(),
  );
  return server;
}

function secretRow(secret: string): Bytes[] {
  return [ROW_DESCRIPTION, rowOf(secret), complete("SELECT 1"), ready()];
}

/** The server takes a CancelRequest. */
async function cancelled(world: World): Promise<void> {
  const cancel = await world.server();
  await cancel.hearsBytes(cancelRequest(SERVER_KEY.processId, SERVER_KEY.key));
  await cancel.leaves();
}

function reasons(world: World): unknown[] {
  return world.logged("authentication failed").map(({ fields }) => fields["reason"]);
}

Deno.test("lookUpSecret gives up a query that takes too long, has it cancelled, and goes on", async () => {
  const world = await start();
  const client = await comes(world, "ann");
  const server = await admitsLookup(world);
  await server.hears(query("select secret_of('ann')"));
  await world.pass(999);
  await client.hears();
  await world.pass(1);
  await client.hearsFatal("08006", /cannot look up the secret/);
  deepEqual(reasons(world), ["the secret cannot be looked up: it took longer than 1s"]);
  await cancelled(world);
  await server.hears(SYNC);
  await server.says(error("ERROR", "57014", "canceling statement"), ready(), ready());
  const next = await comes(world, "bob");
  await server.hears(query("select secret_of('bob')"));
  await server.says(...secretRow("secret"));
  await next.hears(auth(3));
});

Deno.test("lookUpSecret ends with its client, whether it waits or is under way", async () => {
  const world = await start();
  const client = await comes(world, "ann");
  const waiting = await comes(world, "bob");
  const server = await admitsLookup(world);
  await server.hears(query("select secret_of('ann')"));
  await waiting.leaves();
  await client.leaves();
  await cancelled(world);
  await server.hears(SYNC);
  await server.says(error("ERROR", "57014", "canceling statement"), ready(), ready());
  deepEqual(world.states(), { "db0 idle": 1 });
});

Deno.test("lookUpSecret takes no secret from a result of another shape", async () => {
  const row = rowOf("ann", "sesame", "2030-01-01");
  const results = [
    [[row], "its result has 3 columns: it must have the name and the secret, or the secret"],
    [
      [rowOf("ann", "sesame"), rowOf("bob", "other")],
      "its result has more than one row: it must find the one user whose name is $1",
    ],
  ] as const;
  for (const [rows, why] of results) {
    const world = await start();
    const client = await comes(world, "ann");
    const server = await admitsLookup(world);
    await server.hears(query("select secret_of('ann')"));
    await server.says(ROW_DESCRIPTION, ...rows, complete("SELECT 1"), ready());
    await client.hearsFatal("08006", /cannot look up the secret/);
    deepEqual(reasons(world), [`the secret cannot be looked up: ${why}`]);
  }
});

Deno.test("lookUpSecret refuses a name that cannot be written safely, and keeps its server", async () => {
  const world = await start();
  const client = await comes(world, "\u00e9\\' OR true --");
  const server = await admitsLookup(world, { strings: "off" });
  await client.hearsFatal("08006", /cannot look up the secret/);
  await server.hears();
  await comes(world, "o'\\");
  await server.hears(query("select secret_of(E'o''\\\\')"));
});

Deno.test("PooledPlane looks secrets up in the database that an alias stands for", async () => {
  const limits = [{ ...LIMIT, aliases: ["nick"] }];
  const world = await start({ listener: OPEN, pool: { limits } });
  const client = await comes(world, "ann", "nick");
  const server = await admitsLookup(world, { database: "app" });
  await server.says(...secretRow("secret"));
  await client.hears(auth(3));
});

Deno.test("PooledPlane looks nothing up in a disabled database", async () => {
  const limits = [{ ...LIMIT, aliases: ["nick"], isDisabled: true }];
  const world = await start({ listener: OPEN, pool: { limits } });
  for (const database of ["app", "nick"]) {
    await world.pass(60_000); // the first one's failure is forgotten
    const client = await comes(world, "ann", database);
    await client.hearsFatal("57P03", /is disabled at the gateway/);
  }
  await world.noServer();
});

Deno.test("PooledPlane keeps no entries for lines of a limits file that open nothing", async () => {
  const limits = Array.from(
    { length: 1_100 },
    (_, i) => ({ ...LIMIT, database: `db${i}`, user: `u${i}` }),
  );
  const world = await start({ pool: { limits } });
  const client = await comes(world, "ann");
  const server = await admitsLookup(world);
  await server.says(...secretRow("secret"));
  await client.hears(auth(3));
});

Deno.test("Gate asks the next server when one cannot be reached", async () => {
  const world = await start({ servers: 2 });
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await comes(world, "ann");
  const server = await admitsLookup(world, { index: 1 });
  await server.says(...secretRow("secret"));
  await client.hears(auth(3));
  await client.says(password("wrong"));
  await client.hearsFatal("28P01", /password authentication failed/);
});

Deno.test("Gate counts a database that the server refuses as a failure of the client's", async () => {
  for (const [listener, isThrottled] of [[OPEN, true], [LISTENER, false]] as const) {
    const world = await start({ listener });
    const client = await comes(world, "ann", "nowhere");
    const server = await world.server();
    server.peer.take();
    await server.says(error("FATAL", "3D000", 'database "nowhere" does not exist'));
    await client.hearsFatal("08006", /cannot look up the secret/);
    await world.pass(5_000);
    const next = await comes(world, "bob", "elsewhere");
    if (isThrottled) await next.hearsFatal("28000", /too many/);
    else await next.hears();
  }
});

Deno.test("BackendConnector reports TLS that cannot be made, and its pool goes on", async () => {
  const tls = {
    certFile: "",
    keyFile: "",
    caFile: "ca.crt",
    cert: "",
    key: "",
    ca: "-----BEGIN CERTIFICATE-----\nMIIB",
    mode: "prefer",
    minVersion: "TLSv1.2",
    negotiation: "postgres",
  } as const;
  const world = await start({
    listener: { auth: { ...SERVER_DEFAULTS.auth, method: "trust" } },
    server: { tls },
  });
  for (let i = 0; i < 3; i++) {
    const client = await comes(world, "ann");
    await world.settle();
    const text = client.peer.take();
    ok(new TextDecoder().decode(text).includes("FATAL"), "it is refused at once");
    await world.pass(10_000);
  }
  equal(world.logged("cannot log in to server").length, 3);
  deepEqual(world.states(), {});
});
