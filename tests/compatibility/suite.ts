/**
 * What a driver's own test suite is to this harness: a thing that can be installed into a folder,
 * and run against any server or gateway, and that says of each test how it ended.
 *
 * @module
 */

import type { RunOptions } from "./programs.ts";

/** How a test ended. */
export type Outcome = "passed" | "failed" | "skipped";

/** One test of a suite. */
export interface TestResult {
  readonly outcome: Outcome;
  /** What it said when it did not pass, shortened; empty if it passed. */
  readonly message: string;
}

/** From a test's name, unique within its suite, to how it ended. */
export type Results = ReadonlyMap<string, TestResult>;

/** Where a suite's clients connect, as a superuser that may do everything. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Statements that a database needs before the suite runs. "postgres" is always there. */
export interface Preparation {
  readonly database: string;
  readonly statements: readonly string[];
}

/** Runs a program in a folder, its output in a file. */
export type Run = (
  program: string,
  args: readonly string[],
  options?: RunOptions,
) => Promise<number>;

/** What a suite needs for one run. */
export interface Job {
  /** Where {@linkcode Suite.install} put it. */
  readonly folder: string;
  /** An empty folder, for reports and for what the suite writes. */
  readonly scratch: string;
  readonly target: Target;
  /** Only tests that this selects, in the words of the suite's own runner. */
  readonly only?: string;
  readonly run: Run;
}

/** A driver's test suite. */
export interface Suite {
  /** As in `--suite`. */
  readonly name: string;
  /** The driver and its version, for people. */
  readonly driver: string;
  /** What of it is run, for people: a sentence. */
  readonly scope: string;
  /** Programs that must be there. */
  readonly programs: readonly string[];
  /** Done before the suite runs, in this order, straight on the server. */
  readonly preparations: readonly Preparation[];
  /**
   * Makes the suite ready to run, in an empty folder of its own. Done once for a version.
   *
   * @throws {Error} If a registry does not have it, or a program fails.
   */
  install(folder: string, run: Run): Promise<void>;
  /** @throws {Error} If it cannot be run at all. Tests that fail are results. */
  test(job: Job): Promise<Results>;
}

/** Of how long a message is kept, in characters: enough to see what went wrong. */
const MESSAGE_LENGTH_MAX = 2_000;

/** Orders outcomes: what stands for several tests of one name is the worst of them. */
const BADNESS: Readonly<Record<Outcome, number>> = { passed: 0, skipped: 1, failed: 2 };

/** Adds a test's end to `results`; of several tests with one name the worst counts. */
export function addResult(
  results: Map<string, TestResult>,
  name: string,
  outcome: Outcome,
  message: string,
): void {
  const before = results.get(name);
  if (before !== undefined && BADNESS[before.outcome] >= BADNESS[outcome]) return;
  const kept = outcome === "passed" ? "" : message.trim().slice(0, MESSAGE_LENGTH_MAX);
  results.set(name, { outcome, message: kept });
}
