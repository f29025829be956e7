/**
 * psql with any connection string, and with another libpq than the system's: the one that comes
 * with the downloaded server is newer, and knows direct negotiation of TLS.
 *
 * @module
 */

import { dirname } from "node:path";
import { availableServers } from "./postgres.ts";
import { type ProgramResult, runProgram } from "./programs.ts";
import { clientProgram } from "./psql.ts";

/** libpq learned sslnegotiation in PostgreSQL 17. */
const DIRECT_MAJOR = 17;

/** Keywords of a connection string, PostgreSQL manual section 32.1.2. */
export type Conninfo = Readonly<Record<string, string>>;

/** Runs psql with a connection string that has a password in it, and what `args` say. */
export async function runPsql(
  conninfo: Conninfo,
  args: readonly string[],
  options: { readonly libFolder?: string; readonly stdin?: string } = {},
): Promise<ProgramResult> {
  const { libFolder, stdin = "" } = options;
  const { password = "", ...rest } = conninfo;
  const words = Object.entries({ "connect_timeout": "60", ...rest }).map(([key, value]) =>
    `${key}='${value.replaceAll(/['\\]/g, "\\$&")}'`
  );
  return await runProgram(
    await clientProgram("psql"),
    ["-X", "-q", "-A", "-t", "-d", words.join(" "), ...args],
    {
      stdin,
      env: {
        "PGPASSWORD": password,
        ...(libFolder === undefined ? {} : { "LD_LIBRARY_PATH": libFolder }),
      },
    },
  );
}

/** The folder of a libpq that knows direct negotiation, or undefined if this machine has none. */
export async function newLibpqFolder(): Promise<string | undefined> {
  for (const { binDir, major } of await availableServers()) {
    if (major < DIRECT_MAJOR) continue;
    const folder = `${dirname(binDir)}/lib`;
    const isThere = await Deno.stat(`${folder}/libpq.so.5`).then(() => true, () => false);
    if (isThere) return folder;
  }
  return undefined;
}
