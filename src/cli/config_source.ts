/**
 * Finds and loads the configuration for the commands that need one.
 *
 * @module
 */

import { messageOf } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import { loadConfig, problemsText } from "../config/load.ts";
import { printError } from "./terminal.ts";

/** Where a configuration is looked for when none is named. */
const DEFAULT_FILES = ["sluice.yaml", "/etc/sluice/sluice.yaml"];

/** `SLUICE_` variables that are no keys of the configuration. */
const IGNORED_ENV = ["SLUICE_CONFIG"];

/** A checked configuration and where it came from. */
export interface FoundConfig {
  readonly config: Config;
  /** The file's name, or "the environment". */
  readonly source: string;
  /** What is allowed but may surprise, a line each. */
  readonly notes: readonly string[];
  /**
   * Reads the files that it names again; the configuration itself stays as it was found.
   *
   * @throws {Error} If one of them cannot be used; it says all that is wrong.
   */
  reload(): Config;
}

/**
 * Loads the configuration, and tells the user all that is wrong with it.
 *
 * @param file As the user named it; undefined to look in the usual places.
 * @returns Undefined if there is none that can be used: the user has been told.
 */
export function findConfig(file: string | undefined): FoundConfig | undefined {
  const found = readFirst(file);
  if (found === undefined) return undefined;
  const source = {
    text: found.text,
    fileName: found.name,
    env: Deno.env.toObject(),
    cores: navigator.hardwareConcurrency,
    ignoredEnv: IGNORED_ENV,
  };
  const result = loadConfig(source);
  if (result.ok) {
    const notes = result.notes.map((note) => problemsText([note]).trimEnd());
    const reload = () => {
      const again = loadConfig(source);
      if (again.ok) return again.config;
      throw new Error(problemsText(again.problems).trimEnd());
    };
    return { config: result.config, source: found.name, notes, reload };
  }
  printError(`${problemsText(result.problems).trimEnd()}\n`);
  const count = result.problems.length;
  printError(`${found.name}: ${count} ${count === 1 ? "problem" : "problems"}\n`);
  return undefined;
}

function readFirst(file: string | undefined): { name: string; text: string } | undefined {
  for (const name of file === undefined ? DEFAULT_FILES : [file]) {
    try {
      return { name, text: Deno.readTextFileSync(name) };
    } catch (error) {
      if (file === undefined && error instanceof Deno.errors.NotFound) continue;
      printError(
        `sluice: cannot read ${name}: ${messageOf(error)}\n`,
      );
      return undefined;
    }
  }
  if (Object.keys(Deno.env.toObject()).some((name) => name.startsWith("SLUICE_"))) {
    return { name: "the environment", text: "" };
  }
  printError(
    `sluice: no configuration: there is no ${DEFAULT_FILES.join(" and no ")}; ` +
      "name one with --config, or write one with `sluice config init`\n",
  );
  return undefined;
}
