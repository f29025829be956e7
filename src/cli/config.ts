/**
 * `sluice config init | check | schema`.
 *
 * @module
 */

import { systemReason } from "../base/errors.ts";
import { configSchema } from "../config/schema.ts";
import { configTemplate } from "../config/template.ts";
import { checkPlugins } from "../plugins/plugin_check.ts";
import { findConfig, sayWrong } from "./config_source.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import { print, printError } from "./terminal.ts";

/** Writes a commented configuration; an existing file is left alone unless `isForced`. */
export function initConfig(file: string, isForced: boolean): ExitCode {
  if (file === "") {
    printError("sluice: the name of the file is empty; - is standard output\n");
    return EXIT.usage;
  }
  if (file === "-") {
    print(configTemplate());
    return EXIT.ok;
  }
  try {
    Deno.writeTextFileSync(file, configTemplate(), { createNew: !isForced });
  } catch (error) {
    printError(`sluice: cannot write ${file}: ${unwritableReason(error)}\n`);
    return EXIT.failed;
  }
  print(`wrote ${file}; check it with: sluice config check -c ${file}\n`);
  return EXIT.ok;
}

function unwritableReason(error: unknown): string {
  const { AlreadyExists, NotFound, NotCapable } = Deno.errors;
  if (error instanceof AlreadyExists) return "it exists; --force writes over it";
  if (error instanceof NotFound) return "its folder does not exist; make it first";
  const advice = error instanceof NotCapable ? "; - is standard output" : "";
  return systemReason(error) + advice;
}

/** Says everything that is wrong with the configuration, or that nothing is. */
export async function checkConfig(file: string | undefined): Promise<ExitCode> {
  const found = findConfig(file);
  if (found === undefined) return EXIT.config;
  const { servers, clients, pools } = found.config;
  const { count, problems, warnings } = await checkPlugins(found.config.plugins);
  if (problems.length > 0) {
    sayWrong(found.source, problems);
    return EXIT.config;
  }
  const notes = [...found.notes, ...found.warnings, ...warnings];
  for (const note of notes) printError(`note: ${note}\n`);
  const plugins = count === 0 ? "" : `, plugins: ${count}`;
  print(
    `${found.source}: fine (servers: ${servers.size}, clients: ${clients.size}, ` +
      `pools: ${pools.size}${plugins})\n`,
  );
  return EXIT.ok;
}

/** Prints the JSON Schema that editors complete and check sluice.yaml with. */
export function printSchema(): ExitCode {
  print(`${JSON.stringify(configSchema(), null, 2)}\n`);
  return EXIT.ok;
}
