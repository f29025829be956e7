/**
 * What the clients of a soak do: right things, wrong things, and leaving in the middle of things.
 *
 * @module
 */

import { bind, close, execute, parseNamed } from "./extended_messages.ts";
import { COPY_DONE, copyData, query, SYNC } from "./messages.ts";
import type { SoakAction, SoakClient } from "./soak_client.ts";
import { sqlStatesOf } from "./protocol_client.ts";
import { pause } from "./wait.ts";

/** Rows that must be there in the end carry "kept"; all others must not. */
export const SOAK_TABLE = "soak_rows";

const LARGE_ROWS = 500;

/** Longest that a query sleeps that is cancelled or left. */
const SLEEP_S = 0.05;

async function simple(client: SoakClient): Promise<void> {
  const n = client.next();
  await client.ask(`select ${client.id}, ${n}`, [[`${client.id}`, `${n}`]]);
}

async function several(client: SoakClient): Promise<void> {
  const { id } = client;
  await client.ask(`select ${id}; select ${id + 1}`, [[`${id}`], [`${id + 1}`]]);
}

/** A Bind and an Execute of a statement that gives its parameter and who made it. */
function run(name: string, n: number): Uint8Array[] {
  return [bind({ statement: name, values: [`${n}`] }), execute(), SYNC];
}

/** Statements of the same names everywhere, with other texts. */
async function prepared(client: SoakClient): Promise<void> {
  const name = client.random.pick(["a", "b", "c"]);
  const n = client.next();
  if (!client.prepared.has(name)) {
    client.connection.send(
      parseNamed(name, `select $1::int, ${client.id}, '${name}'::text`),
      SYNC,
    );
    client.check(await client.connection.untilReady(), [], `parse ${name}`);
    client.prepared.add(name);
  }
  client.connection.send(...run(name, n));
  const row = [`${n}`, `${client.id}`, name];
  client.check(await client.connection.untilReady(), [row], `execute ${name}`);
}

async function closePrepared(client: SoakClient): Promise<void> {
  const [name] = client.prepared;
  if (name === undefined) return await prepared(client);
  client.prepared.delete(name);
  client.connection.send(close("S", name), SYNC, ...run(name, 1));
  const messages = await client.connection.untilReady(2);
  client.checkErrors(messages, ["26000"], `execute ${name} after Close`);
}

/** Three queries before the first answer, the second of which fails. */
async function pipeline(client: SoakClient): Promise<void> {
  const n = client.next();
  const once = (text: string) => [parseNamed("", text), bind(), execute(), SYNC];
  client.connection.send(
    ...once(`select ${client.id}, ${n}`),
    ...once(`select ${client.id} / 0`),
    ...once(`select ${n}, ${client.id}`),
  );
  const first = await client.connection.untilReady();
  client.check(first, [[`${client.id}`, `${n}`]], "first of a pipeline");
  client.checkErrors(await client.connection.untilReady(), ["22012"], "second of a pipeline");
  const third = await client.connection.untilReady();
  client.check(third, [[`${n}`, `${client.id}`]], "third of a pipeline");
}

async function large(client: SoakClient): Promise<void> {
  const rows = Array.from({ length: LARGE_ROWS }, (_, i) => [`${client.id}`, `${i + 1}`]);
  await client.ask(`select ${client.id}, generate_series(1, ${LARGE_ROWS})`, rows);
}

async function fail(client: SoakClient): Promise<void> {
  const text = `select ${client.id} / 0`;
  client.checkErrors(await client.connection.query(text), ["22012"], text);
  await simple(client);
}

async function transaction(client: SoakClient): Promise<void> {
  const n = client.next();
  client.checkErrors(await client.connection.query("begin"), [], "begin");
  await client.ask(`insert into ${SOAK_TABLE} values (${client.id}, ${n}, 'kept')`, []);
  await client.ask(`select i from ${SOAK_TABLE} where client = ${client.id} and i = ${n}`, [
    [`${n}`],
  ]);
  client.state.attempted += 1;
  client.checkErrors(await client.connection.query("commit"), [], "commit");
  client.state.committed += 1;
}

async function rolledBack(client: SoakClient): Promise<void> {
  const row = `(${client.id}, ${client.next()}, 'rolled back')`;
  await client.ask(`begin; insert into ${SOAK_TABLE} values ${row}`, []);
  if (client.random.oneIn(2)) {
    client.checkErrors(await client.connection.query("select 1/0"), ["22012"], "in a transaction");
  }
  await client.ask("rollback", []);
}

async function copyIn(client: SoakClient): Promise<void> {
  const n = client.next();
  client.state.attempted += 1;
  const row = copyData(`${client.id}\t${n}\tkept\n`);
  client.connection.send(query(`copy ${SOAK_TABLE} from stdin`), row, COPY_DONE);
  client.checkErrors(await client.connection.untilReady(), [], "copy");
  client.state.committed += 1;
}

async function copyFails(client: SoakClient): Promise<void> {
  const { connection } = client;
  connection.send(query(`copy ${SOAK_TABLE} from stdin`), copyData("wrong\n"), COPY_DONE);
  client.checkErrors(await connection.untilReady(), ["22P02"], "copy of nonsense");
  await simple(client);
}

