/**
 * `sluice plugin ...`: what its commands take. One file a command does the work.
 *
 * @module
 */

import type { Command } from "commander";
import type { ExitCode } from "../exit_code.ts";
import { type NewOptions, newPlugin } from "./new.ts";
import { LANGUAGES } from "./project.ts";

/** Adds the commands to the program. */
export function addPlugin(program: Command, onDone: (code: ExitCode) => void): void {
  const plugin = program.command("plugin").description(
    "make, look at, try and install plugins",
  );
  plugin.command("new")
    .description("make a plugin that works, with its SDK, in a folder of its own")
    .argument("<name>", "of the plugin: letters, digits, _ and -")
    .requiredOption("-l, --lang <language>", LANGUAGES.join(", "))
    .option("-d, --dir <folder>", "where to; ./NAME if it is not given")
    .action((name: string, options: NewOptions) => onDone(newPlugin(name, options)));
}
