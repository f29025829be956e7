/**
 * Programs of this machine that take part in measurements, and what they say of themselves.
 *
 * @module
 */

import { join } from "node:path";
import { programFile, searchPath } from "../../src/cli/demo/find_postgres.ts";

/** Saying a version takes milliseconds; from source a compiler comes first. */
const TIMEOUT_MS = 30_000;

/** Path of a program on the search path or where Debian keeps daemons; undefined without it. */
export async function findProgram(name: string, folders: readonly string[] = []) {
  for (const folder of [...folders, ...searchPath(), "/usr/sbin"]) {
    const path = join(folder, programFile(name));
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile) return path;
  }
  return undefined;
}

/** The executable to measure: `SLUICE_BINARY`, or what `deno task compile` made, if anything. */
export async function findSluice(): Promise<string | undefined> {
  const named = Deno.env.get("SLUICE_BINARY");
  if (named) return named;
  const compiled = join(import.meta.dirname!, "..", "..", "dist", programFile("sluice"));
  const info = await Deno.stat(compiled).catch(() => undefined);
  return info?.isFile ? compiled : undefined;
}

/**
 * The first line that a program writes, to either output: Pgpool-II says its version on the one
 * for errors.
 *
 * @throws {Error} If it fails, or does not end.
 */
export async function firstLine(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  if (!success) throw new Error(`Cannot run ${program}: ${said}`);
  return (new TextDecoder().decode(stdout).trim() || said).split("\n")[0]!;
}
