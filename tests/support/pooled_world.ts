/**
 * What dialogues with a pooled gateway have in common: it lets clients in by itself, so a test
 * begins with one that is welcome, and a server that waits in the pool.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import type { PoolConfig, ServerConfig } from "../../src/config/config.ts";
import { SERVER_DEFAULTS } from "./configs.ts";
import { type Actor, SERVER_KEY, World, type WorldOptions } from "./dialogue.ts";
import { bind, close, execute, parseNamed } from "./extended_messages.ts";
import {
  AUTH_OK,
  backendKeyData,
  type Bytes,
  complete,
  cut,
  dataRow,
  keyOf,
  message,
  parameterStatus,
  query,
  ready,
  ROW_DESCRIPTION,
  startup,
  SYNC,
  textOfMessages,
} from "./messages.ts";

/** What servers of these dialogues report when they have let the gateway in. */
export const REPORTED: Readonly<Record<string, string>> = Object.fromEntries([
  ["application_name", ""],
  ["client_encoding", "UTF8"],
  ["server_version", "18.0"],
  ["standard_conforming_strings", "on"],
  ["TimeZone", "UTC"],
]);

/** A listener that lets everybody in. */
export const TRUST: Partial<ServerConfig> = {
  auth: { ...SERVER_DEFAULTS.auth, method: "trust" },
};

/** What may differ from one dialogue to another. */
export interface PooledOptions extends Partial<Omit<WorldOptions, "pool">> {
  readonly pool?: Partial<PoolConfig>;
}

/** Starts a gateway in transaction mode with one server connection, if `options` do not differ. */
export function startPooled(options: PooledOptions = {}): Promise<World> {
  return World.start({
    ...options,
    listener: { ...TRUST, ...options.listener },
    pool: { mode: "transaction", size: 1, ...options.pool },
  });
}

/** A client asks to be let in; it may have to wait for a server. */
export async function connects(
  world: World,
  parameters: Readonly<Record<string, string>> = {},
  worker = 0,
): Promise<Actor> {
  const client = await world.client(worker);
  await client.says(startup({ user: "ann", ...parameters }));
  return client;
}

/** A server connection that the gateway opens, and lets itself be logged in to. */
export async function admits(
  world: World,
  reported: Readonly<Record<string, string>> = {},
  index = 0,
): Promise<Actor> {
  const server = await world.server(index);
  await server.hearsBytes(startup({ user: "ann", database: "ann" }));
  await server.says(
    AUTH_OK,
    ...statuses({ ...REPORTED, ...reported }),
    backendKeyData(SERVER_KEY.processId, SERVER_KEY.key),
    ready(),
  );
  return server;
}

/** Checks that the client is let in and told what a server would tell it. @returns Its key. */
export async function hearsWelcome(
  world: World,
  client: Actor,
  reported: Readonly<Record<string, string>> = {},
): Promise<ReturnType<typeof keyOf>> {
  await world.settle();
  const messages = cut(client.peer.take());
  const isKey = ({ tag }: { readonly tag: string }) => tag === "K";
  const keys = messages.filter(isKey);
  equal(keys.length, 1);
  deepEqual(
    textOfMessages(concat(...messages.filter((one) => !isKey(one)).map(({ bytes }) => bytes))),
    textOfMessages(concat(AUTH_OK, ...statuses({ ...REPORTED, ...reported }), ready())),
  );
  return keyOf(keys[0]!.bytes);
}

/** A client that is let in without a server, as one before it was. */
export async function joins(
  world: World,
  worker = 0,
): Promise<{ readonly client: Actor; readonly key: ReturnType<typeof keyOf> }> {
  const client = await connects(world, {}, worker);
  return { client, key: await hearsWelcome(world, client) };
}

/** A world with a client that was let in, and a server that waits in the pool. */
export async function pooledPair(options: PooledOptions = {}): Promise<{
  readonly world: World;
  readonly client: Actor;
  readonly server: Actor;
  readonly key: ReturnType<typeof keyOf>;
}> {
  const world = await startPooled(options);
  const client = await connects(world);
  const server = await admits(world);
  return { world, client, server, key: await hearsWelcome(world, client) };
}

/** One query and its answer, from end to end. */
export async function exchanges(
  client: Actor,
  server: Actor,
  text: string,
  tag: string,
  status: "I" | "T" | "E" = "I",
): Promise<void> {
  await client.says(query(text));
  await server.hears(query(text));
  await server.says(complete(tag), ready(status));
  await client.hears(complete(tag), ready(status));
}

/** The server answers a query of the gateway's own with one row; the client hears nothing. */
export async function answersOwn(
  server: Actor,
  text: string,
  ...values: readonly string[]
): Promise<void> {
  await server.hears(query(text));
  const row = values.length === 0 ? [] : [ROW_DESCRIPTION, rowOf(...values)];
  await server.says(...row, complete("SELECT 1"), ready());
}

/**
 * The server is asked to be as the client wants it, and answers; what the client said waits for
 * that, and only then is there.
 *
 * @param asked What answers each query of the gateway's own, without its ReadyForQuery.
 * @param said What the client said, as the server hears it.
 */
export async function follows(
  server: Actor,
  asked: Readonly<Record<string, readonly Bytes[]>>,
  ...said: readonly Bytes[]
): Promise<void> {
  await server.hears(...Object.keys(asked).map((text) => query(text)));
  for (const answers of Object.values(asked)) {
    await server.hears();
    await server.says(...answers, ready());
  }
  await server.hears(...said);
}

/** A DataRow of several columns. */
export function rowOf(...values: readonly string[]): Bytes {
  const bodies = values.map((value) => dataRow(value).slice(7));
  const body = concat(Uint8Array.of(0, values.length), ...bodies);
  const size = body.length + 4;
  return concat(Uint8Array.of(0x44, 0, 0, size >> 8, size & 0xff), body);
}

/** The query that sets parameters for a client, ahead of what it says. */
export function setting(values: Readonly<Record<string, string>>): string {
  const calls = Object.entries(values)
    .map(([name, value]) => `pg_catalog.set_config('${name}','${value}',false)`);
  return `SELECT ${calls.join(",")}`;
}

/**
 * What asks what has become of parameters that were touched: not a Query, since that would end the
 * client's unnamed statement.
 */
export function reading(...names: readonly string[]): Bytes {
  return executing(
    `SELECT ${names.map((name) => `pg_catalog.current_setting('${name}',true)`).join(",")}`,
  );
}

/** A statement of the gateway's own that is no Query. */
export function executing(text: string): Bytes {
  const own = "sluice_own";
  return concat(
    close("S", own),
    parseNamed(own, text),
    bind({ portal: own, statement: own }),
    execute(own),
    close("S", own),
    SYNC,
  );
}

/** What answers that. */
export function read(...values: readonly string[]): Bytes {
  const [parsed, bound, closed] = [message("1"), message("2"), message("3")];
  return concat(closed, parsed, bound, rowOf(...values), complete("SELECT 1"), closed, ready());
}

/** The gateway asks what a parameter is now, and is answered; the client hears nothing of it. */
export async function answersRead(server: Actor, name: string, value: string): Promise<void> {
  await server.hears(reading(name));
  await server.says(read(value));
}

/** ParameterStatus of each. */
export function statuses(reported: Readonly<Record<string, string>>): Bytes[] {
  return Object.entries(reported).map(([name, value]) => parameterStatus(name, value));
}
