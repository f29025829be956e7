/**
 * Finds the PostgreSQL servers that this machine already has, so that nothing is downloaded
 * where a real server is at hand.
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { runCommand } from "./run_command.ts";
import { serverUser } from "./server_user.ts";

/** A folder with at least `postgres` and `initdb`, of one version. */
export interface PostgresBinaries {
  /** Absolute path of the folder. */
  readonly binDir: string;
  /** As the server says it, for example "15.18" or "19beta1". */
  readonly version: string;
  /** The first number of the version, at least 13. */
  readonly major: number;
}

/** Where to look. Every default is what this machine says. */
export interface FindPostgresOptions {
  /** Absolute folders; one segment of each may hold a `*`. */
  readonly patterns?: readonly string[];
  /** Folders of the search path, in order. */
  readonly path?: readonly string[];
}

/** PostgreSQL 12 ended in November 2024: https://www.postgresql.org/support/versioning/ */
export const MAJOR_MIN = 13;

/** More folders than any machine has servers; each costs one process to ask. */
const CANDIDATES_MAX = 64;

/** `postgres --version` takes milliseconds; this is for a disk that has to wake up. */
const VERSION_TIMEOUT_MS = 20_000;

const UNIX_PATTERNS = [
  "/usr/lib/postgresql/*/bin", // Debian, Ubuntu
  "/usr/lib/postgresql*/bin", // SUSE
  "/usr/pgsql-*/bin", // Red Hat and the project's own RPMs
  "/usr/libexec/postgresql*", // Alpine
  "/usr/local/pgsql/bin", // PostgreSQL's own `make install`
  "/usr/local/bin",
  "/usr/local/opt/postgresql*/bin", // Homebrew on Intel
  "/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
  "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
  "/opt/local/lib/postgresql*/bin", // MacPorts
  "/Applications/Postgres.app/Contents/Versions/*/bin",
  "/Library/PostgreSQL/*/bin", // EDB's installer on macOS
];

const WINDOWS_PATTERNS = ["C:\\Program Files\\PostgreSQL\\*\\bin"];

/** The name of a program's file on this operating system. */
export function programFile(name: string): string {
  return Deno.build.os === "windows" ? `${name}.exe` : name;
}

/**
 * The servers of this machine, newest first. A folder counts if its server can be run by the user
 * that would run it (as root, that is another one) and is PostgreSQL 13 or newer.
 */
export async function findPostgres(
  options: FindPostgresOptions = {},
): Promise<readonly PostgresBinaries[]> {
  const found: PostgresBinaries[] = [];
  const seen = new Set<string>();
  for (const folder of await candidates(options)) {
    const binDir = await serverFolder(folder);
    if (binDir === undefined || seen.has(binDir)) continue;
    if (seen.size === CANDIDATES_MAX) break;
    seen.add(binDir);
    const binaries = await inspectBinaries(binDir);
    if (binaries !== undefined && binaries.major >= MAJOR_MIN) found.push(binaries);
  }
  return found.sort((a, b) => compareVersions(b.version, a.version));
}

/** What server is in `binDir`, or undefined if none there can be run. */
export async function inspectBinaries(binDir: string): Promise<PostgresBinaries | undefined> {
  if (!await isFile(join(binDir, programFile("initdb")))) return undefined;
  const postgres = join(binDir, programFile("postgres"));
  if (!await isFile(postgres)) return undefined;
  try {
    // Asked as the user that will run it: a folder below /root is no use to anybody else.
    const options = { user: serverUser(), timeoutMs: VERSION_TIMEOUT_MS };
    const { success, stdout } = await runCommand(postgres, ["--version"], options);
    const version = success ? versionOf(stdout) : undefined;
    return version === undefined ? undefined : { binDir, version, major: parseInt(version) };
  } catch {
    return undefined; // Not to be run here: another machine's binary, or no permission.
  }
}

/** "15.18" from "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; undefined if not there. */
export function versionOf(text: string): string | undefined {
  return /\(PostgreSQL\) (\d+(?:\.\d+|devel|(?:alpha|beta|rc)\d+)?)/.exec(text)?.[1];
}

/** Below zero if `a` is older than `b`. A prerelease is older than its release. */
export function compareVersions(a: string, b: string): number {
  return parseInt(a) - parseInt(b) || minorOf(a) - minorOf(b);
}

function minorOf(version: string): number {
  const minor = /^\d+\.(\d+)$/.exec(version)?.[1];
  return minor === undefined ? -1 : Number(minor);
}

async function candidates(options: FindPostgresOptions): Promise<readonly string[]> {
  const path = options.path ?? searchPath();
  const folders: string[] = [];
  for (const folder of path) {
    folders.push(folder);
    // Debian links only pg_config into the search path; it knows where its server is.
    const configured = await configuredFolder(folder);
    if (configured !== undefined) folders.push(configured);
  }
  const isWindows = Deno.build.os === "windows";
  const patterns = options.patterns ?? (isWindows ? WINDOWS_PATTERNS : UNIX_PATTERNS);
  for (const pattern of patterns) folders.push(...await expandPattern(pattern));
  return folders;
}

/** The folders of PATH, in order. */
export function searchPath(): readonly string[] {
  const separator = Deno.build.os === "windows" ? ";" : ":";
  return (Deno.env.get("PATH") ?? "").split(separator).filter((folder) => folder !== "");
}

async function configuredFolder(folder: string): Promise<string | undefined> {
  const program = join(folder, programFile("pg_config"));
  if (!await isFile(program)) return undefined;
  try {
    const { success, stdout } = await runCommand(program, ["--bindir"], {
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    return success && stdout !== "" ? stdout : undefined;
  } catch {
    return undefined; // A pg_config that cannot be run (Debian's without its server) says nothing.
  }
}

async function expandPattern(pattern: string): Promise<readonly string[]> {
  const star = pattern.indexOf("*");
  if (star < 0) return [pattern];
  const parent = dirname(pattern.slice(0, star) + "x");
  const [segment = "", ...rest] = pattern.slice(parent.length + 1).split(/[\\/]/);
  const [prefix = "", suffix = ""] = segment.split("*");
  const folders: string[] = [];
  try {
    for await (const { name } of Deno.readDir(parent)) {
      if (name.length < prefix.length + suffix.length) continue;
      if (!name.startsWith(prefix) || !name.endsWith(suffix)) continue;
      folders.push(join(parent, name, ...rest));
    }
  } catch {
    return []; // Most of the patterns are other systems' folders.
  }
  return folders;
}

/**
 * The folder that a `postgres` in `folder` really is in, so that a server with links to it in the
 * search path is found once; undefined if there is no `postgres`.
 */
async function serverFolder(folder: string): Promise<string | undefined> {
  try {
    const target = dirname(await Deno.realPath(join(folder, programFile("postgres"))));
    return await isFile(join(target, programFile("initdb"))) ? target : resolve(folder);
  } catch {
    return undefined;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
