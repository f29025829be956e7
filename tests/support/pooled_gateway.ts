/**
 * Gateways that log clients in themselves and lend them server connections from a pool, and others
 * that keep those connections changing hands while a test looks at one client.
 *
 * @module
 */

import { configFor, type Gateway, type Settings, startGateway } from "./gateway.ts";
import { bind, execute, parseNamed } from "./extended_messages.ts";
import { SYNC } from "./messages.ts";
import { TEST_PASSWORD } from "./postgres.ts";
import { type ClientTarget, ProtocolClient } from "./protocol_client.ts";

/** How a pool lends its server connections. */
export type PoolMode = "session" | "transaction" | "statement";

const ALL_MODES: readonly PoolMode[] = ["session", "transaction", "statement"];

/**
 * The modes to test: all of them, or those in SLUICE_TEST_MODES, separated by commas ("none" for
 * none of them).
 *
 * @throws {Error} If it names something else: a typing error must not look like a success.
 */
export function modesToTest(): readonly PoolMode[] {
  const named = Deno.env.get("SLUICE_TEST_MODES");
  if (named === undefined) return ALL_MODES;
  if (named === "none") return [];
  return named.split(",").map((name) => {
    const mode = ALL_MODES.find((known) => known === name);
    if (mode === undefined) throw new Error(`SLUICE_TEST_MODES: there is no pool mode "${name}"`);
    return mode;
  });
}

/** What a pooled gateway is beyond its mode. Sections are merged into the groups "default". */
export interface PooledOptions extends Settings {
  readonly mode: PoolMode;
  /** Server connections. */
  readonly size: number;
}

/** The settings for {@linkcode configFor} of a gateway that trusts its clients. */
export function pooledSettings({ mode, size, ...more }: PooledOptions): Settings {
  return {
    ...more,
    server: { auth: { method: "trust" }, ...more.server },
    client: { user: "postgres", password: TEST_PASSWORD, ...more.client },
    pool: { mode, size, ...more.pool },
  };
}

/** Starts a gateway that trusts its clients, in front of the database at `address`. */
export async function startPooledGateway(
  server: { readonly host: string; readonly port: number },
  options: PooledOptions,
): Promise<Gateway> {
  const address = `${server.host}:${server.port}`;
  return await startGateway({ config: configFor(address, pooledSettings(options)) });
}

/** What others make their sessions look like; no client may see any of it but its own. */
const FOREIGN = [
  ["America/Lima", "foreign one"],
  ["Africa/Cairo", "foreign two"],
] as const;

/**
 * Two other clients of the same pool, one of which always holds a server in a transaction. Each
 * {@linkcode rotate} changes which: whoever comes next gets another server than before. Both use
 * the names of statements and the parameters that scripts use, with other contents.
 *
 * The pool must have at least three servers, so that they never wait for the client under test.
 */
export class Disturbers implements Disposable {
  readonly #clients: readonly ProtocolClient[];
  #holder = 0;
  #isHolding = false;

  private constructor(clients: readonly ProtocolClient[]) {
    this.#clients = clients;
  }

  /** Connects both, and leaves their marks in their sessions. */
  static async start(target: ClientTarget): Promise<Disturbers> {
    const clients: ProtocolClient[] = [];
    for (const [timeZone, name] of FOREIGN) {
      const client = await ProtocolClient.logIn(target);
      clients.push(client);
      await client.query(`set timezone = '${timeZone}'; set application_name = '${name}'`);
      for (const statement of ["a", "b", "p", "q", "s1", "s2"]) {
        client.send(parseNamed(statement, `select '${name}: ${statement}' as foreign`), SYNC);
      }
      await client.untilReady(6);
    }
    return new Disturbers(clients);
  }

  /** Takes the server that was used last, and lets go of the one held before. */
  async rotate(): Promise<void> {
    const next = this.#clients[1 - this.#holder]!;
    await next.query("begin");
    next.send(bind({ statement: "a" }), execute(), SYNC);
    await next.untilReady();
    if (this.#isHolding) await this.#clients[this.#holder]!.query("commit");
    this.#holder = 1 - this.#holder;
    this.#isHolding = true;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client.close();
  }
}
