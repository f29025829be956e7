/**
 * Runs the command line as its users do, in a folder of its own.
 *
 * @module
 */

import { gatewayCommand } from "./gateway.ts";
import { type ProgramResult, runProgram } from "./programs.ts";

/** Runs `sluice` with these arguments in a folder. */
export async function sluiceIn(cwd: string, ...args: readonly string[]): Promise<ProgramResult> {
  const [program, all] = gatewayCommand(args);
  return await runProgram(program, all, { cwd });
}

/** Gives `body` an empty folder, which is removed behind it. */
export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
