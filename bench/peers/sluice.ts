/**
 * Sluice as it is measured: an executable, or its source by the Deno that runs this.
 *
 * @module
 */

import { join } from "node:path";
import type { DriverKind } from "../../src/net/net_thread.ts";
import { firstLine } from "./find_program.ts";
import {
  type CertificateFiles,
  freePort,
  HOST,
  type PeerSetting,
  type PoolMode,
  type RunningProxy,
  startProxy,
} from "./running_proxy.ts";

/** What Sluice runs as. */
export interface SluiceProgram {
  /** Undefined for its source. */
  readonly binary: string | undefined;
}

/** How Sluice is run. */
export interface SluiceOptions extends SluiceProgram {
  readonly workers: number;
  /** What it is called among the contestants; default "sluice". */
  readonly name?: string;
  readonly mode: PoolMode;
  readonly poolSize: number;
  readonly clientsMax: number;
  /** How it uses sockets; default: its own choice. */
  readonly driver?: DriverKind;
  /** It logs clients in itself, as it has to in transaction mode; else the server does. */
  readonly isTrusting: boolean;
  /** With it clients have to use TLS. */
  readonly tls?: CertificateFiles | undefined;
  /** The section `plugins` of its configuration, in YAML on one line. */
  readonly plugins?: string;
}

/** Sluice that was started. */
export interface RunningSluice extends RunningProxy {
  /** Where its metrics are. */
  readonly metricsUrl: string;
}

/** Sluice set up as its peers are. @throws {Error} If it does not start. */
export async function startSluicePeer(
  driver: DriverKind,
  program: SluiceProgram,
  peer: PeerSetting,
): Promise<RunningSluice> {
  const { mode, poolSize, clientsMax, workers, tls, postgresPort, folder } = peer;
  const name = `sluice-${driver}`;
  const shape = { name, driver, mode, poolSize, clientsMax, workers, tls, isTrusting: true };
  return await startSluice({ ...program, ...shape }, postgresPort, folder);
}

/**
 * Starts Sluice with its defaults, but for the options and no log of each connection.
 *
 * @param folder Where to write its configuration.
 * @throws {Error} If it does not start.
 */
export async function startSluice(
  options: SluiceOptions,
  postgresPort: number,
  folder: string,
): Promise<RunningSluice> {
  const port = freePort();
  const metrics = `${HOST}:${freePort()}`;
  const file = join(folder, "sluice.yaml");
  await Deno.writeTextFile(file, settingsText(port, postgresPort, metrics, options));
  const proxy = await startProxy({
    name: options.name ?? "sluice",
    ...commandOf(options, ["run", "--config", file]),
    port,
    env: environment(),
    isOurUser: true,
    isEncrypted: options.tls !== undefined,
  });
  return { ...proxy, metricsUrl: `http://${metrics}/metrics` };
}

/** Its version and what runs it: "Sluice 0.1.0 (compiled executable)". */
export async function describeSluice(program: SluiceProgram): Promise<string> {
  const { program: path, args } = commandOf(program, ["--version"]);
  const runtime = program.binary === undefined
    ? `from source, Deno ${Deno.version.deno}`
    : "compiled executable";
  return `Sluice ${await firstLine(path, args)} (${runtime})`;
}

function commandOf({ binary }: SluiceProgram, args: readonly string[]) {
  if (binary !== undefined) return { program: binary, args };
  const root = join(import.meta.dirname!, "..", "..");
  const source = ["run", "-A", "--config", join(root, "deno.json"), join(root, "main.ts")];
  return { program: Deno.execPath(), args: [...source, ...args] };
}

/** Without what would be taken for settings of Sluice's, such as SLUICE_BINARY. */
function environment(): Record<string, string> {
  const entries = Object.entries(Deno.env.toObject());
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("SLUICE_")));
}

function settingsText(
  port: number,
  postgresPort: number,
  metrics: string,
  options: SluiceOptions,
): string {
  const { mode, poolSize, clientsMax, driver, isTrusting, tls, plugins } = options;
  const auth = isTrusting ? ", auth: { method: trust }" : "";
  const user = isTrusting ? ", user: postgres" : "";
  const encryption = tls === undefined
    ? ""
    : `, tls: { mode: require, certFile: "${tls.certFile}", keyFile: "${tls.keyFile}" }`;
  const sockets = driver === undefined ? "" : `, driver: ${driver}`;
  // With 1,000 clients on 10 servers nearly all of them wait.
  return `servers:
  default: { address: "${HOST}:${port}", clientsMax: ${clientsMax}${auth}${encryption} }
clients:
  default: { address: "${HOST}:${postgresPort}"${user}, tls: { mode: disable } }
pools:
  default: { mode: ${mode}, size: ${poolSize}, waitersMax: ${clientsMax} }
loggers:
  default: { level: warn }
metrics: { address: "${metrics}" }
runtime: { workers: ${options.workers}${sockets} }
${plugins === undefined ? "" : `plugins: ${plugins}\n`}`;
}
