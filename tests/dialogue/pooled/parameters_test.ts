import { deepEqual, equal } from "node:assert/strict";
import type { Actor } from "../../support/dialogue.ts";
import {
  BIND,
  complete,
  error,
  EXECUTE,
  message,
  parameterStatus,
  parse,
} from "../../support/messages.ts";
import { query, ready, SYNC, TERMINATE } from "../../support/messages.ts";
import {
  answersOwn,
  answersRead,
  connects,
  exchanges,
  follows,
  hearsWelcome,
  joins,
  pooledPair,
  read,
  reading,
  setting,
} from "../../support/pooled_world.ts";

/** The client sets a parameter that servers do not report; the gateway reads what it is now. */
async function sets(client: Actor, server: Actor, name: string, value: string): Promise<void> {
  await exchanges(client, server, `set ${name} = '${value}'`, "SET");
  await answersRead(server, name, value);
  await client.hears();
}

/** A client that has set TimeZone, and another one. */
async function travellers() {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await client.says(query("set timezone = 'japan'"));
  await server.hears(query("set timezone = 'japan'"));
  await server.says(complete("SET"), parameterStatus("TimeZone", "Asia/Tokyo"), ready());
  await client.hears(complete("SET"), parameterStatus("TimeZone", "Asia/Tokyo"), ready());
  await answersRead(server, "timezone", "Asia/Tokyo");
  return { world, client, server, other };
}

