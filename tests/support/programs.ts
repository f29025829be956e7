/**
 * Runs programs in tests: psql, pgbench, the gateway's own commands.
 *
 * @module
 */

import { within } from "./wait.ts";

/** Longer than anything a test asks a program to do, also on a busy machine. */
const PROGRAM_TIMEOUT_MS = 120_000;

/** How a program ended, and what it said. */
export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a program. */
export interface ProgramOptions {
  /** Given to its standard input, then closed. */
  readonly stdin?: string | ReadableStream<Uint8Array>;
  /** Added to the environment, in which nothing begins with `PG` or `SLUICE_`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/** Runs a program to its end. @throws {Error} If it does not end in time; then it is killed. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = spawnProgram(program, args, options);
  const output = Promise.all([textOf(child.stdout), textOf(child.stderr), child.status]);
  const [stdout, stderr, { code }] = await untilEnd(program, args, options, child, output);
  return { code, stdout, stderr };
}

/** Runs a program whose standard output is too large to keep: gives its size in bytes. */
export async function countOutput(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<{ readonly bytes: number; readonly code: number; readonly stderr: string }> {
  const child = spawnProgram(program, args, options);
  const output = Promise.all([sizeOf(child.stdout), textOf(child.stderr), child.status]);
  const [bytes, stderr, { code }] = await untilEnd(program, args, options, child, output);
  return { bytes, stderr, code };
}

/** Starts a program with all three streams piped. */
export function spawnProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Deno.ChildProcess {
  const { stdin = "", env = {}, cwd } = options;
  const child = new Deno.Command(program, {
    args: [...args],
    clearEnv: true,
    env: { ...cleanEnvironment(), ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    ...(cwd === undefined ? {} : { cwd }),
  }).spawn();
  // A program may end without having read all; how it ended is what counts.
  const input = typeof stdin === "string" ? new Blob([stdin]).stream() : stdin;
  input.pipeTo(child.stdin).catch(() => {});
  return child;
}

/** This process's environment without what would change what programs do, in plain English. */
export function cleanEnvironment(): Record<string, string> {
  const entries = Object.entries(Deno.env.toObject())
    .filter(([name]) => !name.startsWith("PG") && !name.startsWith("SLUICE_"));
  return { ...Object.fromEntries(entries), LC_ALL: "C.UTF-8", NO_COLOR: "1" };
}

async function untilEnd<T>(
  program: string,
  args: readonly string[],
  { timeoutMs = PROGRAM_TIMEOUT_MS }: ProgramOptions,
  child: Deno.ChildProcess,
  output: Promise<T>,
): Promise<T> {
  try {
    return await within(timeoutMs, `${program} ${args.join(" ")} ends`, output);
  } catch (error) {
    child.kill("SIGKILL");
    await output;
    throw error;
  }
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

async function sizeOf(stream: ReadableStream<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}
