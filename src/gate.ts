/**
 * One listener's gate in one worker: who is let in by what its files say, and the throttle. The
 * files may change while it stands.
 *
 * @module
 */

import type { Clock } from "./base/clock.ts";
import { messageOf } from "./base/errors.ts";
import type { ServerConfig } from "./config/config.ts";
import { GateFiles } from "./gate_files.ts";
import type { Observer } from "./observe/facts.ts";
import type { PooledPlane } from "./pooled_plane.ts";
import type { ClientAuthenticationShared } from "./postgres/auth/client_authentication.ts";
import { FailureThrottle } from "./postgres/auth/failure_throttle.ts";
import { SCRAM_ITERATIONS } from "./postgres/auth/scram.ts";
import { ScramKeysCache } from "./postgres/auth/scram_keys_cache.ts";
import { DatabaseRefused, type GateContext } from "./postgres/client_gate.ts";
import * as reply from "./postgres/error_reply.ts";
import type { ListenerTls } from "./postgres/gateway.ts";
import { LookupError, lookUpSecret } from "./postgres/pooled/secret_lookup.ts";
import type { Secret } from "./postgres/secrets/secret.ts";

/** Addresses whose failures are remembered: an attacker's must not fill the memory. */
const ADDRESSES_MAX = 10_000;

/** Passwords of clients whose keys are remembered. */
const KEYS_MAX = 1_000;

/**
 * That a database does not exist, may not be connected to by this user, or by anybody: 3D000
 * (invalid_catalog_name), 42501 (insufficient_privilege), 55000
 * (object_not_in_prerequisite_state), as InitPostgres and CheckMyDatabase report them (postinit.c).
 */
const DATABASE_REFUSALS: readonly string[] = ["3D000", "42501", "55000"];

/** Modes of TLS in which a client must use it. */
const REQUIRING = ["require", "verify-ca", "verify-full"];

/** What a gate works with. */
export interface GateParts {
  readonly pooled: PooledPlane;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly mockKey: Uint8Array;
}

/** One listener's. */
export class Gate {
  /** Undefined where servers authenticate every client. */
  readonly context: GateContext | undefined;
  readonly tls: ListenerTls | undefined;
  readonly #name: string;
  readonly #parts: GateParts;
  #files: GateFiles;

  /** @throws {Error} As {@linkcode GateFiles}. */
  constructor(name: string, server: ServerConfig, parts: GateParts) {
    this.#name = name;
    this.#parts = parts;
    this.#files = new GateFiles(server);
    parts.pooled.learnStored(server);
    this.context = server.auth.method === "relay" ? undefined : this.#makeContext(server);
    if (this.#files.certificate === undefined) return;
    this.tls = {
      isRequired: REQUIRING.includes(server.tls.mode),
      context: () => this.#files.certificate!,
    };
  }

  /**
   * Files have changed: those who come from now on go by what they say. Connections that are there
   * stay.
   *
   * @param files Of this listener, with TLS if it had TLS before. They belong to the gate.
   */
  use(files: GateFiles): void {
    this.#files[Symbol.dispose]();
    this.#files = files;
    this.#parts.pooled.learnStored(files.server);
  }

  #makeContext({ auth }: ServerConfig): GateContext {
    const { clock, observer, pooled } = this.#parts;
    const { failuresMax, failureWindowMs: windowMs, banTimeMs: banMs } = auth;
    return {
      listener: this.#name,
      clock,
      observer,
      shared: this.#shared(),
      throttle: new FailureThrottle({
        clock,
        failuresMax,
        windowMs,
        banMs,
        addressesMax: ADDRESSES_MAX,
      }),
      findRule: (connection) => this.#files.rules.find(connection)?.gateRule,
      secretOf: (user, database, signal) => this.#secretOf(user, database, signal),
      admit: (admitted, onAdmitted, onRefused) =>
        pooled.admit(this.#name, this.#files.server, admitted, onAdmitted, onRefused),
    };
  }

  #shared(): ClientAuthenticationShared {
    const { randomBytes, mockKey } = this.#parts;
    const kinds = () => this.#files.kinds;
    return {
      randomBytes,
      mockKey,
      iterations: SCRAM_ITERATIONS,
      get secretKinds() {
        return kinds(); // the users file may change
      },
      keysCache: new ScramKeysCache({ entriesMax: KEYS_MAX, randomBytes }),
    };
  }

  #secretOf(
    user: string,
    database: string,
    signal: () => AbortSignal,
  ): Secret | undefined | Promise<Secret | undefined> {
    const { query } = this.#files.server.auth;
    const stored = this.#files.secrets.get(user);
    if (stored !== undefined || query === undefined) return stored;
    return this.#lookUp(query.sql, user, database, signal());
  }

  /** Asks the first server of the listener's that can be reached, as sessions do. */
  async #lookUp(
    sql: string,
    user: string,
    database: string,
    signal: AbortSignal,
  ): Promise<Secret | undefined> {
    const { clock, pooled } = this.#parts;
    const { server } = this.#files;
    let unreachable: unknown;
    for (const proxy of server.proxies) {
      const route = pooled.poolForAuthQuery(this.#name, server, proxy, { user, database });
      if (route === "database_disabled") {
        throw new DatabaseRefused("the database is disabled", reply.databaseDisabled(database));
      }
      if (typeof route === "string") throw new Error(route.replaceAll("_", " "));
      const { use, isFixed, timeoutMs, cancel } = route;
      try {
        return await lookUpSecret(use.pool, { sql, user, clock, timeoutMs, signal, cancel });
      } catch (error) {
        if (!isFixed && isDatabaseRefused(error)) {
          throw new DatabaseRefused(messageOf(error), reply.secretNotFound());
        }
        if (!isUnreachable(error)) throw error;
        unreachable = error;
      } finally {
        use[Symbol.dispose]();
      }
    }
    throw unreachable;
  }
}

function isUnreachable(error: unknown): boolean {
  const kind = error instanceof LookupError ? error.failure?.kind : undefined;
  return kind === "unreachable" || kind === "silent";
}

function isDatabaseRefused(error: unknown): boolean {
  if (!(error instanceof LookupError) || error.failure?.kind !== "refused") return false;
  return DATABASE_REFUSALS.includes(error.failure.fields.get("C") ?? "");
}
