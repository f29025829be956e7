/**
 * One listener's gate in one worker, from its configuration: rules, secrets, TLS, and the throttle.
 * What its files say may change while it stands.
 *
 * @module
 */

import type { Clock } from "./base/clock.ts";
import { messageOf } from "./base/errors.ts";
import type { HbaRule as ConfiguredRule, NameMapEntry, ServerConfig } from "./config/config.ts";
import type { TlsServerContext } from "./net/tls/server_context.ts";
import type { Observer } from "./observe/facts.ts";
import type { PooledPlane } from "./pooled_plane.ts";
import type { ClientAuthenticationShared } from "./postgres/auth/client_authentication.ts";
import { FailureThrottle } from "./postgres/auth/failure_throttle.ts";
import { HbaRules } from "./postgres/auth/hba.ts";
import { NameMap } from "./postgres/auth/name_map.ts";
import { SCRAM_ITERATIONS } from "./postgres/auth/scram.ts";
import { ScramKeysCache } from "./postgres/auth/scram_keys_cache.ts";
import { DatabaseRefused, type GateContext, type GateRule } from "./postgres/client_gate.ts";
import * as reply from "./postgres/error_reply.ts";
import type { ListenerTls } from "./postgres/gateway.ts";
import { LookupError, lookUpSecret } from "./postgres/pooled/secret_lookup.ts";
import { parseSecret, type Secret } from "./postgres/secrets/secret.ts";
import { serverTls } from "./tls_contexts.ts";

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

/** A rule and what its options mean. */
type Rule = ConfiguredRule & { readonly gateRule: GateRule };

/** One listener's. */
export class Gate {
  /** Undefined where servers authenticate every client. */
  readonly context: GateContext | undefined;
  readonly tls: ListenerTls | undefined;
  readonly #name: string;
  readonly #parts: GateParts;
  #server: ServerConfig;
  #rules: HbaRules<Rule>;
  #secrets: ReadonlyMap<string, Secret>;
  #kinds: ReadonlySet<Secret["kind"]>;
  #certificate: TlsServerContext | undefined;

  /** @throws {Error} If a certificate or its key cannot be used; it says which and why. */
  constructor(name: string, server: ServerConfig, parts: GateParts) {
    this.#name = name;
    this.#parts = parts;
    this.#server = server;
    this.#rules = rulesOf(server);
    this.#secrets = secretsOf(server);
    this.#kinds = kindsOf(server, this.#secrets);
    this.#certificate = serverTls(server.tls);
    parts.pooled.learnStored(server);
    this.context = server.auth.method === "relay" ? undefined : this.#makeContext(server);
    if (this.#certificate === undefined) return;
    this.tls = {
      isRequired: REQUIRING.includes(server.tls.mode),
      context: () => this.#certificate!,
    };
  }

  /**
   * Files have changed. Connections that are there stay.
   *
   * @throws {Error} As the constructor; then all stays as it is.
   */
  refresh(server: ServerConfig): void {
    const certificate = serverTls(server.tls);
    this.#rules = rulesOf(server);
    this.#secrets = secretsOf(server);
    this.#kinds = kindsOf(server, this.#secrets);
    this.#server = server;
    this.#parts.pooled.learnStored(server);
    if (certificate === undefined || this.#certificate === undefined) return;
    this.#certificate.close();
    this.#certificate = certificate;
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
      findRule: (connection) => this.#rules.find(connection)?.gateRule,
      secretOf: (user, database, signal) => this.#secretOf(user, database, signal),
      admit: (admitted, onAdmitted, onRefused) =>
        pooled.admit(this.#name, this.#server, admitted, onAdmitted, onRefused),
    };
  }

  #shared(): ClientAuthenticationShared {
    const { randomBytes, mockKey } = this.#parts;
    const kinds = () => this.#kinds;
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
    signal: AbortSignal,
  ): Secret | undefined | Promise<Secret | undefined> {
    const { query } = this.#server.auth;
    const stored = this.#secrets.get(user);
    if (stored !== undefined || query === undefined) return stored;
    return this.#lookUp(query.sql, user, database, signal);
  }

  /** Asks the first server of the listener's that can be reached, as sessions do. */
  async #lookUp(
    sql: string,
    user: string,
    database: string,
    signal: AbortSignal,
  ): Promise<Secret | undefined> {
    const { clock, pooled } = this.#parts;
    const server = this.#server;
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
  return error instanceof LookupError && error.failure?.kind === "unreachable";
}

function isDatabaseRefused(error: unknown): boolean {
  if (!(error instanceof LookupError) || error.failure?.kind !== "refused") return false;
  return DATABASE_REFUSALS.includes(error.failure.fields.get("C") ?? "");
}

/** The rules of a listener; one for everybody where its method is not `rules`. */
function rulesOf({ auth }: ServerConfig): HbaRules<Rule> {
  if (auth.method === "rules") {
    return new HbaRules(auth.rules.map((rule) => ({ ...rule, gateRule: gateRule(rule, auth) })));
  }
  const everybody = { databases: ["all", "replication"], users: ["all"], address: undefined };
  const options = { map: "", clientCertificate: undefined };
  const { method } = auth;
  return new HbaRules((["local", "host"] as const).map((type) => {
    const rule: ConfiguredRule = { type, ...everybody, method, options };
    return { ...rule, gateRule: gateRule(rule, auth) };
  }));
}

function gateRule(
  { method, options }: ConfiguredRule,
  { nameMap }: { readonly nameMap: readonly NameMapEntry[] },
): GateRule {
  const entries = nameMap.filter(({ map }) => map === options.map);
  const names = new NameMap(entries.length === 0 ? undefined : entries);
  return {
    method,
    clientCertificate: options.clientCertificate,
    isNameRight: (commonName, user) => names.allows(commonName, user),
  };
}

function secretsOf({ auth }: ServerConfig): Map<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const [user, text] of auth.users) {
    const secret = parseSecret(text);
    if (secret !== undefined) secrets.set(user, secret);
  }
  return secrets;
}

/** The kinds of secrets that any user may have. */
function kindsOf(
  { auth }: ServerConfig,
  secrets: ReadonlyMap<string, Secret>,
): ReadonlySet<Secret["kind"]> {
  const kinds = new Set([...secrets.values()].map(({ kind }) => kind));
  // What the database answers is not known before it is asked; PostgreSQL stores these two.
  if (auth.query !== undefined) kinds.add("scram-sha-256").add("md5");
  return kinds;
}
