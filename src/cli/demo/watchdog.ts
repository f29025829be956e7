/**
 * Ends the server when this process dies without a chance to do so itself (SIGKILL, a crash, the
 * out-of-memory killer): a small shell waits for the end of its standard input, which the kernel
 * closes with us. It is portable over Unix, unlike PR_SET_PDEATHSIG, and costs one idle `sh`.
 *
 * On Windows there is no such shell, and a server whose parent was killed has to be ended by hand.
 *
 * @module
 */

import { spawnOptions } from "./run_command.ts";
import type { ServerUser } from "./server_user.ts";

/**
 * Arguments: the data directory, then the folders to delete. A word on standard input means that
 * all is well and cleared away; its end without a word means that our process died.
 *
 * SIGQUIT is PostgreSQL's immediate shutdown: it frees the shared memory, which SIGKILL would not.
 * The process is asked for its command line first, because ids are used again.
 */
const SCRIPT = `
trap "" HUP INT TERM
read -r word && exit 0
data=$1
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
runs() {
  { tr '\\0' ' ' <"/proc/$pid/cmdline" || ps -p "$pid" -o args=; } 2>/dev/null | grep -qF -- "$data"
}
if [ -n "$pid" ] && runs; then
  kill -QUIT "$pid"
  tries=0
  while runs && [ "$tries" -lt 100 ]; do sleep 0.1 || sleep 1; tries=$((tries + 1)); done
fi
shift
# An initdb that was interrupted may still write for a moment.
rm -rf -- "$@" || { sleep 1; rm -rf -- "$@"; }
`;

/** Watches over one server for as long as its folders are there. */
export class Watchdog {
  readonly #child: Deno.ChildProcess | undefined;

  private constructor(child: Deno.ChildProcess | undefined) {
    this.#child = child;
  }

  /**
   * @param dataDir The server's data directory, which need not be there yet.
   * @param folders What to delete when the server has ended.
   */
  static start(
    dataDir: string,
    folders: readonly string[],
    user: ServerUser | undefined,
  ): Watchdog {
    if (Deno.build.os === "windows") return new Watchdog(undefined);
    const command = new Deno.Command("/bin/sh", {
      ...spawnOptions(user),
      args: ["-c", SCRIPT, "sluice-watchdog", dataDir, ...folders],
      // A Ctrl-C in the terminal is for our process, which then stops the server in good order.
      detached: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    });
    return new Watchdog(command.spawn());
  }

  /** Sends it home: the server has ended, and its folders are deleted. */
  async dismiss(): Promise<void> {
    if (this.#child === undefined) return;
    const writer = this.#child.stdin.getWriter();
    // It may have been killed by somebody else, which is no concern any more.
    await writer.write(new TextEncoder().encode("done\n")).catch(() => {});
    await writer.close().catch(() => {});
    await this.#child.status;
  }
}
