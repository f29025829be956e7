/**
 * Real PostgreSQL servers for integration tests: which there are on this machine, and how to start
 * one. A server that cannot be had is a reason in words, so that a test can say why it is ignored.
 *
 * @module
 */

import { join } from "node:path";
import pg from "pg";
import { downloadPostgres } from "../../src/cli/demo/download_postgres.ts";
import {
  type EmbeddedPostgres,
  startPostgres,
  type StartPostgresOptions,
} from "../../src/cli/demo/embedded_postgres.ts";
import { findPostgres, programFile, searchPath } from "../../src/cli/demo/find_postgres.ts";

/** A server to test against, or the reason why it cannot be had. */
export type TestServer =
  | { readonly name: string; readonly binDir: string; readonly major: number }
  | { readonly name: string; readonly unavailable: string };

/** A server that can be started. */
export type AvailableServer = Extract<TestServer, { readonly binDir: string }>;

/** The password of the superuser in every server that tests start. */
export const TEST_PASSWORD = "correct horse battery staple";

let known: Promise<readonly TestServer[]> | undefined;

/**
 * The newest server of each major version that this machine has, then the downloaded one (from the
 * cache after the first time), or the reason why it cannot be had. Looked up once.
 */
export function knownServers(): Promise<readonly TestServer[]> {
  known ??= lookUpServers();
  return known;
}

/** Those of {@linkcode knownServers} that can be started. */
export async function availableServers(): Promise<readonly AvailableServer[]> {
  return (await knownServers()).filter((server) => "binDir" in server);
}

/**
 * Starts a server with an empty cluster: the newest one there is unless `binDir` says which, with
 * authentication "scram-sha-256" and {@linkcode TEST_PASSWORD} unless told otherwise.
 *
 * @throws {Error} If this machine has no server and none can be downloaded, or it does not start.
 */
export async function startTestPostgres(
  options: Partial<StartPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  return await startPostgres({
    auth: "scram-sha-256",
    password: TEST_PASSWORD,
    ...options,
    binDir: options.binDir ?? await newestBinDir(),
  });
}

/**
 * Those of {@linkcode knownServers} to test with: all, or those whose name holds what
 * SLUICE_TEST_POSTGRES says, such as "PostgreSQL 18".
 */
export async function serversToTest(): Promise<readonly TestServer[]> {
  const only = Deno.env.get("SLUICE_TEST_POSTGRES") ?? "";
  const servers = (await knownServers()).filter((server) => server.name.includes(only));
  if (servers.length === 0) throw new Error(`SLUICE_TEST_POSTGRES: no server is "${only}"`);
  return servers;
}

/**
 * Registers a test for every server to test with: `body` gets a server of its own, freshly started
 * and stopped afterwards. Where a server cannot be had the test is ignored, and its name says why.
 *
 * Call it with `await` at the top level of a test file.
 */
export async function testOnEachServer(
  name: string,
  options: Partial<StartPostgresOptions>,
  body: (server: EmbeddedPostgres) => Promise<void>,
): Promise<void> {
  for (const server of await serversToTest()) {
    if ("unavailable" in server) {
      const reason = server.unavailable.split("\n")[0];
      Deno.test({ name: `${name} (${server.name}: ${reason})`, ignore: true, fn: () => {} });
      continue;
    }
    Deno.test(`${name} (${server.name})`, async () => {
      await using running = await startTestPostgres({ ...options, binDir: server.binDir });
      await body(running);
    });
  }
}

/** What {@linkcode queryOnce} needs to know of a server or of a gateway in front of one. */
export interface QueryTarget {
  /** A host name, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/** Rows as the driver gives them: from a column's name to its value. */
export type Rows = readonly Readonly<Record<string, unknown>>[];

/**
 * Connects with the `pg` driver, runs one query, disconnects.
 *
 * @throws What the driver throws: no connection, or the server's error with its SQLSTATE in `code`.
 */
export async function queryOnce(
  target: QueryTarget,
  text: string,
  values: readonly unknown[] = [],
): Promise<Rows> {
  const client = new pg.Client({
    user: "postgres",
    password: TEST_PASSWORD,
    database: "postgres",
    ssl: false,
    host: target.host,
    port: target.port,
    ...(target.user === undefined ? {} : { user: target.user }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.database === undefined ? {} : { database: target.database }),
  });
  // The query reports a lost connection; without a listener it would end the test run too.
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/**
 * The path of one of PostgreSQL's client programs ("psql", "pgbench", "pg_isready"), or undefined
 * if this machine has none. The downloaded server comes without any.
 */
export async function clientBinary(name: string): Promise<string | undefined> {
  const servers = (await findPostgres()).map((server) => server.binDir);
  for (const folder of [...searchPath(), ...servers]) {
    const path = join(folder, programFile(name));
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile) return path;
  }
  return undefined;
}

/** A file for {@linkcode makeTar}. */
export interface TarFile {
  readonly path: string;
  readonly content: string;
  /** Default "0": a regular file. */
  readonly type?: string;
}

/** A tar archive of small files, to test `downloadPostgres` with. */
export function makeTar(files: readonly TarFile[]): Uint8Array<ArrayBuffer> {
  const blocks: number[] = [];
  for (const { path, content, type = "0" } of files) {
    const header = new Uint8Array(512);
    const put = (offset: number, text: string) =>
      header.set(new TextEncoder().encode(text), offset);
    put(0, path);
    put(100, "0000644\0");
    put(124, content.length.toString(8).padStart(11, "0") + "\0");
    put(148, " ".repeat(8));
    put(156, type);
    put(257, "ustar\x0000");
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(148, sum.toString(8).padStart(6, "0") + "\0 ");
    const padding = new Array<number>((512 - content.length % 512) % 512).fill(0);
    blocks.push(...header, ...new TextEncoder().encode(content), ...padding);
  }
  return new Uint8Array([...blocks, ...new Uint8Array(1024)]);
}

/**
 * Runs `body` with an empty folder, and deletes it afterwards. It is below /tmp and open to all:
 * as root, another user runs the servers in it.
 */
export async function inTemporaryFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const isWindows = Deno.build.os === "windows";
  const folder = await Deno.makeTempDir(isWindows ? {} : { dir: "/tmp" });
  if (!isWindows) await Deno.chmod(folder, 0o755);
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function newestBinDir(): Promise<string> {
  const servers = [...await availableServers()].sort((a, b) => b.major - a.major);
  if (servers[0] !== undefined) return servers[0].binDir;
  const reasons = (await knownServers()).map((server) =>
    "unavailable" in server ? server.unavailable : ""
  );
  throw new Error(`Cannot start a PostgreSQL server for a test: ${reasons.join(" ")}`);
}

async function lookUpServers(): Promise<readonly TestServer[]> {
  const servers: TestServer[] = [];
  const majors = new Set<number>();
  for (const { binDir, major } of await findPostgres()) {
    if (majors.has(major)) continue;
    majors.add(major);
    servers.push({ name: `PostgreSQL ${major} (system)`, binDir, major });
  }
  try {
    const { binDir, major } = await downloadPostgres();
    servers.push({ name: `PostgreSQL ${major} (npm)`, binDir, major });
  } catch (thrown) {
    const unavailable = thrown instanceof Error ? thrown.message : String(thrown);
    servers.push({ name: "PostgreSQL (npm)", unavailable });
  }
  return servers;
}
