/**
 * Runs a real PostgreSQL server of our own: a new, empty cluster in a temporary folder, reachable
 * on 127.0.0.1 and on a Unix socket, gone without a trace when it is stopped. For `sluice demo`,
 * where nobody wants to set up a database first, and for the integration tests.
 *
 * @module
 */

import { join } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";
import { type DownloadOptions, downloadPostgres } from "./download_postgres.ts";
import {
  findPostgres,
  inspectBinaries,
  type PostgresBinaries,
  programFile,
} from "./find_postgres.ts";
import { runCommand } from "./run_command.ts";
import { PortTakenError, ServerProcess } from "./server_process.ts";
import { type ServerUser, serverUser } from "./server_user.ts";
import { Watchdog } from "./watchdog.ts";

/** How clients prove who they are; the names are those of pg_hba.conf. */
export type AuthMethod = "trust" | "password" | "md5" | "scram-sha-256";

/** What server to start, and how. */
export interface StartPostgresOptions {
  /** Folder with `postgres` and `initdb`, absolute: see `findPostgres` and `downloadPostgres`. */
  readonly binDir: string;
  /** 0 to 65535. Default 0: a port that is free. */
  readonly port?: number;
  /** For every connection: TCP, Unix socket and replication. */
  readonly auth: AuthMethod;
  /** The superuser's password, one line. Needed unless `auth` is "trust". */
  readonly password?: string;
  /** Configuration parameters of PostgreSQL, for example `{ max_connections: "20" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Folder to make the server's own temporary folder in. Default: the system's. */
  readonly workDir?: string;
}

/** A server that was started, until {@linkcode EmbeddedPostgres.stop}. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** Folder of the socket `.s.PGSQL.<port>`; empty on Windows. */
  readonly socketDir: string;
  /** The superuser. */
  readonly user: "postgres";
  /** A database that is always there. */
  readonly database: "postgres";
  /** As the server says it, for example "15.18". */
  readonly version: string;
  /** Of the postmaster; another one after each `restart`. */
  readonly processId: number;
  readonly dataDir: string;
  /** The last lines of the server's log since it was last started, oldest first, at most 40. */
  readonly logLines: readonly string[];
  /** Ends the server (fast shutdown) and deletes its folders. Further calls do nothing. */
  stop(): Promise<void>;
  /** Kills the postmaster and its children with SIGKILL. The data stay; `restart` recovers them. */
  kill(): Promise<void>;
  /**
   * Stops the server if it runs, and starts it on the same port with the same data.
   * @throws {EmbeddedPostgresError} After `stop`, or if it does not start.
   */
  restart(): Promise<void>;
}

const SUPERUSER = "postgres";
const HOST = "127.0.0.1";

/** Measured: 1 to 2 s; far more on a slow disk. */
const INITDB_TIMEOUT_MS = 120_000;

/** Another process may take the port that was free a moment ago. */
const START_ATTEMPTS_MAX = 5;
const START_PAUSE_MS = 200;

/** `sun_path` holds 104 bytes on macOS and 108 on Linux, a zero among them. */
const SOCKET_PATH_SIZE_MAX = 103;

/** Parameters that a caller may change. */
const DEFAULT_SETTINGS: Readonly<Record<string, string>> = {
  "listen_addresses": HOST,
  // The data are thrown away: only a crash of the machine could lose them.
  fsync: "off",
  // Shared memory as files in the data directory: nothing is left in /dev/shm after a kill, and
  // containers with a tiny /dev/shm do not matter.
  "dynamic_shared_memory_type": "mmap",
};

/**
 * The newest server of this machine; where there is none, a downloaded one.
 *
 * @throws {EmbeddedPostgresError} If there is none and it cannot be downloaded.
 */
export async function obtainPostgres(options: DownloadOptions = {}): Promise<PostgresBinaries> {
  const [newest] = await findPostgres();
  return newest ?? await downloadPostgres(options);
}

/**
 * Makes a cluster (encoding UTF8, locale C) and starts a server on it. When it returns, the server
 * accepts connections. As root the server runs as another user, see `server_user.ts`.
 *
 * @throws {EmbeddedPostgresError} If an option is wrong, or initdb or the server fails; then with
 * the end of its log, and nothing is left behind.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  checkOptions(options);
  const binaries = await inspectBinaries(options.binDir);
  if (binaries === undefined) {
    throw new EmbeddedPostgresError(
      `Cannot start PostgreSQL: ${options.binDir} must have postgres and initdb, and the user ` +
        `${serverUser()?.name ?? "of this process"} must be allowed to run them`,
    );
  }
  const folders = await makeFolders(options.workDir);
  const user = serverUser();
  const watchdog = Watchdog.start(folders.dataDir, folders.own, user);
  try {
    await initialize(options, folders, user);
    const cluster: Cluster = { options, binaries, folders, user, watchdog };
    const { port, server } = await startOnPort(cluster, options.port ?? 0);
    return new RunningPostgres(cluster, port, server);
  } catch (thrown) {
    await removeFolders(folders);
    await watchdog.dismiss();
    throw thrown;
  }
}

interface Folders {
  readonly dataDir: string;
  readonly socketDir: string;
  /** What was made for this server, and goes with it. */
  readonly own: readonly string[];
}

interface Cluster {
  readonly options: StartPostgresOptions;
  readonly binaries: PostgresBinaries;
  readonly folders: Folders;
  readonly user: ServerUser | undefined;
  readonly watchdog: Watchdog;
}

