import { deepEqual, equal } from "node:assert/strict";
import { close, describe } from "../../support/extended_messages.ts";
import { IS_LOOKED_AT } from "../../support/looking_on.ts";
import {
  BIND,
  type Bytes,
  complete,
  cut,
  error,
  EXECUTE,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import { admits, exchanges, pooledPair } from "../../support/pooled_world.ts";
import {
  BOUND,
  CLOSED,
  does,
  PARSED,
  PREPARED,
  prepared,
  RUN,
} from "../../support/prepared_world.ts";

Deno.test("ClientStatements takes an unnamed statement to another server", async () => {
  const { world, client, server, other } = await prepared({ pool: { size: 2 } });
  const said = [parse("select 7"), SYNC];
  await does(client, server, said, said, PREPARED, PREPARED);
  await exchanges(other, server, "begin", "BEGIN", "T");
  await client.says(BIND, EXECUTE, SYNC);
  const second = await admits(world);
  await second.hears(parse("select 7"), BIND, EXECUTE, SYNC);
  await second.says(PARSED, ...RUN);
  await client.hears(...RUN);
});

Deno.test("ClientStatements never runs another client's unnamed statement", async () => {
  const { client, server, other } = await prepared();
  const said = [parse("select 'secret'"), SYNC];
  await does(client, server, said, said, PREPARED, PREPARED);
  await other.says(BIND, EXECUTE, SYNC);
  await server.hears(close("S", ""), BIND, EXECUTE, SYNC);
  const gone = [error("ERROR", "26000", "unnamed prepared statement does not exist"), ready()];
  await server.says(CLOSED, ...gone);
  await other.hears(...gone);
  // The first one's is gone from the server, but not for the client.
  await client.says(BIND, EXECUTE, SYNC);
  await server.hears(parse("select 'secret'"), BIND, EXECUTE, SYNC);
});

Deno.test("ClientStatements lets a Query end the unnamed statement", async () => {
  const { client, server } = await prepared();
  const said = [parse("select 7"), SYNC];
  await does(client, server, said, said, PREPARED, PREPARED);
  await exchanges(client, server, "select 1", "SELECT 1");
  await client.says(BIND, EXECUTE, SYNC);
  await server.hears(close("S", ""), BIND, EXECUTE, SYNC);
});

Deno.test("ClientStatements keeps an unnamed statement that a skipped message would have ended", async () => {
  const enders: readonly Bytes[] = [query("select 1"), close("S", ""), parse("select 8")];
  for (const ender of enders) {
    const { client, server } = await prepared();
    const bad = [parse("select 7"), describe("S", "nobody's")];
    await client.says(...bad, ender, SYNC, BIND, EXECUTE, SYNC);
    await server.hears(...bad, ender, SYNC); // what BIND means is not known yet
    const gone = error("ERROR", "26000", 'prepared statement "nobody\'s" does not exist');
    await server.says(PARSED, gone, ready());
    await client.hears(PARSED, gone, ready());
    await server.hears(parse("select 7"), BIND, EXECUTE, SYNC);
  }
});

Deno.test("ClientStatements leaves the unnamed statement behind DEALLOCATE ALL by the extended protocol", async () => {
  const { client, server } = await prepared();
  const said = [parse("deallocate all"), BIND, EXECUTE, SYNC];
  const done = [BOUND, complete("DEALLOCATE ALL"), ready()];
  await does(client, server, said, said, [PARSED, ...done], [PARSED, ...done]);
  const again = [BIND, EXECUTE, SYNC];
  await does(client, server, again, again, done, done);
});

Deno.test("ClientStatements stays with the server of a long unnamed statement until it is replaced", async () => {
  const { world, client, server } = await prepared();
  world.network.readSizeMax = 10_000; // so that it comes in pieces
  const long = [parse(`select '${"x".repeat(200_000)}'`), SYNC];
  await does(client, server, long, long, PREPARED, PREPARED);
  const state = IS_LOOKED_AT ? "db0 idle" : "db0 active"; // as a whole, it can be kept
  deepEqual(world.states(), { "client active": 2, [state]: 1 });
  await does(client, server, [BIND, EXECUTE, SYNC], [BIND, EXECUTE, SYNC], RUN, RUN);
  await exchanges(client, server, "select 1", "SELECT 1");
  deepEqual(world.states(), { "client active": 2, "db0 idle": 1 });
});

Deno.test("ClientStatements has no unnamed statement behind a Parse that failed", async () => {
  const { client, server } = await pooledPair();
  const said = [parse("select 1"), SYNC];
  await does(client, server, said, said, PREPARED, PREPARED);
  const bad = [parse("selec"), SYNC];
  const failed = [error("ERROR", "42601", "syntax error"), ready()];
  await does(client, server, bad, bad, failed, failed);
  await client.says(BIND, EXECUTE, SYNC);
  const heard = cut(server.peer.take()).map(({ tag }) => tag);
  equal(heard.includes("P"), false, heard.join());
});

Deno.test("ClientStatements waits until an unnamed statement is there that it has prepared again", async () => {
  const { client, server, other } = await prepared();
  const said = [parse("select 7"), SYNC];
  await does(client, server, said, said, PREPARED, PREPARED);
  await exchanges(other, server, "select 1", "SELECT 1");
  await client.says(EXECUTE, BIND, SYNC, describe("S"), SYNC);
  await server.hears(EXECUTE, parse("select 7"), BIND, SYNC);
  const failed = [error("ERROR", "34000", 'portal "" does not exist'), ready()];
  await server.says(...failed);
  await client.hears(...failed);
  // It was skipped with the Bind.
  await server.hears(parse("select 7"), describe("S"), SYNC);
});
