import { deepEqual, equal } from "node:assert/strict";
import { SERVERS } from "../../support/dialogue.ts";
import {
  AUTH_OK,
  complete,
  error,
  negotiate,
  parameterStatus,
  query,
  ready,
  startup,
  SYNC,
  TERMINATE,
} from "../../support/messages.ts";
import {
  admits,
  answersOwn,
  answersRead,
  connects,
  exchanges,
  follows,
  hearsWelcome,
  joins,
  pooledPair,
  rowOf,
  setting,
  startPooled,
} from "../../support/pooled_world.ts";

Deno.test("Welcome tells the first client what the server reported, and keeps the server", async () => {
  const world = await startPooled();
  const client = await connects(world);
  deepEqual(world.states(), { "client waiting": 1, "db0 login": 1, "db0 waiting": 1 });
  const server = await admits(world, { TimeZone: "Asia/Tokyo" });
  await hearsWelcome(world, client, { TimeZone: "Asia/Tokyo" });
  await server.hears();
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
});

Deno.test("Welcome needs no server once one has accepted the same parameters", async () => {
  const { world, server } = await pooledPair();
  for (let i = 0; i < 3; i++) await joins(world);
  await server.hears();
  await world.noServer();
  deepEqual(world.states(), { "client active": 4, "db0 idle": 1 });
});

Deno.test("Welcome asks the server for parameters that it has not seen, and tells what came of them", async () => {
  const { world, server } = await pooledPair();
  for (let i = 0; i < 2; i++) {
    const client = await connects(world, { TimeZone: "japan", DateStyle: "german" });
    if (i === 0) {
      await server.hears(query(setting({ timezone: "japan", datestyle: "german" })));
      await server.says(
        parameterStatus("TimeZone", "Asia/Tokyo"),
        complete("SELECT 1"),
        ready(),
      );
    }
    await server.hears();
    await hearsWelcome(world, client, { TimeZone: "Asia/Tokyo" });
  }
});

Deno.test("Welcome takes what is in options as parameters", async () => {
  const { world, server } = await pooledPair();
  const options = "-c TimeZone=Asia/Tokyo --work-mem=8MB -csearch_path=a\\ b";
  const client = await connects(world, { options });
  const text = setting({ timezone: "Asia/Tokyo", work_mem: "8MB", search_path: "a b" });
  await answersOwn(server, text, "Asia/Tokyo", "8MB", "a b");
  await hearsWelcome(world, client);
  await exchanges(client, server, "select 1", "SELECT 1");
});

Deno.test("Welcome refuses options that it does not know", async () => {
  const { world } = await pooledPair();
  const client = await connects(world, { options: "-B 100" });
  await client.hearsFatal("0A000", /only -c name=value and --name=value/, AUTH_OK);
});

Deno.test("Welcome tells of an application_name without asking a server", async () => {
  const { world, server } = await pooledPair();
  const client = await connects(world, { application_name: "report" });
  await hearsWelcome(world, client, { application_name: "report" });
  await client.says(query("select 1"));
  const asked = { [setting({ application_name: "report" })]: [complete("SELECT 1")] };
  await follows(server, asked, query("select 1"));
});

Deno.test("Welcome asks the server for an application_name that is not plain ASCII or too long", async () => {
  for (const name of ["caf\u00e9", "x".repeat(64)]) {
    const { world, server } = await pooledPair();
    const client = await connects(world, { application_name: name });
    await server.hears(query(setting({ application_name: name })));
    await server.says(parameterStatus("application_name", "caf??"), complete("SELECT 1"), ready());
    await hearsWelcome(world, client, { application_name: "caf??" });
  }
});

Deno.test("Welcome passes on the server's words about a parameter that it refuses", async () => {
  const { world, client, server } = await pooledPair();
  const eve = await connects(world, { TimeZone: "nowhere" });
  await server.hears(query(setting({ timezone: "nowhere" })));
  const text = 'invalid value for parameter "TimeZone": "nowhere"';
  await server.says(error("ERROR", "22023", text), ready());
  await eve.hearsFatal("22023", /^invalid value for parameter "TimeZone": "nowhere"$/, AUTH_OK);
  await eve.leaves();
  await exchanges(client, server, "select 1", "SELECT 1"); // which is as it was
});

