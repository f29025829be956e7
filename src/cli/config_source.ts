/**
 * Finds and loads the configuration for the commands that need one.
 *
 * @module
 */

import { systemReason } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import { FILE_SIZE_MAX } from "../config/declarations.ts";
import {
  type ConfigSource,
  loadConfig,
  type LoadedConfig,
  type Problem,
  problemsText,
} from "../config/load.ts";
import type { ConfigOrigin } from "../app.ts";
import { type DryRun, type Finding, tryFiles, tryLogFiles } from "../dry_run.ts";
import { printError } from "./terminal.ts";

/** Where a configuration is looked for when none is named. */
const DEFAULT_FILES = ["sluice.yaml", "/etc/sluice/sluice.yaml"];

/** Relative paths in it start from the working directory. */
const STANDARD_INPUT = "standard input";

/** `SLUICE_` variables that are no keys of the configuration. */
const IGNORED_ENV = ["SLUICE_CONFIG"];

/** A checked configuration and where it came from. */
export interface FoundConfig {
  readonly config: Config;
  /** The file's name, or "the environment". */
  readonly source: string;
  /** What is allowed but may surprise, a line each. */
  readonly notes: readonly string[];
  /** What its files say that should be changed, a line each. */
  readonly warnings: readonly string[];
  /** What came of trying its files. */
  readonly tried: DryRun;
  /** Where it is from. */
  readonly origin: ConfigOrigin;
}

/**
 * Loads the configuration, tries the files that it names, and tells the user all that is wrong.
 *
 * @param file As the user named it, `-` for standard input; undefined to look in the usual places.
 * @returns Undefined if there is none that can be used: the user has been told.
 */
export function findConfig(file: string | undefined): FoundConfig | undefined {
  const found = readFirst(file);
  if (found === undefined) return undefined;
  const source = sourceOf(found);
  const result = loadConfig(source);
  if (!result.ok) return sayWrong(found.name, result.problems);
  const { config, placeOf } = result;
  const tried = tryFiles(config);
  const placed = ({ section, name, key, message }: Finding) => ({
    ...placeOf(section, name, key),
    message: message.charAt(0).toLowerCase() + message.slice(1),
  });
  const problems = [...tried.problems, ...tryLogFiles(config.loggers)].map(placed);
  if (problems.length > 0) return sayWrong(found.name, problems);
  const line = (note: Problem) => problemsText([note]).trimEnd();
  return {
    config,
    source: found.name,
    notes: result.notes.map(line),
    warnings: tried.warnings.map(placed).map(line),
    tried,
    origin: originOf(source, result),
  };
}

/** Returns where a configuration is from. */
export function originOf(
  source: ConfigSource,
  { json }: Extract<LoadedConfig, { ok: true }>,
): ConfigOrigin {
  return {
    json: json(),
    load(replacements) {
      const again = loadConfig({ ...source, replacements });
      if (again.ok) return again.config;
      throw new Error(problemsText(again.problems).trimEnd());
    },
  };
}

/**
 * The same for commands that serve nobody: the files that the configuration names are not tried.
 */
export function readConfig(file: string | undefined): Config | undefined {
  const found = readFirst(file);
  if (found === undefined) return undefined;
  const result = loadConfig(sourceOf(found));
  return result.ok ? result.config : sayWrong(found.name, result.problems);
}

/** Whether there is a configuration where it is looked for when none is named. */
export function isConfigured(): boolean {
  return DEFAULT_FILES.some(isThere) || hasVariables();
}

function isThere(name: string): boolean {
  try {
    Deno.statSync(name);
    return true;
  } catch {
    return false;
  }
}

function hasVariables(): boolean {
  return Object.keys(Deno.env.toObject()).some((name) => name.startsWith("SLUICE_"));
}

function sourceOf({ text, fileName }: Found) {
  return {
    text,
    fileName,
    env: Deno.env.toObject(),
    cores: navigator.hardwareConcurrency,
    ignoredEnv: IGNORED_ENV,
  };
}

/** Tells the user what is wrong. */
export function sayWrong(source: string, problems: readonly Problem[]): undefined {
  printError(`${problemsText(problems).trimEnd()}\n`);
  const count = problems.length;
  printError(`${source}: ${count} ${count === 1 ? "problem" : "problems"}\n`);
}

interface Found {
  /** For people. */
  readonly name: string;
  /** As the loader is told; undefined for the environment alone. */
  readonly fileName: string | undefined;
  readonly text: string;
}

function readFirst(file: string | undefined): Found | undefined {
  for (const name of file === undefined ? DEFAULT_FILES : [file]) {
    try {
      if (name === "-") return { ...named(STANDARD_INPUT), text: readStandardInput() };
      return { ...named(name), text: Deno.readTextFileSync(name) };
    } catch (error) {
      if (file === undefined && error instanceof Deno.errors.NotFound) continue;
      printError(`sluice: ${unreadable(name, error)}\n`);
      return undefined;
    }
  }
  if (hasVariables()) {
    return { name: "the environment", fileName: undefined, text: "" };
  }
  printError(
    `sluice: no configuration: there is no ${DEFAULT_FILES.join(" and no ")}; ` +
      "name one with --config, or write one with `sluice config init`\n",
  );
  return undefined;
}

function named(name: string): Pick<Found, "name" | "fileName"> {
  return { name, fileName: name };
}

function unreadable(name: string, error: unknown): string {
  if (name === "") {
    return "--config or SLUICE_CONFIG is empty; name a file, or - for standard input";
  }
  const advice = error instanceof Deno.errors.NotCapable ? "; -c - reads standard input" : "";
  return `cannot read ${name}: ${systemReason(error)}${advice}`;
}

/** One byte more than a configuration may have is enough to see that it is too large. */
function readStandardInput(): string {
  const bytes = new Uint8Array(FILE_SIZE_MAX + 1);
  let size = 0;
  while (size < bytes.length) {
    const count = Deno.stdin.readSync(bytes.subarray(size));
    if (count === null) break;
    size += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, size));
}
