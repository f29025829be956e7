/**
 * Files that are changed under a running gateway.
 *
 * @module
 */

import type { Gate } from "./gate.ts";
import { eventually } from "./wait.ts";

/** What the log says when changed files are used. */
export const READ_AGAIN = "files read again";

/** What the log says when they cannot be. */
export const REFUSED = "cannot use changed files";

/** How often the log has said something. */
export function countOf({ gateway }: Gate, msg: string): number {
  return gateway.logs.filter((line) => line.msg === msg).length;
}

/** Changes files, has the gateway look at them, and waits until it says what came of it. */
export async function change(
  gate: Gate,
  outcome: string,
  act: () => Promise<unknown>,
): Promise<void> {
  const before = countOf(gate, outcome);
  await act();
  gate.gateway.signal("SIGHUP");
  await eventually(`the log says "${outcome}"`, () => countOf(gate, outcome) > before)
    .catch((error) => {
      throw new Error(`${error.message}:\n${gate.gateway.logText.slice(-3000)}`);
    });
}

/** Replaces a file at once, as administrators do. */
export async function replace(path: string, text: string, mode = 0o600): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, text, { mode });
  await Deno.rename(`${path}.new`, path);
}
