/**
 * How fast large results pass: COPY and SELECT by psql, which throws them away.
 *
 * @module
 */

import { clientEnvironment, type Target } from "./pgbench.ts";

/** One way to get a lot of data. */
export interface Transfer {
  readonly name: string;
  readonly statement: string;
  /** What the rows' texts weigh together, in MB (10^6 bytes). */
  readonly megabytes: number;
}

/** Rows of 1,000 bytes, which the server makes up: reading a table would measure the table. */
export const TRANSFERS: readonly Transfer[] = [
  {
    name: "COPY TO STDOUT, 200 MB",
    statement: "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 200000)) TO STDOUT",
    megabytes: 200,
  },
  {
    name: "SELECT, 100 MB",
    statement: "SELECT repeat('x', 1000) FROM generate_series(1, 100000)",
    megabytes: 100,
  },
];

/**
 * Runs one transfer.
 *
 * @param signal Ends it.
 * @returns MB per second of wall time, psql's start included.
 * @throws {Error} If psql fails or is ended.
 */
export async function runTransfer(
  program: string,
  target: Target,
  transfer: Transfer,
  signal: AbortSignal,
): Promise<number> {
  const startedMs = performance.now();
  const { success, stderr } = await new Deno.Command(program, {
    args: ["-X", "-q", "-A", "-t", "-c", transfer.statement, target.database],
    clearEnv: true,
    env: clientEnvironment(target),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal,
  }).output();
  signal.throwIfAborted();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim();
    throw new Error(`Cannot run psql at port ${target.port}: ${said}`);
  }
  return transfer.megabytes / ((performance.now() - startedMs) / 1000);
}
