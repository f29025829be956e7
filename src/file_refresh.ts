/**
 * Notices when files that the configuration names have changed (certificates, users, rules, limits,
 * passwords) and has the gateway use what they say now. Connections that are there stay; the
 * configuration's own file is read at start only.
 *
 * @module
 */

import { messageOf } from "./base/errors.ts";
import type { Config } from "./config/config.ts";

/** How often files are looked at, in milliseconds: a look at ten files takes a tenth of one. */
const INTERVAL_MS = 2_000;

/** What a {@linkcode FileRefresh} works with. */
export interface FileRefreshParts {
  readonly config: Config;
  /** Reads all files again. @throws {Error} If one cannot be used; it says which and why. */
  readonly reload: () => Config;
  /** Has the gateway use it; resolves when it does. @throws {Error} If it cannot. */
  readonly apply: (config: Config) => Promise<void>;
  readonly onRefreshed: () => void;
  readonly onFailed: (message: string) => void;
}

/** Watches the files of one running gateway. */
export class FileRefresh {
  readonly #parts: FileRefreshParts;
  readonly #paths: readonly string[];
  #seen: string;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Whatever changes from now on will be noticed, but not before `start` is called. */
  constructor(parts: FileRefreshParts) {
    this.#parts = parts;
    this.#paths = pathsOf(parts.config);
    this.#seen = fingerprint(this.#paths);
  }

  /** Looks now, and then again and again, if there is anything to watch. */
  start(): void {
    if (this.#paths.length === 0) return;
    this.check();
    this.#timer = setInterval(() => this.check(), INTERVAL_MS);
  }

  /** Looks now. Files that cannot be used are tried again when they have changed again. */
  check(): void {
    const now = fingerprint(this.#paths);
    if (now === this.#seen) return;
    this.#seen = now;
    void this.#readAgain();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #readAgain(): Promise<void> {
    try {
      await this.#parts.apply(this.#parts.reload());
      this.#parts.onRefreshed();
    } catch (error) {
      this.#parts.onFailed(messageOf(error));
    }
  }
}

/** Every file that a configuration names. */
function pathsOf({ servers, clients, pools }: Config): string[] {
  const paths = new Set<string>();
  for (const { auth, tls } of servers.values()) {
    for (const path of [auth.usersFile, auth.rulesFile, tls.certFile, tls.keyFile, tls.caFile]) {
      paths.add(path);
    }
  }
  for (const { passwordFile, tls } of clients.values()) {
    for (const path of [passwordFile, tls.certFile, tls.keyFile, tls.caFile]) paths.add(path);
  }
  for (const { limitsFile } of pools.values()) paths.add(limitsFile);
  paths.delete("");
  return [...paths];
}

/** What tells a file from the one that was there before; a file may be away for a moment. */
function fingerprint(paths: readonly string[]): string {
  return JSON.stringify(paths.map((path) => {
    try {
      const { mtime, size, ino } = Deno.statSync(path);
      return [mtime?.getTime() ?? 0, size, ino];
    } catch {
      return "missing";
    }
  }));
}
