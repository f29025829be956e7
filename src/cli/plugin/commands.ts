/**
 * `sluice plugin ...`: what its commands take. One file a command does the work, and is loaded with
 * what it needs when it has to.
 *
 * @module
 */

import { type Command, Option } from "commander";
import type { ExitCode } from "../exit_code.ts";
import type { CheckOptions } from "./check.ts";
import type { InstallOptions } from "./install.ts";
import type { NewOptions } from "./new.ts";
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
    .option("-d, --dir <folder>", "where to, a new or empty one; ./NAME if it is not given")
    .action(async (name: string, options: NewOptions) => {
      const { newPlugin } = await import("./new.ts");
      onDone(newPlugin(name, options));
    });
  addLooking(plugin, onDone);
  addTrying(plugin, onDone);
  plugin.command("install")
    .description("put a plugin into the folder that a gateway loads plugins from")
    .argument("<source>", "NAME.wasm, a folder with it, or the URL of one: https://.../NAME.wasm")
    .option("--sha256 <digits>", "what the module must have")
    .option("--directory <folder>", "where to", "./plugins")
    .option("-f, --force", "replace a plugin of this name; it is kept as NAME.wasm.bak")
    .addHelpText(
      "after",
      `
The manifest NAME.yaml is taken from beside the module, and so is the checksum, if there is a file
SHA256SUMS or NAME.wasm.sha256. A plugin that would not load is not installed.`,
    )
    .action(async (source: string, options: InstallOptions) => {
      const { installPlugin } = await import("./install.ts");
      onDone(await installPlugin(source, options));
    });
}

function addLooking(plugin: Command, onDone: (code: ExitCode) => void): void {
  plugin.command("list")
    .description("list the plugins that a gateway would load, and why it would not")
    .addOption(configOption("the configuration; - is standard input").env("SLUICE_CONFIG"))
    .option("--json", "as JSON, for programs")
    .addHelpText(
      "after",
      `
Without --config, the configuration is looked for as by \`sluice run\`; with none, the plugins are
those in ./plugins, and nothing is granted to them. The exit code is 1 if one would be refused.`,
    )
    .action(async (options: { config?: string; json?: boolean }) => {
      const { listPlugins } = await import("./list.ts");
      onDone(await listPlugins(options));
    });
  plugin.command("inspect")
    .description("show what is in a plugin's files, without running it")
    .argument("<file>", "the module, NAME.wasm; its manifest is NAME.yaml beside it, or within")
    .option("--json", "as JSON, for programs")
    .action(async (file: string, options: { json?: boolean }) => {
      const { inspectPlugin } = await import("./inspect.ts");
      onDone(await inspectPlugin(file, options));
    });
}

function addTrying(plugin: Command, onDone: (code: ExitCode) => void): void {
  const description = "what it is granted and told; without it, all that it asks for";
  plugin.command("check")
    .description("run a plugin through a session, with what breaks plugins, too")
    .argument("<file>", "the module, NAME.wasm")
    .addOption(configOption(description))
    .option("-q, --query <text...>", "queries to show it, beside the usual ones")
    .addHelpText("after", "\nHTTP requests are not sent. The exit code is 1 if a call failed.")
    .action(async (file: string, options: CheckOptions) => {
      const { checkPlugin } = await import("./check.ts");
      onDone(await checkPlugin(file, options));
    });
  plugin.command("bench")
    .description("measure how long calls of a plugin take, and how much fuel")
    .argument("<file>", "the module, NAME.wasm")
    .addOption(configOption(description))
    .option("--json", "as JSON, for programs")
    .action(async (file: string, options: { config?: string; json?: boolean }) => {
      const { benchPlugin } = await import("./bench.ts");
      onDone(await benchPlugin(file, options));
    });
}

function configOption(description: string): Option {
  return new Option("-c, --config <file>", description);
}
