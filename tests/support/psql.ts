/**
 * PostgreSQL's own client programs against a server or a gateway.
 *
 * @module
 */

import { join } from "node:path";
import { findPostgres, programFile } from "../../src/cli/demo/find_postgres.ts";
import { clientBinary } from "./postgres.ts";
import { untilSleeping } from "./observe.ts";
import { type ProgramOptions, type ProgramResult, runProgram, spawnProgram } from "./programs.ts";
import type { Target } from "./stories.ts";
import { PATIENCE_MS, within } from "./wait.ts";

/** How psql is run beyond its script. */
export interface PsqlOptions extends Pick<ProgramOptions, "env" | "timeoutMs"> {
  readonly args?: readonly string[];
}

/**
 * The path of a program of PostgreSQL's, or undefined. A server's own comes first: what Debian has
 * in /usr/bin is a script that looks for it, every time.
 */
export async function findClientProgram(name: string): Promise<string | undefined> {
  for (const { binDir } of await findPostgres()) {
    const path = join(binDir, programFile(name));
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  return await clientBinary(name);
}

/** The path of a program of PostgreSQL's. @throws {Error} If this machine has none. */
export async function clientProgram(name: string): Promise<string> {
  const path = await findClientProgram(name);
  if (path === undefined) throw new Error(`This machine has no ${name}: install postgresql-client`);
  return path;
}

/** The options that tell any of PostgreSQL's programs where to connect, except the database. */
export function connectionArgs({ host, port, user }: Target): string[] {
  return ["-h", host, "-p", String(port), "-U", user];
}

/** The environment that goes with {@linkcode connectionArgs}. */
export function connectionEnv({ password }: Target): Record<string, string> {
  return { "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "60" };
}

/** Arguments of psql for a script on its standard input or in `-c`. */
export function psqlArgs(target: Target, more: readonly string[] = []): string[] {
  return ["-X", "-q", "-A", "-t", ...connectionArgs(target), "-d", target.database, ...more];
}

/** Runs psql with a script: unaligned output without headers, errors with their SQLSTATE. */
export async function psql(
  target: Target,
  script: string,
  { args = [], env, timeoutMs }: PsqlOptions = {},
): Promise<ProgramResult> {
  return await runProgram(
    await clientProgram("psql"),
    psqlArgs(target, ["-v", "VERBOSITY=verbose", ...args]),
    {
      stdin: script,
      env: { ...connectionEnv(target), ...env },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
  );
}

/**
 * Starts a query that sleeps and presses Ctrl-C: psql sends a CancelRequest, and says why the query
 * ended.
 */
export async function interruptPsql(target: Target, direct: Target): Promise<ProgramResult> {
  const child = spawnProgram(
    await clientProgram("psql"),
    psqlArgs(target, ["-v", "VERBOSITY=verbose", "-c", "select pg_sleep(300)"]),
    { env: connectionEnv(target) },
  );
  await untilSleeping(direct);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await within(
    PATIENCE_MS,
    "psql ends after Ctrl-C",
    child.output(),
  );
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
