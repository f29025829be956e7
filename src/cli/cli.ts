/**
 * The command line: which commands there are, what they take, and which exit code they end with.
 * One file a command does the work, and is loaded with what it needs when it has to.
 *
 * @module
 */

import { Command, CommanderError, Option } from "commander";
import { systemReason } from "../base/errors.ts";
import { VERSION } from "../version.ts";
import { addAdmin } from "./admin/commands.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import { addPlugin } from "./plugin/commands.ts";
import { print, printError } from "./terminal.ts";
import { printVersion } from "./version.ts";

const EXIT_CODES = `
Exit codes:
  0    done
  1    it could not start or go on, or a plugin is refused or fails, or a running gateway could not
       do what admin asks for
  2    wrong command line
  3    wrong configuration
  130  stopped at once by a second signal`;

/** Runs one command line, without the program's name. Never throws. */
export async function runCli(args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = makeProgram((result) => code = result);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    printError(`sluice: ${systemReason(error)}\n`);
    return EXIT.failed;
  }
  return code;
}

function makeProgram(onDone: (code: ExitCode) => void): Command {
  const program = new Command("sluice")
    .description("A gateway for PostgreSQL: clients connect to it instead of to their database.")
    .version(VERSION, "-V, --version", "print the version number")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", EXIT_CODES)
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: printError })
    .showHelpAfterError("(add --help to see what there is)");
  addRun(program, onDone);
  addConfig(program, onDone);
  addPlugin(program, onDone);
  addAdmin(program, onDone);
  addDemo(program, onDone);
  program.command("version").description("print the versions of Sluice and of what it runs on")
    .action(() => onDone(printVersion()));
  return program;
}

function addRun(program: Command, onDone: (code: ExitCode) => void): void {
  program.command("run")
    .description("run the gateway until SIGINT or SIGTERM")
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Without --config, ./sluice.yaml is read, then /etc/sluice/sluice.yaml; with neither, the settings
come from the environment alone. Every key can be set there: SLUICE_POOLS_DEFAULT_SIZE=20.

Signals:
  SIGINT, SIGTERM  stop: no new clients; sessions may finish within runtime.shutdownTimeout and
                   are then closed with SQLSTATE 57P01; a second one stops at once
  SIGHUP           open log files anew, after they were rotated, and look at once whether
                   certificates, users, passwords, rules, limits or plugins have changed
  SIGUSR1          pause all groups of servers, as sluice admin pause does one
  SIGUSR2          resume them
${EXIT_CODES}`,
    )
    .action(async (options: { config?: string }) => {
      const { runGateway } = await import("./run.ts");
      onDone(await runGateway(options.config));
    });
}

function addConfig(program: Command, onDone: (code: ExitCode) => void): void {
  const config = program.command("config").description("write, check and describe sluice.yaml");
  config.command("init")
    .description("write a commented sluice.yaml")
    .argument("[file]", "where to; - is standard output", "sluice.yaml")
    .option("-f, --force", "write over a file that is there")
    .action(async (file: string, { force }: { force?: boolean }) => {
      const { initConfig } = await import("./config.ts");
      onDone(initConfig(file, force ?? false));
    });
  config.command("check")
    .description(
      "check the configuration, the environment and the files they name, and say all that is wrong",
    )
    .addOption(configOption())
    .action(async (options: { config?: string }) => {
      const { checkConfig } = await import("./config.ts");
      onDone(await checkConfig(options.config));
    });
  config.command("schema")
    .description("print the JSON Schema of sluice.yaml, for editors")
    .action(async () => {
      const { printSchema } = await import("./config.ts");
      onDone(printSchema());
    });
}

function addDemo(program: Command, onDone: (code: ExitCode) => void): void {
  program.command("demo")
    .description("start a PostgreSQL of its own and a gateway in front, and show what it does")
    .option("--once", "end after the story instead of staying up")
    .action(async ({ once }: { once?: boolean }) => {
      const { runDemo } = await import("./demo.ts");
      onDone(await runDemo(once ?? false));
    });
}

function configOption(): Option {
  return new Option("-c, --config <file>", "the configuration; - is standard input").env(
    "SLUICE_CONFIG",
  );
}
