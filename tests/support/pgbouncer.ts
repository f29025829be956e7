/**
 * PgBouncer, where this machine has it: another pooler for the tests to look at, so that they are
 * known to notice what a pooler gets wrong.
 *
 * @module
 */

import { findProgram, firstLine } from "../../bench/peers/find_program.ts";
import { startPgBouncer } from "../../bench/peers/pgbouncer.ts";

/** More than any test has. */
const CLIENTS_MAX = 2_000;

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
  const shape = { mode: "transaction", poolSize, clientsMax: CLIENTS_MAX, workers: 1 } as const;
  const description = await firstLine(program, ["--version"]);
  const setting = { ...shape, postgresPort, folder };
  const running = await startPgBouncer(program, description, setting);
  return {
    host: "127.0.0.1",
    port: running.port,
    description,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
