/**
 * docs/performance.md, which more than one command writes, and what each says of how it measured.
 *
 * @module
 */

import { join } from "node:path";
import { printError } from "../src/cli/terminal.ts";

/** Where and when something was measured, and how often. */
export interface RunFacts {
  /** Day of the measurement, "2026-01-31". */
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly rounds: number;
  readonly seconds: number;
}

/** What is true now, on this machine. */
export function runFacts({ rounds, seconds }: Pick<RunFacts, "rounds" | "seconds">): RunFacts {
  const cpu = /^model name\s*: (.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpu ?? "unknown CPU",
    cores: navigator.hardwareConcurrency,
    kernel: `Linux ${Deno.osRelease()}`,
    rounds,
    seconds,
  };
}

/** Writes what `change` makes of the page's text; "" if there is no page yet. */
export async function rewritePage(change: (page: string) => string): Promise<void> {
  const path = join(import.meta.dirname!, "..", "docs", "performance.md");
  await Deno.writeTextFile(path, change(await read(path)));
  printError(`wrote ${path}\n`);
}

async function read(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
