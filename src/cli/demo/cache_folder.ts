/**
 * Chooses the folder that downloaded servers are kept in. Programs are run from it, so nobody
 * else may be able to write there.
 *
 * @module
 */

import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { EmbeddedPostgresError } from "./errors.ts";

/** Permission bits that let a file's group or everybody write, as in <sys/stat.h>. */
const WRITABLE_BY_OTHERS = 0o022;

/** What the choice depends on; a value so that tests can give another machine's. */
export interface CacheEnvironment {
  readonly os: typeof Deno.build.os;
  /** Null on Windows, which has no such thing. */
  readonly uid: number | null;
  readonly env: (name: string) => string | undefined;
}

/**
 * Folders to try, best first.
 *
 * As root the server runs as another user, who cannot enter /root: so root's cache is the system's
 * (`/var/cache`, which the FHS has for exactly this, world-readable). The last choice of everybody
 * is in /tmp, for users without a home folder and for images with a read-only root.
 */
export function cacheFolders(from: CacheEnvironment): readonly string[] {
  const { os, uid, env } = from;
  if (os === "windows") {
    const base = env("LOCALAPPDATA") ?? env("TEMP");
    return base === undefined ? [] : [join(base, "sluice", "cache")];
  }
  const folders: string[] = [];
  if (uid === 0) {
    folders.push(os === "darwin" ? "/Library/Caches/sluice" : "/var/cache/sluice");
  } else {
    // The XDG specification says that a relative path is to be ignored.
    const xdg = env("XDG_CACHE_HOME");
    const home = env("HOME");
    if (xdg?.startsWith("/")) folders.push(join(xdg, "sluice"));
    if (home?.startsWith("/")) {
      folders.push(join(home, os === "darwin" ? "Library/Caches" : ".cache", "sluice"));
    }
  }
  folders.push(`/tmp/sluice-cache-${uid}`);
  return folders;
}

/**
 * The cache folder of this user, made if it was not there.
 *
 * @throws {EmbeddedPostgresError} If none of the candidates can be used; it says why for each.
 */
export async function openCacheFolder(): Promise<string> {
  const reasons: string[] = [];
  const from = { os: Deno.build.os, uid: Deno.uid(), env: (name: string) => Deno.env.get(name) };
  for (const folder of cacheFolders(from)) {
    try {
      await secureFolder(folder);
      return folder;
    } catch (thrown) {
      reasons.push(`${folder}: ${messageOf(thrown)}`);
    }
  }
  throw new EmbeddedPostgresError(
    `Cannot keep a PostgreSQL server on disk: no folder can be used. ${reasons.join(". ")}`,
  );
}

/**
 * Makes `folder` if needed, and proves that only this user can write to it. In /tmp somebody else
 * may have made a folder of that name first, or a link to one.
 *
 * @throws If the folder cannot be made, or belongs to others.
 */
export async function secureFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o755 });
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.AlreadyExists)) throw thrown;
  }
  const info = await Deno.lstat(folder);
  if (!info.isDirectory) throw new EmbeddedPostgresError("it must be a folder, and is not");
  if (Deno.build.os === "windows") return;
  if (info.uid !== Deno.uid()) {
    throw new EmbeddedPostgresError(
      `it must belong to uid ${Deno.uid()}, and belongs to ${info.uid}`,
    );
  }
  if (((info.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0) {
    throw new EmbeddedPostgresError("others than its owner can write to it; run chmod go-w on it");
  }
  // A strict umask (077) would otherwise hide root's cache from the user that runs the server.
  if (Deno.uid() === 0) await Deno.chmod(folder, 0o755);
}
