/**
 * `sluice admin ...`: what its commands take.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { type VerbForm, type VerbName, VERBS } from "../../admin/operator_verbs.ts";
import type { ExitCode } from "../exit_code.ts";
import type { AdminOptions } from "./admin.ts";

const DESCRIPTIONS: Readonly<Record<VerbName, string>> = {
  "pause": "hold the clients of a group of servers, and wait until nothing is in use",
  "resume": "let the clients of a group that is paused go on",
  "drain": "give servers no new work, and close their connections as they become free",
  "disable": "give a server no new work; what runs there goes on",
  "enable": "give a server work again that was disabled or drained",
  "switch-over": "make another server the primary, without failing a transaction",
};

const HELP = `
It talks to the gateway's control socket, runtime.controlSocket: that of --socket, or of the
configuration, which is looked for as by \`sluice run\`. Only the gateway's own user, and root, may.
CLIENT is a name in clients, and SERVER one of its addresses, as \`sluice admin status\` shows them.
The exit code is 1 if there is no gateway, or it could not do what it was told, or not in time.
What is told is kept until it is taken back, or the gateway ends.`;

/** Adds the commands to the program. */
export function addAdmin(program: Command, onDone: (code: ExitCode) => void): void {
  const admin = program.command("admin")
    .description("look at a running gateway's servers, and tell it what to do with them")
    .addHelpText("after", HELP);
  addOptions(
    admin.command("status").description("list all servers: role, health, lag, connections"),
  ).action(async (options: AdminOptions) => {
    const { showStatus } = await import("./admin.ts");
    onDone(await showStatus(options));
  });
  for (const [name, form] of Object.entries<VerbForm>(VERBS)) {
    addVerb(admin, name as VerbName, form, onDone);
  }
}

function addVerb(
  admin: Command,
  name: VerbName,
  form: VerbForm,
  onDone: (code: ExitCode) => void,
): void {
  const verb = admin.command(name).description(DESCRIPTIONS[name])
    .argument("<client>", "name of a client in the configuration: of a group of servers");
  if (form.server === "required") verb.argument("<server>", "address of one of its servers");
  if (form.server === "optional") {
    const otherwise = name === "drain" ? "all of them" : "the replica that is least behind";
    verb.argument("[server]", `address of one of its servers; without it, ${otherwise}`);
  }
  addOptions(verb);
  if (form.waits) verb.option("--wait <duration>", "how long to wait, at most 1h", "30s");
  verb.action(async (client: string, ...others: readonly unknown[]) => {
    const { wait, ...options } = verb.opts<AdminOptions & { readonly wait?: string }>();
    const [server] = form.server === "none" ? [] : others as readonly (string | undefined)[];
    const about = {
      client,
      ...(server === undefined ? {} : { server }),
      ...(wait === undefined ? {} : { wait }),
    };
    const { runVerb } = await import("./admin.ts");
    onDone(await runVerb(name, about, options));
  });
}

function addOptions(command: Command): Command {
  return command
    .addOption(
      new Option("-c, --config <file>", "the configuration; - is standard input")
        .env("SLUICE_CONFIG"),
    )
    .option("--socket <path>", "the control socket, without a configuration")
    .option("--json", "as JSON, for programs");
}
