/**
 * What suites are run through: a fresh PostgreSQL with nothing in front of it, or with the gateway
 * in one of its modes. Each run has servers of its own, so that nothing is left from another suite.
 *
 * @module
 */

import { join } from "node:path";
import type { EmbeddedPostgres } from "../../src/cli/demo/embedded_postgres.ts";
import { serverUser } from "../../src/cli/demo/server_user.ts";
import { configFor, type Settings, startGateway } from "../support/gateway.ts";
import { queryOnce, startTestPostgres } from "../support/postgres.ts";
import { eventually } from "../support/wait.ts";
import type { Preparation, Target } from "./suite.ts";

/** What stands between a suite and the server. */
export type Label = "direct" | "relay" | "session" | "transaction" | "pgbouncer";

/** Every label, in the order of the table's columns. */
export const LABELS: readonly Label[] = ["direct", "relay", "session", "transaction", "pgbouncer"];

/** Those that say what the gateway does, measured against "direct". */
export const GATEWAY_LABELS: readonly Label[] = ["direct", "session", "transaction"];

/** No spaces or quotes: it stands in URLs and connection strings of every driver. */
const PASSWORD = "compatibility";

/** Some suites hold dozens of sessions at once, and many wait for each other. */
const POOL_SIZE = 50;

const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  "max_connections": "200",
  // Two-phase commit of psycopg2 and SQLAlchemy, replication of psycopg2 and pgjdbc.
  "max_prepared_transactions": "20",
  "wal_level": "logical",
};

/** Roles that suites log in as, besides the superuser; their preparations create them. */
const USERS: Readonly<Record<string, string>> = {
  postgres: PASSWORD,
  pqgo: PASSWORD,
  test: PASSWORD,
  ["pass_user"]: "password",
  ["md5_user"]: "password",
  ["scram_user"]: "password",
};

/** Finds the secrets of roles that suites create while they run. */
const AUTH_QUERY = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin";

/** Servers for one run of a suite. */
export interface Field extends AsyncDisposable {
  /** Where the suite connects. */
  readonly target: Target;
  /** Where the databases are made. */
  readonly server: Target;
}

/** Starts a server, and what `label` says in front of it. */
export async function startField(label: Label): Promise<Field> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(
    await startTestPostgres({ password: PASSWORD, settings: SERVER_SETTINGS }),
  );
  const server = targetAt(postgres.host, postgres.port);
  const target = await startProxy(label, postgres, stack);
  const owned = stack.move();
  return { target, server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The server that a URL names: `postgres://user:password@host:port`. */
export function targetOf(url: string): Target {
  const { hostname, port, username, password } = new URL(url);
  return {
    host: hostname.replaceAll(/[[\]]/g, ""),
    port: port === "" ? 5432 : Number(port),
    user: decodeURIComponent(username) || "postgres",
    password: decodeURIComponent(password),
  };
}

/** Makes the databases that a suite needs, new and empty, and runs its statements in them. */
export async function prepare(
  server: Target,
  preparations: readonly Preparation[],
): Promise<void> {
  for (const { database, statements } of preparations) {
    if (database !== "postgres") {
      await queryOnce(server, `DROP DATABASE IF EXISTS ${database}`);
      await queryOnce(server, `CREATE DATABASE ${database}`);
    }
    for (const statement of statements) {
      const text = statement.replace("{password}", `'${server.password.replaceAll("'", "''")}'`);
      await queryOnce({ ...server, database }, text).catch((error) => {
        throw new Error(`Cannot prepare ${database}: ${statement}: ${error.message}`);
      });
    }
  }
}

function targetAt(host: string, port: number): Target {
  return { host, port, user: "postgres", password: PASSWORD };
}

async function startProxy(
  label: Label,
  postgres: EmbeddedPostgres,
  stack: AsyncDisposableStack,
): Promise<Target> {
  if (label === "direct") return targetAt(postgres.host, postgres.port);
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "sluice-compatibility-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.chmod(folder, 0o755);
  const users = await writeUsers(folder);
  if (label === "pgbouncer") return await startPgBouncer(postgres, folder, users, stack);
  const settings = label === "relay" ? relaySettings() : poolSettings(label, users);
  const config = configFor(`${postgres.host}:${postgres.port}`, {
    ...settings,
    logger: { level: "info" },
    workers: 2,
  });
  const gateway = stack.use(await startGateway({ config: { ...config } }));
  return targetAt(gateway.target.host, gateway.target.port);
}

function relaySettings(): Settings {
  return { pool: { size: POOL_SIZE } };
}

function poolSettings(mode: Label, usersFile: string): Settings {
  return {
    server: {
      auth: {
        method: "scram-sha-256",
        usersFile,
        authQuery: AUTH_QUERY,
        authUser: "postgres",
        authPassword: PASSWORD,
        authDatabase: "postgres",
        // Suites try wrong passwords on purpose, all from one address.
        failuresMax: 0,
      },
    },
    pool: { mode, size: POOL_SIZE },
  };
}

/** PgBouncer's format, which the gateway reads too. */
async function writeUsers(folder: string): Promise<string> {
  const file = join(folder, "users.txt");
  const lines = Object.entries(USERS).map(([user, password]) => `"${user}" "${password}"\n`);
  await Deno.writeTextFile(file, lines.join(""), { mode: 0o600 });
  const owner = serverUser();
  if (owner !== undefined) await Deno.chown(file, owner.uid, owner.gid);
  return file;
}

/** In transaction mode, with what its users switch on to make drivers work. */
async function startPgBouncer(
  postgres: EmbeddedPostgres,
  folder: string,
  users: string,
  stack: AsyncDisposableStack,
): Promise<Target> {
  const port = freePort();
  const settings = join(folder, "pgbouncer.ini");
  await Deno.writeTextFile(
    settings,
    `[databases]
* = host=${postgres.host} port=${postgres.port}
[pgbouncer]
listen_addr = ${postgres.host}
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
auth_user = postgres
auth_query = SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1
pool_mode = transaction
default_pool_size = ${POOL_SIZE}
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits, options, search_path, geqo, statement_timeout
`,
    { mode: 0o644 },
  );
  const owner = serverUser();
  const child = new Deno.Command("pgbouncer", {
    args: ["-q", settings],
    ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  stack.defer(async () => {
    child.kill("SIGKILL");
    await child.status;
  });
  const target = targetAt(postgres.host, port);
  const isUp = () => queryOnce(target, "SELECT 1").then(() => true, () => false);
  await eventually("PgBouncer answers", isUp);
  return target;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
