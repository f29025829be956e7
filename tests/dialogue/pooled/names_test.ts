import { equal, notEqual } from "node:assert/strict";
import { parseNamed } from "../../support/extended_messages.ts";
import { complete, cut, query, ready, SYNC } from "../../support/messages.ts";
import { answersRead, exchanges, pooledPair, reading } from "../../support/pooled_world.ts";
import { PARSED } from "../../support/prepared_world.ts";

const SELECT = "select * from t";

/** The name that the server is given for a statement of this client's, or "" for none. */
async function nameGiven(pair: Awaited<ReturnType<typeof pooledPair>>, name: string, status = "I") {
  const { client, server } = pair;
  await client.says(parseNamed(name, SELECT), SYNC);
  const [sent] = cut(server.peer.take());
  const isSent = sent!.tag === "P";
  const done = ready(status as "I" | "T");
  await server.says(...(isSent ? [PARSED, done] : [done]));
  await client.hears(PARSED, done);
  return isSent ? new TextDecoder().decode(sent!.bytes).slice(5).split("\0")[0]! : "";
}

Deno.test("TouchedParameters keep statements apart whose names mean something else by SET LOCAL", async () => {
  const pair = await pooledPair();
  const { client, server } = pair;
  equal(await nameGiven(pair, "a"), "sluice_1");
  await exchanges(client, server, "begin", "BEGIN", "T");
  await exchanges(client, server, "set local search_path = other", "SET", "T");
  equal(await nameGiven(pair, "b", "T"), "sluice_2");
  await exchanges(client, server, "commit", "COMMIT");
  await server.hears();
  // Nobody's statement is the one of that transaction, and what was there before counts again.
  equal(await nameGiven(pair, "c"), "");
});

Deno.test("TouchedParameters keep statements apart whose names mean what is not known yet", async () => {
  const pair = await pooledPair();
  const { client, server } = pair;
  equal(await nameGiven(pair, "a"), "sluice_1");
  await exchanges(client, server, "begin", "BEGIN", "T");
  await exchanges(client, server, "set search_path = other", "SET", "T");
  equal(await nameGiven(pair, "b", "T"), "sluice_2");
  await client.says(query("commit"));
  await server.hears(query("commit"));
  await server.says(complete("COMMIT"), ready());
  await client.hears(complete("COMMIT"), ready());
  await answersRead(server, "search_path", "other");
  notEqual(await nameGiven(pair, "c"), "");
});

Deno.test("TouchedParameters count a role that becoming another user has reset", async () => {
  const { client, server } = await pooledPair();
  await exchanges(client, server, "set session authorization bob", "SET");
  await server.hears(reading("session_authorization", "role"));
});