/** A cancel may come late: then the query is done, and the client's own next one is hit. */
async function cancelled(client: SoakClient): Promise<void> {
  const { connection, id, random } = client;
  connection.send(query(`select ${id}, pg_sleep(${SLEEP_S})`));
  const answer = connection.untilReady();
  // Nobody waits for it while the cancel is under way, and it may fail then.
  answer.catch(() => {});
  await pause(random.below(SLEEP_S * 2000));
  // At the gateway's end of descriptors or places the request may be refused: nothing is cancelled.
  await connection.cancel().catch(() => {});
  for (const messages of [await answer, await connection.query(`select ${id}, ''`)]) {
    if (sqlStatesOf(messages).join() !== "57014") client.check(messages, [[`${id}`, ""]], "cancel");
  }
}

async function leaveInQuery(client: SoakClient): Promise<void> {
  const sleep = `select ${client.id}, pg_sleep(${SLEEP_S})`;
  const endless = `select ${client.id}, repeat('x', 1000) from generate_series(1, 20000)`;
  client.connection.send(query(client.random.oneIn(2) ? sleep : endless));
  await client.connection.flushed();
  if (client.random.oneIn(2)) await pause(client.random.below(20));
  client.leave();
}

async function leaveInTransaction(client: SoakClient): Promise<void> {
  const row = `(${client.id}, ${client.next()}, 'left')`;
  await client.ask(`begin; insert into ${SOAK_TABLE} values ${row}`, []);
  if (client.random.oneIn(2)) return client.leave();
  await client.sayGoodbye();
}

async function leaveInCopy(client: SoakClient): Promise<void> {
  client.connection.send(
    query(`copy ${SOAK_TABLE} from stdin`),
    copyData(`${client.id}\t${client.next()}\tleft\n`),
  );
  await client.connection.flushed();
  if (client.random.oneIn(2)) await pause(client.random.below(20));
  client.leave();
}

async function leaveInMessage(client: SoakClient): Promise<void> {
  const whole = query(`select ${client.id}, 'never sent to its end'`);
  client.connection.send(whole.subarray(0, 1 + client.random.below(whole.length - 1)));
  await client.connection.flushed();
  client.leave();
}

async function leaveInPipeline(client: SoakClient): Promise<void> {
  const { id } = client;
  client.connection.send(
    parseNamed("left", `select ${id}`),
    bind({ statement: "left" }),
    execute(),
  );
  await client.connection.flushed();
  client.leave();
}

/** All that only a session has, and then the end of the session. */
async function useSession(client: SoakClient): Promise<void> {
  const { id } = client;
  await client.ask(`create temp table soak_temp as select ${id} as owner`, []);
  await client.ask(`select pg_advisory_lock(${id})`, [[""]]);
  await client.ask(`listen soak_${id}`, []);
  await client.ask(`set soak.owner = '${id}'`, []);
  await client.ask(`prepare soak_prepared as select ${id}`, []);
  await client.ask("table soak_temp", [[`${id}`]]);
  await client.ask("execute soak_prepared", [[`${id}`]]);
  await client.ask("select current_setting('soak.owner')", [[`${id}`]]);
  if (client.random.oneIn(2)) return client.leave();
  await client.sayGoodbye();
}

/** What others did in {@linkcode useSession} must not be seen. */
async function checkSession(client: SoakClient): Promise<void> {
  await client.ask(
    "select to_regclass('pg_temp.soak_temp'), coalesce(current_setting('soak.owner', true), ''), " +
      "(select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), " +
      "(select count(*) from pg_listening_channels()), " +
      "(select count(*) from pg_prepared_statements where from_sql)",
    [[null, "", "0", "0", "0"]],
  );
}

function action(
  weight: number,
  run: (client: SoakClient) => Promise<void>,
  hasTransactions = false,
): SoakAction {
  return { weight, run, hasTransactions };
}

/** Everything that clients do, by name. */
export const SOAK_ACTIONS: Readonly<Record<string, SoakAction>> = {
  "a query": action(10, simple),
  "several statements": action(3, several),
  "a prepared statement": action(10, prepared),
  "Close": action(2, closePrepared),
  "a pipeline": action(6, pipeline),
  "many rows": action(3, large),
  "an error": action(3, fail),
  "a transaction": action(6, transaction, true),
  "a transaction rolled back": action(3, rolledBack, true),
  "COPY": action(3, copyIn),
  "COPY that fails": action(2, copyFails),
  "a cancel": action(2, cancelled),
  "leaving in a query": action(1, leaveInQuery),
  "leaving in a transaction": action(1, leaveInTransaction, true),
  "leaving in COPY": action(1, leaveInCopy),
  "leaving in a message": action(1, leaveInMessage),
  "leaving in a pipeline": action(1, leaveInPipeline),
  "setting parameters": action(2, (client) => client.setParameters()),
  "checking parameters": action(4, (client) => client.checkParameters()),
  "using a session": action(1, useSession),
  "checking the session": action(3, checkSession),
};
