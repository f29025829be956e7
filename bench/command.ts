/**
 * A command that measures: what its line may say in every case, and how it ends.
 *
 * @module
 */

import type { ParseArgsOptionsConfig } from "node:util";
import { print, printError } from "../src/cli/terminal.ts";

/** A wrong argument or a missing program: said in one line, not with a stack. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}

/** What every command takes, for `parseArgs`. */
export const RUN_OPTIONS = {
  workers: { type: "string", default: "1" },
  rounds: { type: "string" },
  seconds: { type: "string" },
  source: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
} as const satisfies ParseArgsOptionsConfig;

/** How to measure, whatever it is. */
export interface RunOptions {
  readonly workers: number;
  readonly isFromSource: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly isWriting: boolean;
}

/**
 * Reads what {@linkcode RUN_OPTIONS} gave.
 *
 * @param defaults If the command line does not say.
 * @throws {BenchError} If a number is wrong.
 */
export function runOptionsOf(
  values: {
    readonly workers: string;
    readonly rounds?: string | undefined;
    readonly seconds?: string | undefined;
    readonly source: boolean;
    readonly quick: boolean;
    readonly write: boolean;
  },
  defaults: { readonly rounds: number; readonly seconds: number },
): RunOptions {
  const quickly = values.quick ? { rounds: 2, seconds: 2 } : defaults;
  return {
    workers: wholeNumber("--workers", values.workers),
    isFromSource: values.source,
    rounds: wholeNumber("--rounds", values.rounds ?? String(quickly.rounds)),
    seconds: wholeNumber("--seconds", values.seconds ?? String(quickly.seconds)),
    isWriting: values.write,
  };
}

/** @throws {BenchError} If `text` is none of the choices. */
export function oneOf<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new BenchError(`${option} must be one of ${choices.join(", ")}, and is ${text}`);
}

/** @throws {BenchError} If `text` is no number from 1 to 9999. */
export function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new BenchError(`${option} must be a whole number from 1 to 9999, and is ${text}`);
  }
  return Number(text);
}

/**
 * Runs a command to its end.
 *
 * @param measure Stops what it has started when the signal is aborted: the user has interrupted.
 * @returns The process's exit code.
 */
export async function runCommand(
  args: readonly string[],
  usage: string,
  measure: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    print(usage);
    return 0;
  }
  if (Deno.build.os !== "linux") {
    printError("Cannot measure here: CPU times are read from /proc, which is Linux's\n");
    return 1;
  }
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new BenchError("interrupted"));
  Deno.addSignalListener("SIGINT", interrupt);
  Deno.addSignalListener("SIGTERM", interrupt);
  try {
    await measure(interruption.signal);
    return 0;
  } catch (error) {
    printError(`${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
}
