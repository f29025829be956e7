/**
 * Runs on real servers what is said to be a read: in a transaction that is read-only, and on a hot
 * standby. And compares the list of harmless functions with what servers say of theirs.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import pg from "pg";
import type { EmbeddedPostgres } from "../../src/cli/demo/embedded_postgres.ts";
import {
  HARMLESS_FUNCTIONS,
  VOLATILE_FUNCTIONS,
} from "../../src/postgres/routing/harmless_functions.ts";
import { functionsOf } from "../postgres/routing/server_functions.ts";
import { type Example, OTHERS, READS, SCHEMA, WRITES } from "../postgres/routing/statements.ts";
import { testOnEachServer } from "../support/postgres.ts";

/** ERRCODE_READ_ONLY_SQL_TRANSACTION in `errcodes.txt` */
const READ_ONLY_TRANSACTION = "25006";

/** ERRCODE_NO_ACTIVE_SQL_TRANSACTION: what belongs into a transaction was outside of one. */
const NO_TRANSACTION = "25P01";

/** Runs texts on a connection of their own. @returns The SQLSTATE of what failed, or "". */
async function run(port: number, ...texts: readonly string[]): Promise<string> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
    return "";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await client.end();
  }
}

/** Those of `examples` that fail, with why. */
async function failures(
  examples: readonly Example[],
  runOne: (text: string) => Promise<string>,
): Promise<string[]> {
  const failed: string[] = [];
  for (const [, text] of examples) {
    const code = await runOne(text);
    if (code !== "") failed.push(`${text}: ${code}`);
  }
  return failed;
}

/** Makes a server a standby of nobody, which waits for ever for what a primary would send. */
async function becomeStandby(server: EmbeddedPostgres): Promise<void> {
  await Deno.writeTextFile(join(server.dataDir, "standby.signal"), "");
  await server.restart();
}

const ROLES = { auth: "trust" } as const;

await testOnEachServer("What is said to read runs on a standby", ROLES, async (server) => {
  const { port } = server;
  equal(await run(port, SCHEMA), "");
  // Texts with transactions of their own end the one around them.
  const isAlone = ([, text]: Example) => !/BEGIN|COMMIT/.test(text);
  deepEqual(
    await failures(READS.filter(isAlone), (text) => run(port, "BEGIN READ ONLY", text)),
    [],
    "in a transaction that is read-only",
  );
  await becomeStandby(server);
  deepEqual(await failures(READS, (text) => run(port, text)), [], "on a standby");
  const others = OTHERS.filter(([kind]) => kind === "session" || kind === "begin read only");
  deepEqual(await failures(others, (text) => run(port, text)), [], "on a standby");
  const inTransaction = OTHERS.filter(([kind]) => kind === "transaction");
  for (const [, text] of inTransaction) {
    ok(["", NO_TRANSACTION].includes(await run(port, text)), text);
  }
});

await testOnEachServer("What a standby refuses is said to write", ROLES, async (server) => {
  const { port } = server;
  equal(await run(port, SCHEMA), "");
  await becomeStandby(server);
  const refused = await failures(WRITES, (text) => run(port, text));
  const asReadOnly = refused.filter((line) => line.endsWith(READ_ONLY_TRANSACTION));
  ok(asReadOnly.length > 50, `${asReadOnly.length} are refused since they write`);
});

await testOnEachServer("HARMLESS_FUNCTIONS are what a server says of its own", ROLES, async (
  server,
) => {
  const { expected, all, volatile } = await functionsOf(server);
  const missing = [...expected].filter((name) => !HARMLESS_FUNCTIONS.has(name));
  deepEqual(missing, [], "these are not in the list");
  const listed = [...HARMLESS_FUNCTIONS].filter((name) => all.has(name));
  const wrong = listed.filter((name) => !expected.has(name) && !VOLATILE_FUNCTIONS.has(name));
  deepEqual(wrong, [], "these do more than to give a value");
  const steady = [...VOLATILE_FUNCTIONS].filter((name) => all.has(name) && !volatile.has(name));
  deepEqual(steady, [], "these need not be listed apart");
});
