/**
 * Where one worker's server connections lead, and what they are opened with: the server, TLS, who
 * logs in, and what is known of that user's password. Pairs of a database and a user go by a
 * destination's name, so that what is opened for one purpose is never lent for another.
 *
 * @module
 */

import { utf8 } from "./base/bytes.ts";
import type { AuthQueryConfig, ClientConfig, ServerConfig } from "./config/config.ts";
import type { ConnectionCounter } from "./upstream/connection_table.ts";
import type { Member } from "./upstream/members.ts";
import type { Pair } from "./pool/server_pool_types.ts";
import type { ServerAddress } from "./upstream/dial.ts";
import type { ServerCredentials } from "./postgres/auth/credentials.ts";
import type { Admitted } from "./postgres/client_gate.ts";
import type { LoginTarget } from "./postgres/pooled/backend_opener.ts";
import { KnownCredentials } from "./postgres/pooled/known_credentials.ts";
import { type ClientTls, clientTls } from "./tls_contexts.ts";

/** Finds where the connections to a server are counted. */
export type CounterOf = (member: Member) => ConnectionCounter | undefined;

/** Where the pairs of one name lead. */
export interface Destination {
  /** Names in the configuration. */
  readonly clientName: string;
  /** The server of that client. */
  readonly member: Member;
  readonly poolName: string;
  /** Further parameters of the StartupMessage. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Whether its connections are for one session. */
  readonly isSingleUse: boolean;
  readonly credentials: (user: string) => ServerCredentials | undefined;
}

/** One worker's. */
export class Destinations {
  readonly #known = new Map<string, Destination>();
  /** Names that `shared` has given, by server and pool. */
  readonly #shared = new Map<Member, Map<string, string>>();
  readonly #credentials = new KnownCredentials();
  readonly #tls = new Map<string, ClientTls | undefined>();
  readonly #counterOf: CounterOf | undefined;
  #clients: ReadonlyMap<string, ClientConfig>;

  /**
   * @param clients By their names in the configuration.
   * @param counterOf Where connections to a server are counted; nowhere if left out.
   */
  constructor(clients: ReadonlyMap<string, ClientConfig>, counterOf?: CounterOf) {
    this.#clients = clients;
    this.#counterOf = counterOf;
  }

  /**
   * Files have changed. What clients have shown of themselves is still known.
   *
   * @returns Whether servers are to be logged in to in another way than before.
   */
  refresh(clients: ReadonlyMap<string, ClientConfig>): boolean {
    const isSame = JSON.stringify([...clients]) === JSON.stringify([...this.#clients]);
    // What a dial that is under way has of them, it keeps: nobody closes what is dropped here.
    for (const name of this.#tls.keys()) {
      const [before, now] = [this.#clients.get(name)?.tls, clients.get(name)?.tls];
      if (JSON.stringify(before) !== JSON.stringify(now)) this.#tls.delete(name);
    }
    this.#clients = clients;
    return !isSame;
  }

  /** The configuration of a client, which must have this name. */
  client(name: string): ClientConfig {
    return this.#clients.get(name)!;
  }

  /** What a name stands for that one of the following methods gave. */
  get(name: string): Destination {
    return this.#known.get(name)!;
  }

  /** The name that a configured pool's connections to one configured client go by. */
  shared(member: Member, poolName: string): string {
    const known = this.#shared.get(member)?.get(poolName);
    if (known !== undefined) return known;
    const { client: clientName } = member;
    const place = this.#placeOf(member);
    const name = this.#add(place === poolName ? poolName : `${place}/${poolName}`, {
      clientName,
      member,
      poolName,
      parameters: new Map(),
      isSingleUse: false,
      credentials: (user) => this.#credentialsFor(clientName, user),
    });
    this.#shared.set(member, (this.#shared.get(member) ?? new Map()).set(poolName, name));
    return name;
  }

  /**
   * The name that the connection of a walsender goes by: it is for one session, and is told at its
   * start what for. Forget it when its pool is made.
   */
  replication(member: Member, poolName: string, { startup, session }: Admitted): string {
    const { client: clientName } = member;
    const parameters = new Map(startup.parameters);
    for (const not of ["user", "database"]) parameters.delete(not);
    for (const key of [...parameters.keys()]) if (key.startsWith("_pq_.")) parameters.delete(key);
    // Servers that share a pool must not share this: each has a walsender of its own.
    return this.#add(`${this.#placeOf(member)}/${poolName}#${session}`, {
      clientName,
      member,
      poolName,
      parameters,
      isSingleUse: true,
      credentials: (user) => this.#credentialsFor(clientName, user),
    });
  }

  /** The name that the connections go by which look up secrets for one listener. */
  authQuery(
    member: Member,
    poolName: string,
    listener: string,
    { password }: AuthQueryConfig,
  ): string {
    const { client: clientName } = member;
    // Each listener may have another password.
    return this.#add(`${this.#placeOf(member)}#auth:${listener}`, {
      clientName,
      member,
      poolName,
      parameters: new Map([["client_encoding", "UTF8"]]),
      isSingleUse: false,
      credentials: () => passwordOf(password),
    });
  }

  forget(name: string): void {
    this.#known.delete(name);
  }

  /** What a login needs; made anew for each one, since files change. */
  target({ clientName, member, parameters, credentials }: Destination, pair: Pair): LoginTarget {
    const client = this.client(clientName);
    return {
      server: serverAddress(client, member, this.#counterOf?.(member)),
      tls: () => this.tlsOf(clientName),
      database: pair.database,
      user: pair.user,
      credentials: () => credentials(pair.user),
      loginTimeoutMs: client.dialTimeoutMs,
      parameters,
    };
  }

  /**
   * Made when it is first needed: most gateways never are asked for it.
   *
   * @throws {Error} As `clientTls`.
   */
  tlsOf(clientName: string): ClientTls | undefined {
    if (!this.#tls.has(clientName)) this.#tls.set(clientName, clientTls(this.client(clientName)));
    return this.#tls.get(clientName);
  }

  /** A client's login has shown what its user can be logged in to these servers with. */
  remember(clientNames: readonly string[], user: string, credentials: ServerCredentials): void {
    for (const name of clientNames) this.#credentials.remember(name, user, credentials);
  }

  /** Secrets that are stored in a way that servers take, too, are known before anybody logs in. */
  rememberStored(clientNames: readonly string[], { auth }: ServerConfig): void {
    this.#credentials.rememberStored(clientNames, auth.users);
  }

  /** The servers of a group each have pools of their own. */
  #placeOf({ client, index }: Member): string {
    // Its address could be longer than what pools have room for.
    return this.client(client).others.length === 0 ? client : `${client}@${index}`;
  }

  #add(name: string, destination: Destination): string {
    if (!this.#known.has(name)) this.#known.set(name, destination);
    return name;
  }

  #credentialsFor(clientName: string, user: string): ServerCredentials | undefined {
    const { password } = this.client(clientName);
    return password === "" ? this.#credentials.of(clientName, user) : passwordOf(password);
  }
}

/** How a server is reached: of a group, another server is tried next and not the same one. */
export function serverAddress(
  client: ClientConfig,
  member: Member,
  connections: ConnectionCounter | undefined,
): ServerAddress {
  const retries = client.others.length === 0 ? client.retries : 0;
  return { ...client, name: member.client, address: member.address, retries, connections };
}

function passwordOf(password: string): ServerCredentials {
  return { kind: "password", password: utf8(password) };
}