Deno.test("Welcome undoes what another client left set before it asks", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("set timezone = 'Asia/Tokyo'"));
  await server.hears(query("set timezone = 'Asia/Tokyo'"));
  await server.says(complete("SET"), parameterStatus("TimeZone", "Asia/Tokyo"), ready());
  await answersRead(server, "timezone", "Asia/Tokyo");
  const other = await connects(world, { work_mem: "8MB" });
  await server.hears(query('RESET "timezone"'), query(setting({ work_mem: "8MB" })));
  await server.says(complete("RESET"), parameterStatus("TimeZone", "UTC"), ready());
  await server.says(complete("SELECT 1"), ready());
  await hearsWelcome(world, other);
});

Deno.test("Welcome says that no server can be reached, and leaves nothing behind", async () => {
  const world = await startPooled();
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await connects(world);
  await client.hearsFatal("08001", /"db0" did not answer/, AUTH_OK);
  await client.leaves();
  await world.pass(600_000);
  await world.isOver();
});

Deno.test("Welcome tries the next route when the first server accepts and says nothing", async () => {
  const world = await startPooled({ servers: 2, server: { dialTimeoutMs: 1_000 } });
  const client = await connects(world);
  await (await world.server()).hearsBytes(startup({ user: "ann", database: "ann" }));
  await world.pass(1_000);
  const server = await admits(world, {}, 1);
  await hearsWelcome(world, client);
  await exchanges(client, server, "select 1", "SELECT 1");
  equal(world.logged("cannot log in to server").length, 1);
});

Deno.test("Welcome tries the next route when the first server cannot be reached", async () => {
  const world = await startPooled({ servers: 2 });
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await connects(world);
  const server = await admits(world, {}, 1);
  await hearsWelcome(world, client);
  await exchanges(client, server, "select 1", "SELECT 1");
});

Deno.test("Welcome hides whom the gateway logs in as when the server refuses that", async () => {
  const world = await startPooled();
  const client = await connects(world);
  const server = await world.server();
  await server.hearsBytes(startup({ user: "ann", database: "ann" }));
  await server.says(error("FATAL", "28P01", 'password authentication failed for user "secret"'));
  const text = /^the server refused the gateway's login; the gateway's log says why$/;
  await client.hearsFatal("28P01", text, AUTH_OK);
  const [record] = world.log.filter(({ fields }) => String(fields["error"]).includes("secret"));
  equal(record === undefined, false, "the log says why");
});

Deno.test("Welcome passes on what the server says about a database that is not there", async () => {
  const world = await startPooled();
  const client = await connects(world);
  const server = await world.server();
  await server.says(error("FATAL", "3D000", 'database "ann" does not exist'));
  await client.hearsFatal("3D000", /^database "ann" does not exist$/, AUTH_OK);
});

Deno.test("Welcome of a client that leaves meanwhile leaves nothing behind", async () => {
  const { world, client, server } = await pooledPair({ listener: { clientIdleTimeoutMs: 60_000 } });
  const other = await connects(world, { work_mem: "8MB" });
  await server.hears(query(setting({ work_mem: "8MB" })));
  await other.leaves();
  await server.hears(SYNC);
  await server.says(complete("SELECT 1"), ready(), ready());
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
  await client.says(TERMINATE);
  await client.leaves();
  await server.leaves();
  await world.pass(600_000);
  await world.isOver();
  equal(world.logged("session ready").length, 1);
});

Deno.test("Welcome declines a newer protocol once, and gives a long key from 3.2 on", async () => {
  const { world } = await pooledPair();
  for (const [minorVersion, size] of [[0, 4], [2, 32]] as const) {
    const client = await world.client();
    await client.says(startup({ user: "ann" }, minorVersion));
    const { key } = await hearsWelcome(world, client);
    equal(key.length, size);
  }
  const client = await world.client();
  await client.says(startup({ user: "ann", "_pq_.x": "1" }, 9));
  const heard = client.peer.take();
  const declined = negotiate(2, "_pq_.x");
  deepEqual(new Uint8Array(heard.subarray(0, declined.length)), declined);
});

Deno.test("Welcome keeps what a client says too early, and answers it in order", async () => {
  const world = await startPooled();
  const client = await world.client();
  await client.says(startup({ user: "ann" }), query("select 1"));
  const server = await admits(world);
  await server.hears(query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  equal(client.peer.take().length > 0, true);
});

Deno.test("Welcome of a client that leaves has the next one's server reset", async () => {
  const { world, client, server } = await pooledPair({ pool: { size: 1 } });
  const other = await connects(world, { work_mem: "2MB" });
  await server.hears(query(setting({ work_mem: "2MB" })));
  await client.says(query("select 1"));
  await other.leaves();
  await server.hears(SYNC);
  await server.says(rowOf("2MB"), complete("SELECT 1"), ready(), ready());
  await follows(server, { 'RESET "work_mem"': [complete("RESET")] }, query("select 1"));
});
