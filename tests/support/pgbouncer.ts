/**
 * PgBouncer, where this machine has it: another pooler for the tests to look at, so that they are
 * known to notice what a pooler gets wrong.
 *
 * @module
 */

import { findProgram, startPgBouncer } from "../../bench/contestants.ts";

/** A PgBouncer that was started; disposing of it ends its process. */
export interface TestPgBouncer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** What it says of itself: "PgBouncer 1.18.0". */
  readonly description: string;
}

/** Where PgBouncer is, or undefined. */
export async function findPgBouncer(): Promise<string | undefined> {
  return await findProgram("pgbouncer");
}

/**
 * Starts PgBouncer in transaction mode in front of a server that trusts its clients.
 *
 * @param folder Where to write its configuration: open to other users.
 */
export async function startTestPgBouncer(
  program: string,
  postgresPort: number,
  folder: string,
  poolSize: number,
): Promise<TestPgBouncer> {
  const pool = { mode: "transaction", size: poolSize } as const;
  const running = await startPgBouncer(program, postgresPort, folder, pool);
  return {
    host: "127.0.0.1",
    port: running.port,
    description: running.description,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