Deno.test("SessionParameters are read back after a SET, and follow the client", async () => {
  const { world, client, server } = await pooledPair();
  await sets(client, server, "work_mem", "8MB");
  const { client: other } = await joins(world);
  await other.says(query("select 1"));
  await follows(server, { 'RESET "work_mem"': [complete("RESET")] }, query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await other.hears(complete("SELECT 1"), ready());
  await client.says(query("select 2"));
  const asked = { [setting({ work_mem: "8MB" })]: [complete("SELECT 1")] };
  await follows(server, asked, query("select 2"));
  await server.says(complete("SELECT 2"), ready());
  await client.hears(complete("SELECT 2"), ready());
});

Deno.test("SessionParameters cost nothing while one client has the server", async () => {
  const { client, server } = await pooledPair();
  await sets(client, server, "work_mem", "8MB");
  for (let i = 0; i < 3; i++) await exchanges(client, server, "select 1", "SELECT 1");
});

Deno.test("SessionParameters tell a client only what differs from what it knows", async () => {
  const { client, server, other } = await travellers();
  await other.says(query("select 1"));
  const reset = [complete("RESET"), parameterStatus("TimeZone", "UTC")];
  await follows(server, { 'RESET "timezone"': reset }, query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await other.hears(complete("SELECT 1"), ready());
  await client.says(query("select 1"));
  const set = [complete("SELECT 1"), parameterStatus("TimeZone", "Asia/Tokyo")];
  await follows(server, { [setting({ timezone: "Asia/Tokyo" })]: set }, query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
});

Deno.test("SessionParameters tell a client what a server says that it did not ask for", async () => {
  const { client, server } = await pooledPair();
  await client.says(query("select pg_reload_conf()"));
  await server.hears(query("select pg_reload_conf()"));
  const answer = [complete("SELECT 1"), parameterStatus("TimeZone", "Asia/Tokyo"), ready()];
  await server.says(...answer);
  await client.hears(...answer);
});

Deno.test("SessionParameters of two clients do not mix on one server", async () => {
  const { world, client, server } = await pooledPair();
  const zones = ["Asia/Tokyo", "America/Lima"];
  const clients = [client];
  for (const zone of zones) {
    const one = await connects(world, { TimeZone: zone });
    const heard = new TextDecoder().decode(server.peer.take());
    deepEqual(heard.includes(setting({ timezone: zone })), true);
    if (heard.includes("RESET")) await server.says(complete("RESET"), ready());
    await server.says(complete("SELECT 1"), parameterStatus("TimeZone", zone), ready());
    await hearsWelcome(world, one, { TimeZone: zone });
    clients.push(one);
  }
  for (const i of [1, 2, 1, 2]) {
    const text = `select ${i}`;
    await clients[i]!.says(query(text));
    const zone = zones[i - 1]!;
    const set = [complete("SELECT 1"), parameterStatus("TimeZone", zone)];
    await follows(server, { [setting({ timezone: zone })]: set }, query(text));
    await server.says(complete("SELECT 2"), ready());
    await clients[i]!.hears(complete("SELECT 2"), ready());
  }
});

Deno.test("SessionParameters go back to what the StartupMessage asked for", async () => {
  const { world, server } = await pooledPair();
  const client = await connects(world, { work_mem: "8MB" });
  await answersOwn(server, setting({ work_mem: "8MB" }), "8MB");
  await hearsWelcome(world, client);
  await sets(client, server, "work_mem", "1GB");
  await exchanges(client, server, "reset work_mem", "RESET");
  await answersRead(server, "work_mem", "4MB");
  await client.says(query("show work_mem"));
  const asked = { [setting({ work_mem: "8MB" })]: [complete("SELECT 1")] };
  await follows(server, asked, query("show work_mem"));
});

Deno.test("SessionParameters report what a RESET of one has gone back to before its ReadyForQuery", async () => {
  const { world, server } = await pooledPair();
  const zone = "Asia/Tokyo";
  const client = await connects(world, { TimeZone: zone, "application_name": "report" });
  await answersOwn(server, setting({ timezone: zone }), zone);
  await hearsWelcome(world, client, { TimeZone: "UTC", "application_name": "report" });
  const named = parameterStatus("application_name", "report");
  const ahead = { [setting({ application_name: "report" })]: [complete("SELECT 1"), named] };
  for (const [key, name] of [["timezone", "TimeZone"], ["application_name", "application_name"]]) {
    const text = query(`set ${key} = 'Peru'`);
    await client.says(text);
    if (key === "timezone") await follows(server, ahead, text);
    else await server.hears(text);
    const change = parameterStatus(name!, "Peru");
    await server.says(complete("SET"), change, ready());
    await client.hears(complete("SET"), change, ready());
    await answersRead(server, key!, "Peru");
  }
  await client.says(query("reset timezone"));
  await server.hears(query("reset timezone"));
  await server.says(complete("RESET"), ready());
  await client.hears(complete("RESET"), parameterStatus("TimeZone", zone), ready());
});

Deno.test("SessionParameters forget a SET that DISCARD ALL has undone before it was read", async () => {
  const { world, server } = await pooledPair();
  const client = await connects(world, { work_mem: "8MB" });
  await answersOwn(server, setting({ work_mem: "8MB" }), "8MB");
  await hearsWelcome(world, client);
  await client.says(query("set work_mem = '1GB'"), query("discard all"), query("show work_mem"));
  await server.hears(query("set work_mem = '1GB'"), query("discard all"));
  await server.says(complete("SET"), ready(), complete("DISCARD ALL"), ready());
  const asked = { [setting({ work_mem: "8MB" })]: [complete("SELECT 1")] };
  await follows(server, asked, query("show work_mem"));
});

Deno.test("SessionParameters keep a SET that a failed DISCARD ALL has not undone", async () => {
  const { client, server } = await pooledPair();
  await client.says(query("set work_mem = '1GB'"), query("discard all"), query("show work_mem"));
  await server.hears(query("set work_mem = '1GB'"), query("discard all"));
  await server.says(complete("SET"), ready(), error("ERROR", "57014", "canceled"), ready());
  await answersRead(server, "work_mem", "1GB");
  await server.hears(query("show work_mem"));
});

Deno.test("SessionParameters keep a role through RESET ALL, as PostgreSQL does", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await sets(client, server, "role", "bob");
  await exchanges(client, server, "reset all", "RESET");
  const heard = new TextDecoder().decode(server.peer.take());
  if (heard.includes("current_setting('role'")) {
    const names = [...heard.matchAll(/current_setting\('(\w+)'/g)].map(([, name]) => name);

    await server.says(read(...names.map((name) => name === "role" ? "bob" : "")));
  }
  await other.says(query("select 1"));
  await follows(server, { 'RESET "role"': [complete("RESET")] }, query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await client.says(query("select 2"));
  const asked = { [setting({ role: "bob" })]: [complete("SELECT 1")] };
  await follows(server, asked, query("select 2"));
});

Deno.test("SessionParameters are as they were when a RESET is rolled back", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await sets(client, server, "work_mem", "8MB");
  await exchanges(client, server, "begin", "BEGIN", "T");
  await exchanges(client, server, "reset work_mem", "RESET", "T");
  await exchanges(client, server, "rollback", "ROLLBACK");
  await answersRead(server, "work_mem", "8MB");
  await other.says(query("select 1"));
  await follows(server, { 'RESET "work_mem"': [complete("RESET")] }, query("select 1"));
});

Deno.test("SessionParameters are read after a transaction, not within it", async () => {
  const { client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await exchanges(client, server, "set work_mem = '8MB'", "SET", "T");
  await server.hears();
  await exchanges(client, server, "commit", "COMMIT");
  await answersRead(server, "work_mem", "8MB");
});

Deno.test("SessionParameters leave SET LOCAL alone", async () => {
  const { client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await exchanges(client, server, "set local work_mem = '8MB'", "SET", "T");
  await exchanges(client, server, "commit", "COMMIT");
  await server.hears();
});

Deno.test("SessionParameters notice SET in the extended protocol and set_config in a query", async () => {
  const { client, server } = await pooledPair();
  await client.says(parse("set work_mem = '8MB'"), BIND, EXECUTE, SYNC);
  server.peer.take();
  const done = [message("1"), message("2"), complete("SET"), ready()];
  await server.says(...done);
  await client.hears(...done);
  await answersRead(server, "work_mem", "8MB");
  const text = "select set_config('my.name', 'x', false)";
  await exchanges(client, server, text, "SELECT 1");
  await answersRead(server, "my.name", "x");
});

Deno.test("SessionParameters are read before the client's next message runs", async () => {
  const { client, server } = await pooledPair();
  await exchanges(client, server, "set work_mem = '8MB'", "SET");
  await client.says(query("select 1"));
  await answersRead(server, "work_mem", "8MB");
  await server.hears(query("select 1"));
});

Deno.test("SessionParameters that cannot be read hold the session to its server", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "set statement_timeout = 1", "SET");
  await server.hears(reading("statement_timeout"));
  await server.says(error("ERROR", "57014", "canceling statement due to statement timeout"));
  await server.says(ready());
  deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
});

Deno.test("SessionParameters whose names are not known hold the session to its server", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "select set_config(name, 'x', false) from names", "SELECT 1");
  deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
  await client.leaves();
  await server.hears(query("DISCARD ALL"));
});

Deno.test("SessionParameters that a server does not take end the session, and have that server reset", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await sets(client, server, "role", "bob");
  await other.says(query("select 1"));
  await follows(server, { 'RESET "role"': [complete("RESET")] }, query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await other.hears(complete("SELECT 1"), ready());
  await client.says(query("select 2"));
  await server.hears(query(setting({ role: "bob" })));
  await server.says(error("ERROR", "22023", 'role "bob" does not exist'), ready());
  await client.hearsFatal("22023", /^role "bob" does not exist$/);
  await server.hears(query("DISCARD ALL"));
  await server.says(complete("DISCARD ALL"), ready());
  await client.leaves();
  await exchanges(other, server, "select 3", "SELECT 1");
  equal(world.states()["db0 idle"], 1);
});

Deno.test("SessionParameters that a server does not take keep it from what the client said", async () => {
  const insert = "insert into t values (1)";
  const said = [[query(insert)], [parse(insert), BIND, EXECUTE, SYNC]];
  for (const messages of said) {
    const { world, client, server } = await pooledPair();
    const { client: other } = await joins(world);
    await sets(client, server, "search_path", "a");
    await sets(client, server, "role", "bob");
    await other.says(query("select 1"));
    const asked = 'RESET "search_path";RESET "role"';
    await follows(server, { [asked]: [complete("RESET"), complete("RESET")] }, query("select 1"));
    await server.says(complete("SELECT 1"), ready());
    await client.says(...messages);
    const heard = new TextDecoder().decode(server.peer.take());
    deepEqual([heard.includes("bob"), heard.includes(insert)], [true, false], heard);
    // Neither before the answer, nor with the error, nor with the ReadyForQuery behind it.
    await server.says(error("ERROR", "42501", "permission denied to set role"));
    await server.hears();
    await server.says(ready());
    await server.hears(query("DISCARD ALL"));
    await client.hearsFatal("42501", /^permission denied to set role$/);
  }
});

Deno.test("SessionParameters return to the login's with DISCARD ALL, and statements are gone", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await sets(client, server, "work_mem", "8MB");
  await exchanges(client, server, "discard all", "DISCARD ALL");
  await server.hears();
  await exchanges(other, server, "select 1", "SELECT 1");
});

