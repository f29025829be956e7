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

/** A proxy that is not up after this will not come up. */
const START_TIMEOUT_MS = 20_000;
const START_PAUSE_MS = 50;

const HOST = "127.0.0.1";

/** Something that pgbench can connect to. */
export interface Contestant {
  readonly name: "direct" | "pgbouncer" | "sluice";
  readonly port: number;
  /** Undefined for the server, whose work is done by a process for each client. */
  readonly processId: number | undefined;
  /** Version and the like, for the report. */
  readonly description: string;
}

/** A proxy that was started; disposing of it ends its process. */
export interface RunningProxy extends Contestant, AsyncDisposable {
  readonly processId: number;
}

/** How Sluice is run: a compiled executable, or its source by the Deno that runs this. */
export interface SluiceOptions {
  readonly binary: string | undefined;
  readonly workers: number;
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
 * Starts PgBouncer in session mode, one process, not logging connections.
 *
 * @param folder Where to write its configuration; its user must be allowed to read it.
 * @throws {Error} If it does not start.
 */
export async function startPgBouncer(
  program: string,
  postgresPort: number,
  folder: string,
): Promise<RunningProxy> {
  const port = freePort();
  const users = join(folder, "userlist.txt");
  const settings = join(folder, "pgbouncer.ini");
  await Deno.writeTextFile(users, `"postgres" ""\n`, { mode: 0o644 });
  await Deno.writeTextFile(settings, pgBouncerSettings(port, postgresPort, users), { mode: 0o644 });
  const version = await firstLine(program, ["--version"]);
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
  return await proxyOf("pgbouncer", child, port, version);
}

function pgBouncerSettings(port: number, postgresPort: number, users: string): string {
  return `[databases]
* = host=${HOST} port=${postgresPort}
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = session
default_pool_size = ${POOL_SIZE}
max_client_conn = ${5 * POOL_SIZE}
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
): Promise<RunningProxy> {
  const port = freePort();
  const file = join(folder, "sluice.yaml");
  await Deno.writeTextFile(file, sluiceSettings(port, postgresPort, options.workers));
  const root = join(import.meta.dirname!, "..");
  const fromSource = ["run", "-A", "--config", join(root, "deno.json"), join(root, "main.ts")];
  const program = options.binary ?? Deno.execPath();
  const prefix = options.binary === undefined ? fromSource : [];
  const version = await firstLine(program, [...prefix, "--version"]);
  const child = new Deno.Command(program, {
    args: [...prefix, "run", "--config", file],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const runtime = options.binary === undefined
    ? `from source, Deno ${Deno.version.deno}`
    : "compiled executable";
  const workers = options.workers === 1 ? "1 worker" : `${options.workers} workers`;
  return await proxyOf("sluice", child, port, `Sluice ${version} (${runtime}, ${workers})`);
}

function sluiceSettings(port: number, postgresPort: number, workers: number): string {
  return `servers:
  default: { address: "${HOST}:${port}" }
clients:
  default: { address: "${HOST}:${postgresPort}" }
pools:
  default: { size: ${POOL_SIZE} }
loggers:
  default: { level: warn }
metrics: { address: "${HOST}:0" }
runtime: { workers: ${workers} }
`;
}

async function proxyOf(
  name: RunningProxy["name"],
  child: Deno.ChildProcess,
  port: number,
  description: string,
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
