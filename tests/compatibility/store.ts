/**
 * Keeps suites and the results of their runs in the user's cache folder, outside the repository:
 * the table is made of runs that may be hours apart.
 *
 * @module
 */

import { openCacheFolder } from "../../src/cli/demo/cache_folder.ts";
import { hasProgram, runLogged, type RunOptions } from "./programs.ts";
import type { Results, Run, Suite } from "./suite.ts";
import type { Label } from "./targets.ts";

/** One run of a suite. */
export interface StoredRun {
  readonly suite: string;
  /** What was run: other versions' results are not compared. */
  readonly driver: string;
  readonly label: string;
  readonly seconds: number;
  readonly results: Results;
}

/** The folder of everything: suites, results, logs. */
export class Store {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens it, and makes it if it was not there. */
  static async open(): Promise<Store> {
    const folder = `${await openCacheFolder()}/compatibility`;
    await Deno.mkdir(`${folder}/results`, { recursive: true });
    return new Store(folder);
  }

  /** Where the programs of a run write what they have to say. */
  logFile(suite: string, what: string): string {
    return `${this.#folder}/results/${suite}.${what}.log`;
  }

  /** Runs programs whose output goes to one log, which is emptied first. */
  async runner(suite: string, what: string): Promise<Run> {
    const logFile = this.logFile(suite, what);
    await Deno.writeTextFile(logFile, "");
    return (program: string, args: readonly string[], options?: RunOptions) =>
      runLogged(logFile, program, args, options);
  }

  /**
   * The folder of a suite that is ready to run; the first time it is installed.
   *
   * @throws {Error} If a program is missing, or what {@linkcode Suite.install} throws.
   */
  async install(suite: Suite): Promise<string> {
    for (const program of suite.programs) {
      if (!await hasProgram(program)) throw new Error(`${suite.name} needs ${program}; install it`);
    }
    const folder = `${this.#folder}/${suite.driver.replaceAll(/[^\w.]+/g, "-")}`;
    const ready = `${folder}/ready`;
    if (await Deno.stat(ready).catch(() => undefined) !== undefined) return folder;
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await Deno.mkdir(folder);
    await suite.install(folder, await this.runner(suite.name, "install"));
    await Deno.writeTextFile(ready, "");
    return folder;
  }

  /** Keeps the results of a run, in place of the one before it. */
  async write(run: StoredRun): Promise<void> {
    const text = JSON.stringify({ ...run, results: [...run.results] });
    await Deno.writeTextFile(this.#resultFile(run.suite, run.label), text);
  }

  /** The last run of this version of the suite, if there is one. */
  async read(suite: Suite, label: Label): Promise<StoredRun | undefined> {
    const file = this.#resultFile(suite.name, label);
    const text = await Deno.readTextFile(file).catch(() => undefined);
    if (text === undefined) return undefined;
    const run = JSON.parse(text);
    if (run.driver !== suite.driver) return undefined;
    return { ...run, results: new Map(run.results) };
  }

  #resultFile(suite: string, label: string): string {
    return `${this.#folder}/results/${suite}.${label}.json`;
  }
}
