/**
 * The part of the `pg` driver that the demo uses, with types: the package has none of its own.
 * It is the most used PostgreSQL driver of Node.js, and knows nothing of the gateway.
 *
 * @module
 */

import pg from "pg";

/** Where a server (or a gateway) listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Who connects, and to which database. */
export interface Credentials {
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
}

/** What a statement gave. */
export interface QueryResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** First word of the command tag, for example "SELECT". */
  readonly command: string;
  /** Null for commands that count no rows. */
  readonly rowCount: number | null;
}

/** A statement with a name is prepared once and executed by that name from then on. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** An ErrorResponse of the server, as the driver throws it. */
export interface DatabaseError extends Error {
  /** The SQLSTATE: five characters. */
  readonly code: string;
}

interface PgConnection {
  on(event: "error" | "end", listener: (error?: unknown) => void): void;
}

interface PgClient {
  readonly connection: PgConnection;
  connect(): Promise<void>;
  end(): Promise<void>;
  on(event: "error", listener: (error: unknown) => void): void;
  query(query: string | PreparedStatement): Promise<QueryResult>;
  query(query: PgQuery): PgQuery;
  cancel(client: PgClient, query: PgQuery): void;
}

interface PgQuery {
  readonly text: string;
}

interface PgDriver {
  readonly Client: new (
    config: Endpoint & Credentials & {
      readonly "application_name": string;
      readonly connectionTimeoutMillis: number;
      readonly ssl: false;
    },
  ) => PgClient;
  readonly Query: new (
    text: string,
    callback: (error: unknown, result: QueryResult) => void,
  ) => PgQuery;
}

const driver = pg as unknown as PgDriver;

/** A local server answers in milliseconds; a gateway that cannot reach its own takes longer. */
const CONNECT_TIMEOUT_MS = 15_000;

/** A statement that is on its way, and the means to cancel it. */
export interface RunningQuery {
  /** Settles as the statement does. */
  readonly result: Promise<QueryResult>;
  /**
   * Sends a CancelRequest, on a connection of its own as the protocol wants it, and resolves when
   * the other side has closed that connection.
   */
  cancel(): Promise<void>;
}

/** One connection of the driver. Dispose it to close it. */
export class DriverConnection implements AsyncDisposable {
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials;
  readonly #client: PgClient;

  private constructor(endpoint: Endpoint, credentials: Credentials) {
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.#client = makeClient(endpoint, credentials);
    // A connection that is lost between queries: the next query fails and says so.
    this.#client.on("error", () => {});
  }

  /** @throws What the driver throws: no connection, or the server's ErrorResponse. */
  static async open(endpoint: Endpoint, credentials: Credentials): Promise<DriverConnection> {
    const connection = new DriverConnection(endpoint, credentials);
    await connection.#client.connect();
    return connection;
  }

  /** @throws {DatabaseError} If the server answers with an ErrorResponse. */
  async query(query: string | PreparedStatement): Promise<QueryResult> {
    return await this.#client.query(query);
  }

  /** Starts a statement without waiting for it, so that it can be cancelled. */
  start(text: string): RunningQuery {
    const { promise, resolve, reject } = Promise.withResolvers<QueryResult>();
    const query = new driver.Query(
      text,
      (error, result) => error ? reject(error) : resolve(result),
    );
    this.#client.query(query);
    return { result: promise, cancel: () => this.#cancel(query) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }

  async #cancel(query: PgQuery): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const canceller = makeClient(this.#endpoint, this.#credentials);
    canceller.connection.on("error", reject);
    canceller.connection.on("end", () => resolve());
    canceller.cancel(this.#client, query);
    await promise;
  }
}

/** True for an ErrorResponse of the server, false for a lost connection or a mistake of ours. */
export function isDatabaseError(thrown: unknown): thrown is DatabaseError {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  // A SQLSTATE is five digits and capitals, with a digit among them; Node's EPIPE has none.
  return typeof code === "string" && /^(?=.*\d)[0-9A-Z]{5}$/.test(code);
}

function makeClient(endpoint: Endpoint, credentials: Credentials): PgClient {
  return new driver.Client({
    // By name: a getter, as a class has it, would not be copied by a spread.
    host: endpoint.host,
    port: endpoint.port,
    user: credentials.user,
    password: credentials.password,
    database: credentials.database,
    "application_name": "sluice demo",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ssl: false,
  });
}