Deno.test("SessionParameters that nobody has read are reset, whatever the reset query is", async () => {
  const { world, client, server } = await pooledPair({ pool: { resetQuery: "" } });
  const { client: other } = await joins(world);
  await client.says(query("set work_mem = '8MB'"), TERMINATE);
  await server.hears(query("set work_mem = '8MB'"));
  await other.says(query("select 1"));
  await client.leaves();
  await server.says(complete("SET"), ready());
  await server.hears(SYNC);
  await server.says(ready());
  const everything = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL";
  await follows(server, { [everything]: [complete("RESET")] }, query("select 1"));
});

Deno.test("SessionParameters set client_encoding ahead of everything else", async () => {
  const { world, server } = await pooledPair();
  const client = await connects(world, { work_mem: "8MB", client_encoding: "LATIN1" });
  await server.hears(query(setting({ work_mem: "8MB", client_encoding: "LATIN1" })));
  await server.says(complete("SELECT 1"), parameterStatus("client_encoding", "LATIN1"), ready());
  await hearsWelcome(world, client, { client_encoding: "LATIN1" });
  const { client: other } = await joins(world);
  await other.says(query("select 1"));
  const asked = {
    'RESET "client_encoding"': [complete("RESET"), parameterStatus("client_encoding", "UTF8")],
    'RESET "work_mem"': [complete("RESET")],
  };
  await follows(server, asked, query("select 1"));
});

