/**
 * Runs the programs of test suites: long, talkative, and sometimes without an end. What they say
 * goes to a file.
 *
 * @module
 */

import { cleanEnvironment } from "../support/programs.ts";

/** Measured: the longest takes 4 minutes on two cores. */
const PROGRAM_TIMEOUT_MS = 20 * 60_000;

/** As timeout(1) of the GNU core utilities says it. */
const TIMED_OUT = 124;

/** How to run a program. */
export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment, in which nothing begins with `PG` or `SLUICE_`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default true: an exit code other than 0, or not to end in time, is an error. */
  readonly mustSucceed?: boolean;
  /** Where standard output goes. Default: to the log, with standard error. */
  readonly outputFile?: string;
}

/**
 * Runs a program to its end, and appends what it writes to `logFile`.
 *
 * @returns Its exit code; 124 if it was ended because it took too long.
 * @throws {Error} If it must succeed and does not; the log is named in it.
 */
export async function runLogged(
  logFile: string,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<number> {
  const { cwd, env = {}, mustSucceed = true, outputFile } = options;
  const output = outputFile ?? logFile;
  const toLog = [">>", shellQuote(output), "2>>", shellQuote(logFile)].join(" ");
  // A session of its own, so that what the program has started can be ended with it.
  const child = new Deno.Command("setsid", {
    args: ["sh", "-c", `exec "$@" ${toLog} </dev/null`, "sh", program, ...args],
    clearEnv: true,
    env: { ...cleanEnvironment(), ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...(cwd === undefined ? {} : { cwd }),
  }).spawn();
  const end = () => killGroup(child.pid);
  const timer = setTimeout(end, PROGRAM_TIMEOUT_MS);
  Deno.addSignalListener("SIGINT", end);
  try {
    const status = await child.status;
    const code = status.signal === null ? status.code : TIMED_OUT;
    if (code !== 0 && mustSucceed) {
      throw new Error(`${program} ${args.join(" ")} ended with ${code}; see ${logFile}`);
    }
    return code;
  } finally {
    clearTimeout(timer);
    Deno.removeSignalListener("SIGINT", end);
  }
}

/** Whether the shell finds a program of that name. */
export async function hasProgram(program: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `command -v "$1"`, "sh", program],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

function killGroup(leader: number): void {
  try {
    // kill(2): a negative number is a process group.
    Deno.kill(-leader, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
