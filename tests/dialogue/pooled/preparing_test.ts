import { bind, close, describe, parseNamed } from "../../support/extended_messages.ts";
import { complete, error, EXECUTE, query, ready, SYNC } from "../../support/messages.ts";
import { CLOSED, does, PARSED, PREPARED, prepared, RUN } from "../../support/prepared_world.ts";

const GONE = error("ERROR", "26000", "prepared statement does not exist");
const BAD = describe("S", "nobody's");

Deno.test("ServerStatements keep one that was to be closed when the server skips that", async () => {
  const { client, server } = await prepared({ pool: { preparedStatementsMax: 1 } });
  const second = parseNamed("sluice_2", "select 2");
  const said = [BAD, parseNamed("b", "select 2"), SYNC];
  const heard = [BAD, second, close("S", "sluice_1"), SYNC];
  await does(client, server, said, heard, [GONE, ready()], [GONE, ready()]);
  const use = [bind({ statement: "a" }), EXECUTE, SYNC];
  await does(client, server, use, [bind({ statement: "sluice_1" }), EXECUTE, SYNC], RUN, RUN);
  const again = [parseNamed("b", "select 2"), SYNC];
  const closes = [second, close("S", "sluice_1"), SYNC];
  await does(client, server, again, closes, [PARSED, CLOSED, ready()], PREPARED);
});

Deno.test("ServerStatements keep one that was to be prepared anew when the server skips that", async () => {
  const { client, server } = await prepared();
  await client.says(query("select 9"), BAD, parseNamed("c", "select 1"), SYNC);
  await server.hears(
    query("select 9"),
    BAD,
    close("S", "sluice_1"),
    parseNamed("sluice_1", "select 1"),
    SYNC,
  );
  const answers = [complete("SELECT 1"), ready(), GONE, ready()];
  await server.says(...answers);
  await client.hears(...answers);
  const use = [bind({ statement: "a" }), EXECUTE, SYNC];
  await does(client, server, use, [bind({ statement: "sluice_1" }), EXECUTE, SYNC], RUN, RUN);
});

Deno.test("ServerStatements know what a request prepares behind one that should have and was skipped", async () => {
  const { client, server } = await prepared();
  await client.says(BAD, parseNamed("c", "select 3"), SYNC, parseNamed("d", "select 3"), SYNC);
  const third = parseNamed("sluice_2", "select 3");
  await server.hears(BAD, third, SYNC, close("S", "sluice_2"), third, SYNC);
  await server.says(GONE, ready(), CLOSED, PARSED, ready());
  await client.hears(GONE, ready(), PARSED, ready());
  // It is there, which the first one's failure does not tell, so it is made sure of once more.
  const ahead = [close("S", "sluice_2"), third];
  const use = [bind({ statement: "d" }), EXECUTE, SYNC];
  const used = [bind({ statement: "sluice_2" }), EXECUTE, SYNC];
  await does(client, server, use, [...ahead, ...used], [CLOSED, PARSED, ...RUN], RUN);
  await does(client, server, use, used, RUN, RUN);
});

Deno.test("ServerStatements do not count on what two requests should have prepared that were skipped", async () => {
  const { client, server } = await prepared();
  await client.says(BAD, parseNamed("c", "select 3"), SYNC, BAD, parseNamed("d", "select 3"), SYNC);
  const third = parseNamed("sluice_2", "select 3");
  await server.hears(BAD, third, SYNC, BAD, close("S", "sluice_2"), third, SYNC);
  await server.says(GONE, ready(), GONE, ready());
  await client.hears(GONE, ready(), GONE, ready());
  const again = [parseNamed("e", "select 3"), SYNC];
  const heard = [close("S", "sluice_2"), third, SYNC];
  await does(client, server, again, heard, [CLOSED, ...PREPARED], PREPARED);
});

Deno.test("ServerStatements keep what was to make room for one that EXECUTE names and the server refuses", async () => {
  const { client, server } = await prepared({ pool: { preparedStatementsMax: 1 } });
  const second = parseNamed("sluice_2", "select 2");
  const [evicts, evicted] = [close("S", "sluice_1"), [PARSED, CLOSED, ready()]];
  const said = [parseNamed("b", "select 2"), SYNC];
  await does(client, server, said, [second, evicts, SYNC], evicted, PREPARED);
  await client.says(query("execute a"));
  const first = parseNamed("sluice_1", "select 1");
  await server.hears(first, close("S", "sluice_2"), SYNC, query("execute sluice_1"));
  await server.says(error("ERROR", "42703", "no column"), ready(), GONE, ready());
  client.peer.take();
  const use = [bind({ statement: "b" }), EXECUTE, SYNC];
  await does(client, server, use, [bind({ statement: "sluice_2" }), EXECUTE, SYNC], RUN, RUN);
});
