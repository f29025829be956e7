/**
 * What sessions do with the server connections they share, and what the page of metrics shows of
 * it: waits, queries, transactions, statements, pins, timeouts.
 *
 * @module
 */

import { type Actor, SERVERS, World } from "../support/dialogue.ts";
import { bind, close, execute, parseNamed } from "../support/extended_messages.ts";
import {
  BIND,
  cancelRequest,
  complete,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  startup,
  SYNC,
} from "../support/messages.ts";
import { exchanges, joins, pooledPair } from "../support/pooled_world.ts";
import type { Numbers, Scenes } from "./numbers.ts";

/** Texts that pin a session, by the pin's label. */
const PINNING: Readonly<Record<string, string>> = {
  listen: "listen a",
  "advisory_lock": "select pg_advisory_lock(1)",
  "temporary_object": "create temp table t (c int)",
  "holdable_cursor": "begin; declare c cursor with hold for select 1; commit",
  load: "load 'x'",
  prepare: "prepare a as select 1; select 2",
  parameter: "select set_config(a, b, false) from c",
};

/** Pool settings that end something after a second, by the label of the timeout. */
const TIMEOUTS = {
  transaction: { pool: { transactionTimeoutMs: 1_000 } },
  "idle_transaction": { pool: { idleTransactionTimeoutMs: 1_000 } },
  "client_idle": { listener: { clientIdleTimeoutMs: 1_000 } },
} as const;

const [PARSED, BOUND] = [message("1"), message("2")];

/** A histogram's two series. */
function observed(name: string, seconds: readonly number[]): Numbers {
  const sum = seconds.reduce((total, one) => total + one, 0);
  return { [`${name}_count`]: seconds.length, [`${name}_sum`]: sum };
}

/** A query and its answer, after some time. */
async function takes(
  world: World,
  client: Actor,
  server: Actor,
  ms: number,
  status: "I" | "T" = "I",
): Promise<void> {
  await client.says(query("select 1"));
  await server.hears(query("select 1"));
  await world.pass(ms);
  await server.says(complete("SELECT 1"), ready(status));
  await client.hears(complete("SELECT 1"), ready(status));
}

/** What is shown of two transactions: one of two queries with a pause between, and one alone. */
async function transacts(world: World, client: Actor, server: Actor): Promise<Numbers> {
  await takes(world, client, server, 250, "T");
  await world.pass(2_000);
  await takes(world, client, server, 500);
  await takes(world, client, server, 125);
  return {
    "sluice_queries_total": 3,
    "sluice_transactions_total": 2,
    ...observed("sluice_query_duration_seconds", [0.25, 0.5, 0.125]),
    ...observed("sluice_transaction_duration_seconds", [2.75, 0.125]),
  };
}

/** Waits, relayed or pooled. They begin later than at 0, which stands for nobody who waits. */
export const WAIT_SCENES: Scenes = {
  "relayed sessions wait for a place, and one is refused": async (page) => {
    const world = await World.start({ pool: { size: 1, waitersMax: 1, acquireTimeoutMs: 3_000 } });
    await world.pass(1);
    const { client } = await world.pair();
    const [waiting, refused] = [await world.client(), await world.client()];
    const asks = startup({ user: "ann" });
    await waiting.says(asks);
    await world.pass(500);
    await refused.says(asks);
    await page.shows(world, {
      "sluice_client_connections{state=waiting}": 1,
      "sluice_pool_waiters": 1,
      "sluice_pool_max_wait_seconds": 0.5,
      "sluice_pool_waits_total": 2,
      "sluice_pool_waits_refused_total": 1,
      "sluice_server_assignments_total": 1,
      "sluice_client_logins_total": 1,
    });
    await world.pass(2_500);
    await page.shows(world, {
      "sluice_pool_waiters": 0,
      "sluice_pool_max_wait_seconds": 0,
      "sluice_pool_wait_timeouts_total": 1,
      ...observed("sluice_pool_wait_seconds", [3]),
      "sluice_server_assignments_total": 1,
    });
    await client.leaves();
  },
  "pooled sessions wait: one is served, one gives up, one is refused": async (page) => {
    const { world, client, server } = await pooledPair({
      pool: { waitersMax: 2, acquireTimeoutMs: 60_000 },
    });
    await exchanges(client, server, "begin", "BEGIN", "T");
    const others = [];
    for (let i = 0; i < 3; i++) others.push((await joins(world)).client);
    const [first, second, third] = others as [Actor, Actor, Actor];
    await world.pass(10_100);
    await first.says(query("select 1"));
    await world.pass(1_000);
    await second.says(query("select 2"));
    await third.says(query("select 3"));
    await world.pass(1_500);
    // As of the last look, which is taken once a second.
    await page.shows(world, {
      "sluice_pool_waiters": 2,
      "sluice_pool_max_wait_seconds": 1.9,
      "sluice_pool_waits_refused_total": 1,
    });
    await second.leaves();
    await exchanges(client, server, "commit", "COMMIT");
    await server.hears(query("select 1"));
    await world.pass(1_000);
    await page.shows(world, {
      "sluice_pool_waiters": 0,
      "sluice_pool_max_wait_seconds": 0,
      "sluice_pool_waits_total": 3, // the first server was there at once, as far as clocks tell
      ...observed("sluice_pool_wait_seconds", [2.5, 1.5]),
      "sluice_server_assignments_total": 3, // for the welcome, the transaction, and the waiter
      "sluice_client_logins_total": 4,
    });
  },
};

