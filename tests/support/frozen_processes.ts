/**
 * Processes that stand still: how a server looks whose machine hangs. It takes connections, as its
 * kernel does, and says nothing.
 *
 * @module
 */

import { childrenOf } from "../../src/cli/demo/process_tree.ts";

/**
 * Lets the processes in its arguments go on when its standard input ends, which the kernel closes
 * with us: a test that is killed must not leave processes that nobody can end in good order.
 */
const SCRIPT = `trap "" HUP INT TERM; read -r word; kill -CONT "$@" 2>/dev/null; exit 0`;

/** A process and its children, stopped. */
export class FrozenProcesses {
  readonly #keeper: Deno.ChildProcess;

  private constructor(keeper: Deno.ChildProcess) {
    this.#keeper = keeper;
  }

  /** Stops a process (SIGSTOP) and all of its children. */
  static async freeze(processId: number): Promise<FrozenProcesses> {
    // First, so that it has no more children than those that are found.
    Deno.kill(processId, "SIGSTOP");
    const stopped = new Set<number>();
    for (let isNew = true; isNew;) {
      isNew = false;
      for (const child of await childrenOf(processId)) {
        if (stopped.has(child)) continue;
        Deno.kill(child, "SIGSTOP");
        stopped.add(child);
        isNew = true;
      }
    }
    // The parent comes last here: until then it reaps no child, and no id is used again.
    const args = ["-c", SCRIPT, "sluice-frozen", ...[...stopped, processId].map(String)];
    const command = new Deno.Command("/bin/sh", {
      args,
      detached: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    });
    return new FrozenProcesses(command.spawn());
  }

  /** Lets them go on. Those that were killed in the meantime do not matter. */
  async thaw(): Promise<void> {
    await this.#keeper.stdin.close();
    await this.#keeper.status;
  }
}
