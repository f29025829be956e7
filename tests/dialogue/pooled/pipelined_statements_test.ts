import { bind, close, parseNamed } from "../../support/extended_messages.ts";
import { error, EXECUTE, message, parse, ready, SYNC } from "../../support/messages.ts";
import { pooledPair } from "../../support/pooled_world.ts";

Deno.test("ClientStatements has the server answer a Parse behind a request that is not answered", async () => {
  const { client, server } = await pooledPair();
  await client.says(parseNamed("a", "select 1"), SYNC);
  await server.hears(parseNamed("sluice_1", "select 1"), SYNC);
  await server.says(message("1"), ready());
  await client.hears(message("1"), ready());
  const fails = [parse("bad"), SYNC];
  await client.says(...fails, parseNamed("b", "select 1"), bind({ statement: "b" }), EXECUTE, SYNC);
  // If the first request fails in a transaction, so does this one.
  const again = [close("S", "sluice_1"), parseNamed("sluice_1", "select 1")];
  await server.hears(...fails, ...again, bind({ statement: "sluice_1" }), EXECUTE, SYNC);
  const [bad, aborted] = [error("ERROR", "42601", "no"), error("ERROR", "25P02", "aborted")];
  await server.says(bad, ready("E"), message("3"), aborted, ready("E"));
  await client.hears(bad, ready("E"), aborted, ready("E"));
});

Deno.test("ClientStatements waits with a name that a request before it prepares", async () => {
  const { client, server } = await pooledPair();
  const parses = [parse("bad"), parseNamed("a", "select 1"), SYNC];
  await client.says(...parses, bind({ statement: "a" }), EXECUTE, SYNC);
  await server.hears(parses[0]!, parseNamed("sluice_1", "select 1"), SYNC);
  const bad = error("ERROR", "42601", "no");
  await server.says(bad, ready());
  await client.hears(bad, ready());
  // It means nothing, which the server says.
  await server.hears(bind({ statement: "a" }), EXECUTE, SYNC);
});

Deno.test("ClientStatements waits with the Close of a name that a request before it closes", async () => {
  const { client, server } = await pooledPair();
  const said = [parseNamed("a", "select 1"), parse("bad"), close("S", "a"), SYNC];
  await client.says(...said, close("S", "a"), bind({ statement: "a" }), EXECUTE, SYNC);
  await server.hears(parseNamed("sluice_1", "select 1"), parse("bad"), SYNC);
  const bad = error("ERROR", "42601", "no");
  await server.says(message("1"), bad, ready());
  // The first Close has been skipped, the second one has not.
  await client.hears(message("1"), bad, ready(), message("3"));
  await server.hears(bind({ statement: "a" }), EXECUTE, SYNC);
});
