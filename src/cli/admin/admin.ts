/**
 * `sluice admin ...`: what a running gateway is asked for, and how its answer is shown.
 *
 * @module
 */

import type { ClientStatus, ServerStatus, VerbName } from "../../admin/operator_verbs.ts";
import { formatDuration } from "../../base/duration.ts";
import { messageOf } from "../../base/errors.ts";
import { formatSize } from "../../base/size.ts";
import { readConfig } from "../config_source.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { harmless, tableText } from "../plugin/table.ts";
import { print, printError } from "../terminal.ts";
import { askGateway, type ControlAnswer } from "./control_client.ts";

/** Sets the control socket wherever a configuration is from. */
const SOCKET_VARIABLE = "SLUICE_RUNTIME_CONTROL_SOCKET";

/** Options of all commands. */
export interface AdminOptions {
  readonly config?: string;
  readonly socket?: string;
  readonly json?: boolean;
}

/** Shows all servers of a gateway. */
export async function showStatus(options: AdminOptions): Promise<ExitCode> {
  return await ask(
    options,
    "/v1/status",
    undefined,
    (body) => statusText((body as { clients: readonly ClientStatus[] }).clients),
  );
}

/** Has a gateway carry out a verb. */
export async function runVerb(
  verb: VerbName,
  about: { readonly client: string; readonly server?: string; readonly wait?: string },
  options: AdminOptions,
): Promise<ExitCode> {
  return await ask(
    options,
    `/v1/${verb}`,
    about,
    (body) => `${harmless((body as { message: string }).message)}\n`,
  );
}

async function ask(
  options: AdminOptions,
  target: string,
  request: unknown,
  textOf: (body: unknown) => string,
): Promise<ExitCode> {
  const path = socketOf(options);
  if (path === undefined) return EXIT.config;
  let answer: ControlAnswer;
  try {
    answer = await askGateway(path, target, request);
  } catch (error) {
    printError(`sluice: ${harmless(messageOf(error))}\n`);
    return EXIT.failed;
  }
  const isDone = answer.status === 200;
  if (options.json) print(`${JSON.stringify(answer.body, null, 2)}\n`);
  else if (isDone) print(textOf(answer.body));
  if (isDone) return EXIT.ok;
  const { error } = answer.body as { error?: { message?: unknown } };
  if (!options.json) printError(`sluice: ${harmless(String(error?.message ?? answer.status))}\n`);
  return EXIT.failed;
}

/** Finds the socket; undefined if there is none: the user has been told. */
function socketOf({ config: file, socket }: AdminOptions): string | undefined {
  if (socket !== undefined) return socket;
  const variable = Deno.env.get(SOCKET_VARIABLE) ?? "";
  if (variable !== "" && file === undefined) return variable;
  const config = readConfig(file);
  if (config === undefined) {
    printError("sluice: --socket names the control socket without a configuration\n");
    return undefined;
  }
  const { controlSocket } = config.runtime;
  if (controlSocket !== "") return controlSocket;
  printError(
    "sluice: the gateway has no control socket: set runtime.controlSocket, such as " +
      "/run/sluice/control.sock, and restart it; or name one with --socket\n",
  );
  return undefined;
}

function statusText(clients: readonly ClientStatus[]): string {
  const heading = ["client", "server", "role", "health", "lag", "flags", "in use", "connections"];
  const rows = clients.flatMap(({ client, isPaused, servers }) =>
    servers.map((server) => [
      client,
      server.server,
      server.role,
      server.health,
      lagText(server),
      [...(isPaused ? ["paused"] : []), ...server.flags].join(", ") || "-",
      String(server.connectionsInUse),
      String(server.connections),
    ])
  );
  return tableText([heading, ...rows], [6, 7]);
}

function lagText({ role, lagMs, lagSize }: ServerStatus): string {
  if (role !== "replica") return "-";
  return `${formatDuration(Math.round(lagMs))}, ${formatSize(Math.round(lagSize))}`;
}