/** What passes through. */
export const TRAFFIC_SCENES: Scenes = {
  "relayed sessions have queries and transactions": async (page) => {
    const world = await World.start();
    const { client, server } = await world.pair();
    await page.shows(world, await transacts(world, client, server));
    const sent = query("select 1").length;
    await page.shows(world, { "sluice_relayed_bytes_total{direction=client_to_server}": 3 * sent });
  },
  "pooled sessions have queries and transactions, the same ones": async (page) => {
    const { world, client, server } = await pooledPair();
    await page.shows(world, await transacts(world, client, server));
    const [up, down] = [query("select 1").length, complete("SELECT 1").length + ready().length];
    await page.shows(world, {
      "sluice_relayed_bytes_total{direction=client_to_server}": 3 * up,
      "sluice_relayed_bytes_total{direction=server_to_client}": 3 * down,
    });
    // A transaction that the gateway ends itself is nobody's.
    await takes(world, client, server, 10, "T");
    await client.leaves();
    await server.hears(query("ROLLBACK"));
    await server.says(complete("ROLLBACK"), ready());
    await page.shows(world, { "sluice_queries_total": 4, "sluice_transactions_total": 2 });
    const { client: next } = await joins(world);
    await world.pass(60_000);
    await takes(world, next, server, 125);
    await page.shows(world, {
      ...observed("sluice_transaction_duration_seconds", [2.75, 0.125, 0.125]),
    });
  },
  "errors are counted by who raised them": async (page) => {
    const { world, client, server } = await pooledPair({ pool: { waitersMax: 0 } });
    const failed = error("ERROR", "42601", "no");
    await client.says(query("selec"));
    await server.says(failed, ready());
    for (const one of [client, server]) one.peer.take();
    await exchanges(client, server, "begin", "BEGIN", "T");
    const { client: other } = await joins(world);
    await other.says(query("select 1"));
    await page.shows(world, {
      "sluice_errors_total{source=server,sqlstate=42601}": 1,
      "sluice_errors_total{source=gateway,sqlstate=53300}": 1,
    });
  },
  "prepared statements are shared between clients, and prepared again elsewhere": async (page) => {
    const { world, client, server } = await pooledPair();
    const { client: other } = await joins(world);
    const uses = [bind({ statement: "s" }), execute(), SYNC];
    for (const one of [client, other]) {
      await one.says(parseNamed("s", "select 1"), ...uses);
      await server.says(...(one === client ? [PARSED] : []), BOUND, complete("SELECT 1"), ready());
    }
    await page.shows(world, {
      "sluice_client_parses_total": 2,
      "sluice_server_parses_total": 1,
      "sluice_binds_total": 2,
    });
    for (const one of [client, server]) one.peer.take();
    await exchanges(client, server, "deallocate all", "DEALLOCATE ALL");
    await other.says(...uses); // which the server has lost with the first client's
    await server.says(PARSED, BOUND, complete("SELECT 1"), ready());
    await other.says(parse("select 2"), BIND, EXECUTE, SYNC);
    await server.says(PARSED, BOUND, complete("SELECT 1"), ready());
    await page.shows(world, {
      "sluice_client_parses_total": 3,
      "sluice_server_parses_total": 3,
      "sluice_binds_total": 4,
    });
  },
};

