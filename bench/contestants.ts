/**
 * What is compared: a PostgreSQL server itself, PgBouncer in front of it, and Sluice in front of
 * it, all on this machine and all over TCP.
 *
 * @module
 */

import { join } from "node:path";
import { programFile, searchPath } from "../src/cli/demo/find_postgres.ts";
import { serverUser } from "../src/cli/demo/server_user.ts";

/** Server connections that a proxy may open: more than any workload has clients. */
const POOL_SIZE = 200;

/** Clients that a proxy lets in: more than any workload has. */
const CLIENTS_MAX = 2_000;

/** How a proxy shares server connections, and how many it may open. */
export interface PoolOptions {
  readonly mode: "session" | "transaction";
  readonly size: number;
}

/** A server connection for every client. */
const OWN_CONNECTIONS: PoolOptions = { mode: "session", size: POOL_SIZE };

/** A proxy that is not up after this will not come up. */
const START_TIMEOUT_MS = 20_000;
const START_PAUSE_MS = 50;

const HOST = "127.0.0.1";

/** Something that pgbench can connect to. */
export interface Contestant {
  readonly name: string;
  readonly port: number;
  /** Undefined for the server, whose work is done by a process for each client. */
  readonly processId: number | undefined;
  /** Version and the like, for the report. */
  readonly description: string;
  /** True if prepared statements work for clients that share server connections. */
  readonly sharesStatements: boolean;
}

/** A proxy that was started; disposing of it ends its process. */
export interface RunningProxy extends Contestant, AsyncDisposable {
  readonly processId: number;
}

/** How Sluice is run: a compiled executable, or its source by the Deno that runs this. */
export interface SluiceOptions {
  readonly binary: string | undefined;
  readonly workers: number;
  /** Default: session mode, a server connection for every client. */
  readonly pool?: PoolOptions;
  /** What it is called among the contestants; default "sluice". */
  readonly name?: string;
  /** The section `plugins` of its configuration, in YAML on one line. */
  readonly plugins?: string;
}

/** Sluice that was started. */
export interface RunningSluice extends RunningProxy {
  /** Where its metrics are. */
  readonly metricsUrl: string;
}

/** Path of a program on the search path or where Debian keeps daemons; undefined without it. */
export async function findProgram(name: string, folders: readonly string[] = []) {
  for (const folder of [...folders, ...searchPath(), "/usr/sbin"]) {
    const path = join(folder, programFile(name));
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile) return path;
  }
  return undefined;
}

/** The executable to measure: `SLUICE_BINARY`, or what `deno task compile` made, if anything. */
export async function findSluice(): Promise<string | undefined> {
  const named = Deno.env.get("SLUICE_BINARY");
  if (named) return named;
  const compiled = join(import.meta.dirname!, "..", "dist", programFile("sluice"));
  const info = await Deno.stat(compiled).catch(() => undefined);
  return info?.isFile ? compiled : undefined;
}

/**
 * Starts PgBouncer, one process, not logging connections.
 *
 * @param folder Where to write its configuration; its user must be allowed to read it.
 * @param pool Default: session mode, a server connection for every client.
 * @throws {Error} If it does not start.
 */
