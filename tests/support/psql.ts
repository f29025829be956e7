/**
 * PostgreSQL's own client programs against a server or a gateway.
 *
 * @module
 */

import { clientBinary } from "./postgres.ts";
import { type ProgramOptions, type ProgramResult, runProgram } from "./programs.ts";
import type { Target } from "./stories.ts";

/** How psql is run beyond its script. */
export interface PsqlOptions extends Pick<ProgramOptions, "env" | "timeoutMs"> {
  readonly args?: readonly string[];
}

/** A program of PostgreSQL's, or a reason to fail: machines without any cannot run these tests. */
export async function clientProgram(name: string): Promise<string> {
  const path = await clientBinary(name);
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