/** What keeps a session with its server, and what ends it. */
export const SESSION_SCENES: Scenes = {
  "sessions are pinned by each reason, until they are over": async (page) => {
    for (const [reason, text] of Object.entries(PINNING)) {
      const { world, client, server } = await pooledPair();
      await exchanges(client, server, text, "DONE");
      await page.shows(world, {
        [`sluice_session_pins_total{reason=${reason}}`]: 1,
        "sluice_pinned_sessions": 1,
      });
      await client.leaves();
      await page.shows(world, { "sluice_pinned_sessions": 0 });
    }
  },
  "sessions are pinned once by several reasons, and until the last one has ended": async (page) => {
    const { world, client, server } = await pooledPair();
    await exchanges(client, server, "listen a", "LISTEN");
    await exchanges(client, server, "listen b", "LISTEN");
    await exchanges(client, server, "create temp table t (c int)", "CREATE TABLE");
    await page.shows(world, {
      "sluice_pinned_sessions": 1,
      "sluice_session_pins_total{reason=listen}": 1,
      "sluice_session_pins_total{reason=temporary_object}": 1,
    });
    await exchanges(client, server, "unlisten *", "UNLISTEN");
    await page.shows(world, { "sluice_pinned_sessions": 1 });
    await exchanges(client, server, "discard temp", "DISCARD TEMP");
    await page.shows(world, { "sluice_pinned_sessions": 0 });
    await exchanges(client, server, "listen a", "LISTEN");
    await exchanges(client, server, "discard all", "DISCARD ALL");
    await page.shows(world, { "sluice_pinned_sessions": 0 });
    await exchanges(client, server, "listen a", "LISTEN");
    await server.leaves();
    await page.shows(world, {
      "sluice_pinned_sessions": 0,
      "sluice_session_pins_total{reason=listen}": 3,
      "sluice_server_connections_lost_total": 1,
    });
  },
  "sessions are pinned by more parameters than are kept": async (page) => {
    const { world, client, server } = await pooledPair();
    for (let i = 0; i < 65; i++) await exchanges(client, server, `set a.p${i} = 1`, "SET", "T");
    await page.shows(world, {
      "sluice_pinned_sessions": 1,
      "sluice_session_pins_total{reason=too_many_parameters}": 1,
    });
  },
  "sessions are pinned by a statement that is too long to be kept": async (page) => {
    const { world, client, server } = await pooledPair();
    world.network.readSizeMax = 10_000; // so that it comes in pieces
    await client.says(parseNamed("long", `select '${"x".repeat(200_000)}'`), SYNC);
    await server.says(PARSED, ready());
    await page.shows(world, {
      "sluice_pinned_sessions": 1,
      "sluice_session_pins_total{reason=statement}": 1,
    });
    await client.says(close("S", "long"), SYNC);
    await server.says(message("3"), ready());
    await page.shows(world, { "sluice_pinned_sessions": 0 });
  },
  "queries time out": async (page) => {
    const { world, client } = await pooledPair({ pool: { queryTimeoutMs: 1_000 } });
    await client.says(query("select pg_sleep(9)"));
    await world.pass(1_500);
    await page.shows(world, { "sluice_session_timeouts_total{timeout=query}": 1 });
  },
  "sessions time out": async (page) => {
    for (const [timeout, options] of Object.entries(TIMEOUTS)) {
      const { world, client, server } = await pooledPair(options);
      if (timeout !== "client_idle") await exchanges(client, server, "begin", "BEGIN", "T");
      await world.pass(1_500);
      await page.shows(world, { [`sluice_session_timeouts_total{timeout=${timeout}}`]: 1 });
    }
  },
  "cancel requests end in each way": async (page) => {
    const { world, client, server, key } = await pooledPair();
    const cancels = async (processId: number) =>
      (await world.client()).says(cancelRequest(processId, key.key));
    await cancels(key.processId);
    await cancels(key.processId + 1);
    await client.says(query("select pg_sleep(9)"));
    await server.hears(query("select pg_sleep(9)"));
    await cancels(key.processId);
    await (await world.server()).leaves();
    world.network.answer(SERVERS[0]!, "refuse");
    await cancels(key.processId);
    world.network.answer(SERVERS[0]!, "accept");
    for (let i = 0; i < 65; i++) await cancels(key.processId); // 64 at a time
    await page.shows(world, {
      "sluice_cancel_requests_total{outcome=idle}": 1,
      "sluice_cancel_requests_total{outcome=unknown}": 1,
      "sluice_cancel_requests_total{outcome=forwarded}": 1,
      "sluice_cancel_requests_total{outcome=failed}": 1,
      "sluice_cancel_requests_total{outcome=refused}": 1,
    });
  },
};