export async function startPgBouncer(
  program: string,
  postgresPort: number,
  folder: string,
  pool: PoolOptions = OWN_CONNECTIONS,
): Promise<RunningProxy> {
  const port = freePort();
  const users = join(folder, "userlist.txt");
  const settings = join(folder, "pgbouncer.ini");
  await Deno.writeTextFile(users, `"postgres" ""\n`, { mode: 0o644 });
  const version = await firstLine(program, ["--version"]);
  // 1.21 to 1.23 have it switched off unless told otherwise; older ones refuse to know it.
  const statements = keepsStatements(version) ? "max_prepared_statements = 200\n" : "";
  const text = pgBouncerSettings(port, postgresPort, users, pool) + statements;
  await Deno.writeTextFile(settings, text, { mode: 0o644 });
  // It refuses to run as root, as PostgreSQL does.
  const user = serverUser();
  const child = new Deno.Command(program, {
    args: ["-q", settings],
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return await proxyOf("pgbouncer", child, port, version, keepsStatements(version));
}

/** Since 1.21 PgBouncer keeps prepared statements in transaction mode. */
function keepsStatements(version: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

function pgBouncerSettings(
  port: number,
  postgresPort: number,
  users: string,
  pool: PoolOptions,
): string {
  return `[databases]
* = host=${HOST} port=${postgresPort}
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = ${pool.mode}
default_pool_size = ${pool.size}
max_client_conn = ${CLIENTS_MAX}
log_connections = 0
log_disconnections = 0
`;
}

/**
 * Starts Sluice with its defaults, but a pool that is large enough and no log of each connection.
 *
 * @throws {Error} If it does not start.
 */
export async function startSluice(
  options: SluiceOptions,
  postgresPort: number,
  folder: string,
): Promise<RunningSluice> {
  const port = freePort();
  const metrics = `${HOST}:${freePort()}`;
  const file = join(folder, "sluice.yaml");
  await Deno.writeTextFile(file, sluiceSettings(port, postgresPort, metrics, options));
  const root = join(import.meta.dirname!, "..");
  const fromSource = ["run", "-A", "--config", join(root, "deno.json"), join(root, "main.ts")];
  const program = options.binary ?? Deno.execPath();
  const prefix = options.binary === undefined ? fromSource : [];
  const version = await firstLine(program, [...prefix, "--version"]);
  const child = new Deno.Command(program, {
    args: [...prefix, "run", "--config", file],
    clearEnv: true,
    env: environment(),
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const runtime = options.binary === undefined
    ? `from source, Deno ${Deno.version.deno}`
    : "compiled executable";
  const workers = options.workers === 1 ? "1 worker" : `${options.workers} workers`;
  const description = `Sluice ${version} (${runtime}, ${workers})`;
  const proxy = await proxyOf(options.name ?? "sluice", child, port, description, true);
  return { ...proxy, metricsUrl: `http://${metrics}/metrics` };
}

/** Without what would be taken for settings of Sluice's, such as SLUICE_BINARY. */
function environment(): Record<string, string> {
  const entries = Object.entries(Deno.env.toObject());
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("SLUICE_")));
}

function sluiceSettings(
  port: number,
  postgresPort: number,
  metrics: string,
  options: SluiceOptions,
): string {
  const { mode, size } = options.pool ?? OWN_CONNECTIONS;
  // To share server connections it must log clients in itself, as PgBouncer does here.
  const isSharing = mode === "transaction";
  const auth = isSharing ? ", auth: { method: trust }" : "";
  const user = isSharing ? ", user: postgres" : "";
  // With 1,000 clients on 10 servers nearly all of them wait.
  const pool = isSharing
    ? `mode: ${mode}, size: ${size}, waitersMax: ${CLIENTS_MAX}`
    : `size: ${size}`;
  return `servers:
  default: { address: "${HOST}:${port}", clientsMax: ${CLIENTS_MAX}${auth} }
clients:
  default: { address: "${HOST}:${postgresPort}"${user} }
pools:
  default: { ${pool} }
loggers:
  default: { level: warn }
metrics: { address: "${metrics}" }
runtime: { workers: ${options.workers} }
${options.plugins === undefined ? "" : `plugins: ${options.plugins}\n`}`;
}

async function proxyOf(
  name: RunningProxy["name"],
  child: Deno.ChildProcess,
  port: number,
  description: string,
  sharesStatements: boolean,
): Promise<RunningProxy> {
  let code: number | undefined;
  const ended = child.status.then((status) => code = status.code);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!await accepts(port)) {
    if (code !== undefined) throw new Error(`Cannot start ${name}: it ended with code ${code}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`Cannot start ${name}: it did not listen within ${START_TIMEOUT_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
  }
  return {
    name,
    port,
    processId: child.pid,
    description,
    sharesStatements,
    async [Symbol.asyncDispose]() {
      if (code === undefined) child.kill("SIGKILL");
      await ended;
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: HOST, port })).close();
    return true;
  } catch {
    return false;
  }
}

/** Free now: whoever asked for it must be quick. */
function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

async function firstLine(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(program, { args: [...args] }).output();
  if (!success) {
    throw new Error(`Cannot run ${program}: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return new TextDecoder().decode(stdout).trim().split("\n")[0]!;
}