class RunningPostgres implements EmbeddedPostgres {
  readonly host = HOST;
  readonly user = SUPERUSER;
  readonly database = "postgres";
  readonly #cluster: Cluster;
  readonly #port: number;
  #server: ServerProcess;
  /** Set by the first `stop`; whoever calls it again waits for the same end. */
  #stopping: Promise<void> | undefined;

  constructor(cluster: Cluster, port: number, server: ServerProcess) {
    this.#cluster = cluster;
    this.#port = port;
    this.#server = server;
  }

  get port(): number {
    return this.#port;
  }

  get socketDir(): string {
    return this.#cluster.folders.socketDir;
  }

  get version(): string {
    return this.#cluster.binaries.version;
  }

  get processId(): number {
    return this.#server.processId;
  }

  get dataDir(): string {
    return this.#cluster.folders.dataDir;
  }

  get logLines(): readonly string[] {
    return this.#server.logLines;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopOnce();
    return this.#stopping;
  }

  async kill(): Promise<void> {
    await this.#server.kill();
  }

  async restart(): Promise<void> {
    if (this.#stopping !== undefined) {
      throw new EmbeddedPostgresError(
        "Cannot restart PostgreSQL: it was stopped, and its data are deleted. Start another one",
      );
    }
    await this.#server.stop();
    this.#server = (await startOnPort(this.#cluster, this.#port)).server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stopOnce(): Promise<void> {
    const { folders, watchdog } = this.#cluster;
    await this.#server.stop();
    // A server that ended in good order has no pid file and no shared memory any more.
    await this.#server.freeSharedMemory();
    await removeFolders(folders);
    await watchdog.dismiss();
  }
}

function checkOptions(options: StartPostgresOptions): void {
  const { auth, password, port = 0, settings = {} } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new EmbeddedPostgresError(
      `Cannot start PostgreSQL: port must be 0 to 65535, and is ${port}`,
    );
  }
  if (auth !== "trust" && !password) {
    throw new EmbeddedPostgresError(
      `Cannot start PostgreSQL: authentication "${auth}" needs a password`,
    );
  }
  // initdb reads the password from the first line of a file.
  if (password !== undefined && /[\r\n\0]/.test(password)) {
    throw new EmbeddedPostgresError("Cannot start PostgreSQL: the password must be one line");
  }
  for (const [name, value] of Object.entries(settings)) {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name) || value.includes("\0")) {
      throw new EmbeddedPostgresError(
        `Cannot start PostgreSQL: ${JSON.stringify(name)} is not the name of a parameter, or its ` +
          "value has a zero byte",
      );
    }
  }
}

async function makeFolders(workDir: string | undefined): Promise<Folders> {
  const prefix = "sluice-pg-";
  // As root, TMPDIR may be a folder that the server's user cannot enter; /tmp never is.
  const dir = workDir ?? (serverUser() === undefined ? undefined : "/tmp");
  const base = await Deno.makeTempDir(dir === undefined ? { prefix } : { prefix, dir });
  const dataDir = join(base, "data");
  if (Deno.build.os === "windows") return { dataDir, socketDir: "", own: [base] };
  const longest = new TextEncoder().encode(join(base, ".s.PGSQL.65535")).length;
  if (longest <= SOCKET_PATH_SIZE_MAX) return { dataDir, socketDir: base, own: [base] };
  // macOS's and a caller's folders can be too long for a socket.
  const socketDir = await Deno.makeTempDir({ prefix, dir: "/tmp" });
  return { dataDir, socketDir, own: [base, socketDir] };
}

async function removeFolders(folders: Folders): Promise<void> {
  for (const folder of folders.own) {
    await Deno.remove(folder, { recursive: true }).catch((thrown) => {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    });
  }
}

async function initialize(
  options: StartPostgresOptions,
  folders: Folders,
  user: ServerUser | undefined,
): Promise<void> {
  const [base] = folders.own;
  const passwordFile = join(base!, "password");
  const args = ["-D", folders.dataDir, "-U", SUPERUSER, "-A", options.auth];
  args.push("--encoding=UTF8", "--locale=C", "--no-sync");
  if (options.password !== undefined) {
    await Deno.writeTextFile(passwordFile, `${options.password}\n`, { mode: 0o600 });
    args.push(`--pwfile=${passwordFile}`);
  }
  if (user !== undefined) {
    if (options.password !== undefined) await Deno.chown(passwordFile, user.uid, user.gid);
    // The folders last: from here on the other user may change what is in them.
    for (const folder of folders.own) await Deno.chown(folder, user.uid, user.gid);
  }
  const program = join(options.binDir, programFile("initdb"));
  const result = await runCommand(program, args, { user, timeoutMs: INITDB_TIMEOUT_MS });
  if (options.password !== undefined) await Deno.remove(passwordFile);
  if (!result.success) {
    throw new EmbeddedPostgresError(
      `Cannot make a PostgreSQL cluster with ${program}. It said:\n${result.stderr}`,
    );
  }
}

async function startOnPort(
  cluster: Cluster,
  wanted: number,
): Promise<{ readonly port: number; readonly server: ServerProcess }> {
  const { options, folders, user } = cluster;
  for (let attempt = 1;; attempt += 1) {
    const port = wanted === 0 ? freePort() : wanted;
    const settings: Record<string, string> = {
      ...DEFAULT_SETTINGS,
      ...options.settings,
      port: String(port),
      "unix_socket_directories": folders.socketDir,
    };
    try {
      const { binDir } = options;
      const { dataDir } = folders;
      return { port, server: await ServerProcess.start({ binDir, dataDir, settings, user }) };
    } catch (thrown) {
      if (!(thrown instanceof PortTakenError) || attempt === START_ATTEMPTS_MAX) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
    }
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}
