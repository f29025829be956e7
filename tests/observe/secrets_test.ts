import { ok as assert } from "node:assert/strict";
import { World } from "../support/dialogue.ts";
import { SERVER_DEFAULTS } from "../support/configs.ts";
import { bind, execute, parseNamed } from "../support/extended_messages.ts";
import { AUTH_OK, error, password, query, ready, startup, SYNC } from "../support/messages.ts";
import { admits, connects, hearsWelcome, startPooled } from "../support/pooled_world.ts";

/** Whatever is private in these dialogues is spelt with this. */
const PRIVATE = "rosebud";

/** Checks that something was logged, at all levels, and nothing private. */
function isDiscreet(world: World, ...expected: readonly string[]): void {
  const messages = world.log.map(({ message }) => message);
  for (const message of expected) assert(messages.includes(message), `${message}: ${messages}`);
  for (const record of world.log) {
    const text = JSON.stringify(record);
    assert(!text.includes(PRIVATE), text);
  }
}

Deno.test("The log holds no password, be it right or wrong", async () => {
  const auth = {
    ...SERVER_DEFAULTS.auth,
    method: "password",
    users: new Map([["ann", `${PRIVATE} 1`], ["bob", `md5${"0".repeat(32)}`]]),
  } as const;
  const world = await startPooled({ listener: { auth }, server: { password: `${PRIVATE} 2` } });
  const client = await connects(world);
  await client.says(password(`${PRIVATE} 1`));
  await admits(world);
  for (const [user, given] of [["ann", 3], ["bob", 4], ["eve", 5]] as const) {
    const stranger = await connects(world, { user });
    await world.pass(5_000); // who has failed before is kept waiting
    await stranger.says(password(`${PRIVATE} ${given}`));
  }
  isDiscreet(world, "authentication failed", "session ready");
  assert(world.logged("authentication failed").length === 3);
});

Deno.test("The log holds no query, no value of a parameter, and no error of a server", async () => {
  const world = await startPooled();
  const client = await connects(world);
  const server = await admits(world);
  await hearsWelcome(world, client);
  const failed = error("ERROR", "23505", `duplicate key: (${PRIVATE})`);
  await client.says(query(`select '${PRIVATE}'`));
  await server.says(failed, ready());
  await client.says(
    parseNamed("s", `select $1 -- ${PRIVATE}`),
    bind({ statement: "s", values: [PRIVATE] }),
    execute(),
    SYNC,
  );
  await server.says(failed, ready());
  await client.says(query(`listen ${PRIVATE}`));
  await server.says(failed, ready());
  await server.leaves();
  await client.leaves();
  isDiscreet(world, "error reported to client", "session pinned to its server");
});

Deno.test("The log holds no server's refusal of a parameter, which the client is told", async () => {
  const world = await startPooled();
  const client = await connects(world, { search_path: PRIVATE });
  const server = await admits(world);
  await server.says(error("ERROR", "22023", `invalid value: "${PRIVATE}"`), ready());
  await client.hearsFatal("22023", new RegExp(PRIVATE), AUTH_OK);
  isDiscreet(world, "error reported to client");
  const [record] = world.logged("error reported to client");
  assert(record?.fields["sqlState"] === "22023" && !("error" in record.fields));
});

Deno.test("The log holds nothing of what a client sends instead of a protocol", async () => {
  const world = await startPooled();
  const client = await connects(world);
  const server = await admits(world);
  await hearsWelcome(world, client);
  await client.says(new TextEncoder().encode(`\x01${PRIVATE} HTTP/1.1`));
  const relayed = await World.start();
  const pair = await relayed.pair();
  await pair.client.says(query(`select '${PRIVATE}'`));
  await pair.server.says(new TextEncoder().encode(`\x01${PRIVATE}`));
  await relayed.client().then((other) => other.says(startup({ options: `-c x=${PRIVATE}` })));
  await server.leaves();
  isDiscreet(world, "error reported to client");
  isDiscreet(relayed, "error reported to client");
});