Deno.test("SessionParameters hold a session whose parameters become too many or too long", async () => {
  const long = "x".repeat(16 * 1024);
  const first = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`my.p${i}`, "1"]));
  const cases = [[first, { "my.p64": "1" }], [{ "my.long": long }, { "my.long": `${long}x` }]];
  for (const [within, beyond] of cases) {
    const { world, client, server } = await pooledPair();
    const { client: other } = await joins(world);
    for (const [name, value] of Object.entries(within!)) await sets(client, server, name, value);
    deepEqual(world.states(), { "client active": 2, "db0 idle": 1 });
    for (const [name, value] of Object.entries(beyond!)) await sets(client, server, name, value);
    await other.says(query("select 1"));
    await server.hears();
    deepEqual(world.states(), { "client active": 2, "db0 active": 1, "db0 waiting": 1 });
  }
});

Deno.test("SessionParameters hold a session that sets more than it may take along", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  for (let i = 0; i < 65; i++) {
    await exchanges(client, server, `set my.p${i} = '1'`, "SET", "T");
  }
  await client.says(query("commit"));
  await server.hears(query("commit"));
  await server.says(complete("COMMIT"), ready());
  const heard = server.peer.take();
  if (heard.length > 0) await server.says(read(...Array.from({ length: 64 }, () => "1")));
  deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
});
