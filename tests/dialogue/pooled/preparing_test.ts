import { bind, close, describe, parseNamed } from "../../support/extended_messages.ts";
import { complete, error, EXECUTE, query, ready, SYNC } from "../../support/messages.ts";
import {
  BOUND,
  CLOSED,
  does,
  PARSED,
  PREPARED,
  prepared,
  RUN,
} from "../../support/prepared_world.ts";

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

/** A client that has prepared "a" and "b" on a server that keeps one, "a" being there. */
async function evicted() {
  const { client, server } = await prepared({ pool: { preparedStatementsMax: 1 } });
  const closing = [PARSED, CLOSED, ready()];
  const prepares = [parseNamed("b", "select 2"), SYNC];
  await does(client, server, prepares, [SECOND, CLOSES_FIRST, SYNC], closing, PREPARED);
  const uses = [bind({ statement: "a" }), EXECUTE, SYNC];
  const used = [FIRST, CLOSES_SECOND, bind({ statement: "sluice_1" }), EXECUTE, SYNC];
  await does(client, server, uses, used, [PARSED, CLOSED, ...RUN], RUN);
  return { client, server };
}

/** It has sent a request that fails before it would have "b" prepared and "a" closed. */
async function failing() {
  const { client, server } = await evicted();
  await client.says(BAD, bind({ statement: "b" }), SYNC);
  await server.hears(BAD, SECOND, CLOSES_FIRST, bind({ statement: "sluice_2" }), SYNC);
  return { client, server };
}

const [FIRST, SECOND] = [parseNamed("sluice_1", "select 1"), parseNamed("sluice_2", "select 2")];
const [CLOSES_FIRST, CLOSES_SECOND] = [close("S", "sluice_1"), close("S", "sluice_2")];

Deno.test("ServerStatements do not count on what a request before is to prepare, or to close", async () => {
  const aheadOf = { a: [CLOSES_FIRST, FIRST, CLOSES_SECOND], b: [CLOSES_SECOND, SECOND] };
  for (const [name, ahead] of Object.entries(aheadOf)) {
    const { client, server } = await failing();
    await client.says(bind({ statement: name }), EXECUTE, SYNC);
    const serverName = name === "a" ? "sluice_1" : "sluice_2";
    await server.hears(...ahead, bind({ statement: serverName }), EXECUTE, SYNC);
    await server.says(GONE, ready());
    await client.hears(GONE, ready());
  }
});

Deno.test("ServerStatements do not count on it where EXECUTE names it, either", async () => {
  const aheadOf = { a: [CLOSES_FIRST, FIRST, CLOSES_SECOND], b: [CLOSES_SECOND, SECOND] };
  for (const [name, ahead] of Object.entries(aheadOf)) {
    const { client, server } = await failing();
    await client.says(query(`execute ${name}`));
    const serverName = name === "a" ? "sluice_1" : "sluice_2";
    await server.hears(...ahead, SYNC, query(`execute ${serverName}`));
  }
});

Deno.test("ServerStatements do not take for there what was to be prepared anew, but was not there", async () => {
  const { client, server } = await evicted();
  await client.says(bind({ statement: "b" }), SYNC, BAD, bind({ statement: "a" }), SYNC);
  const before = [SECOND, CLOSES_FIRST, bind({ statement: "sluice_2" }), SYNC];
  const again = [FIRST, CLOSES_SECOND, bind({ statement: "sluice_1" })];
  await server.hears(...before, BAD, CLOSES_FIRST, ...again, SYNC);
  await server.says(PARSED, CLOSED, BOUND, ready(), GONE, ready());
  await client.hears(BOUND, ready(), GONE, ready());
  await client.says(bind({ statement: "a" }), SYNC);
  await server.hears(...again, SYNC);
});

Deno.test("ServerStatements stay in doubt when what was to make sure of them is skipped", async () => {
  const { client, server } = await prepared();
  const third = parseNamed("sluice_2", "select 3");
  const prepares = [BAD, parseNamed("b", "select 3"), SYNC];
  await client.says(...prepares, BAD, parseNamed("c", "select 3"), SYNC);
  const makesSure = [close("S", "sluice_2"), third, SYNC];
  await server.hears(BAD, third, SYNC, BAD, ...makesSure);
  await server.says(GONE, ready(), GONE, ready());
  await client.hears(GONE, ready(), GONE, ready());
  const skipped = [GONE, ready()];
  await does(client, server, prepares, [BAD, ...makesSure], skipped, skipped);
  await does(client, server, prepares, [BAD, ...makesSure], skipped, skipped);
});
