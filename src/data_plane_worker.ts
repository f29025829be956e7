/**
 * The Worker that runs one data plane. Nothing is decided here: messages in, calls out.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "./base/clock.ts";
import { messageOf } from "./base/errors.ts";
import { DataPlane } from "./data_plane.ts";
import type {
  DataPlaneSnapshot,
  PeerMessage,
  WorkerCommand,
  WorkerPlugin,
  WorkerReport,
} from "./data_plane_messages.ts";
import { DenoDriver } from "./net/deno_driver.ts";
import type { PluginThread } from "./plugins/plugin_factory.ts";
import { type LivePlugin, PluginPlane } from "./plugins/plugin_plane.ts";
import type { PluginSignals } from "./plugins/plugin_signals.ts";
import { TextAnalysis } from "./text_analysis.ts";

/** The global of a Worker, as far as it is used: the compiler is told of a window's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerCommand>) => void) | null;
  postMessage(report: WorkerReport): void;
}

const scope = globalThis as unknown as WorkerScope;
const peers = new Map<number, MessagePort>();
let dataPlane: DataPlane | undefined;
let plugins: PluginPlane | undefined;
let signals: PluginSignals | undefined;

scope.onmessage = ({ data: command }) => {
  switch (command.kind) {
    case "start":
      return void start(command);
    case "peer":
      return addPeer(command.worker, command.port);
    case "turn":
      return dataPlane?.onPeerMessage(-1, command);
    case "refresh":
      return refresh(command);
    case "plugins":
      return void preparePlugins(command);
    case "use_plugins":
      return plugins?.use(command.round);
    case "drop_plugins":
      return plugins?.drop(command.round);
    case "drain":
      return drain();
    case "terminate":
      return dataPlane?.terminate();
  }
};

async function start({ snapshot }: Extract<WorkerCommand, { kind: "start" }>): Promise<void> {
  try {
    plugins = makePlugins(snapshot);
    dataPlane = new DataPlane(snapshot, {
      driver: new DenoDriver(),
      clock: SYSTEM_CLOCK,
      wallClockMs: () => Date.now(),
      randomBytes: (size) => crypto.getRandomValues(new Uint8Array(size)),
      hooks: snapshot.arePluginsEnabled ? plugins.hooks : undefined,
      sink: { write: (record) => scope.postMessage({ kind: "log", record }) },
      tellPeer,
    });
    await startPlugins(snapshot, dataPlane, plugins);
    scope.postMessage({ kind: "listening", addresses: await dataPlane.listen() });
  } catch (error) {
    scope.postMessage({ kind: "cannot_listen", message: messageOf(error) });
  }
}

/** Makes plugins of this worker. */
type PluginMaker = (given: WorkerPlugin) => Promise<LivePlugin>;

function makePlugins(snapshot: DataPlaneSnapshot): PluginPlane {
  const texts = new TextAnalysis();
  let maker: Promise<PluginMaker> | undefined;
  return new PluginPlane({
    clock: SYSTEM_CLOCK,
    create: async (given) => (await (maker ??= loadMaker(snapshot, texts)))(given),
    provide: (permissions) => texts.provide(permissions),
  });
}

/** The host of plugins is a third of what a worker loads: it comes with the first plugin. */
async function loadMaker(
  { worker, act, actCells }: DataPlaneSnapshot,
  texts: TextAnalysis,
): Promise<PluginMaker> {
  const { createPlugin } = await import("./plugins/plugin_factory.ts");
  const { pluginSignals } = await import("./plugins/plugin_signals.ts");
  signals = pluginSignals(act, actCells, { write: (record) => dataPlane?.log.write(record) });
  const thread: PluginThread = {
    worker,
    clock: SYSTEM_CLOCK,
    wallMs: () => Date.now(),
    emit: (fact) => dataPlane?.observer.emit(fact),
    signals,
    analyse: texts.analyse,
    onSeries: (plugin, generation, series) =>
      scope.postMessage({ kind: "plugin_series", plugin, generation, series }),
  };
  return (given) => createPlugin(given, thread);
}

/** @throws {Error} If a plugin does not start without which traffic is to be refused. */
async function startPlugins(
  { plugins: given, tickIntervalMs, arePluginsEnabled }: DataPlaneSnapshot,
  { observer }: DataPlane,
  plane: PluginPlane,
): Promise<void> {
  for (const [plugin, message] of await plane.start(given)) {
    observer.emit({ kind: "plugin_switched_off", plugin, message });
  }
  if (arePluginsEnabled) plane.tick(tickIntervalMs, () => dataPlane?.sessionCount ?? 0);
}

async function preparePlugins(
  { round, plugins: given }: Extract<WorkerCommand, { kind: "plugins" }>,
): Promise<void> {
  let problem: string | undefined;
  try {
    await plugins?.prepare(round, given);
  } catch (error) {
    problem = messageOf(error);
  }
  scope.postMessage({ kind: "plugins_ready", round, problem });
}

/** What cannot be used must not end those who are served: this worker goes on as it was. */
function refresh({ round, ...files }: Extract<WorkerCommand, { kind: "refresh" }>): void {
  let problem: string | undefined;
  try {
    dataPlane?.refresh(files.servers, files.clients, files.pools);
  } catch (error) {
    problem = messageOf(error);
  }
  scope.postMessage({ kind: "refreshed", round, problem });
}

function drain(): void {
  plugins?.stopTicking();
  if (dataPlane === undefined) return scope.postMessage({ kind: "drained" });
  dataPlane.drain(() => {
    signals?.close();
    scope.postMessage({ kind: "drained" });
  });
}

/** A worker that was restarted comes with a new port, which takes the place of the old one. */
function addPeer(worker: number, port: MessagePort): void {
  peers.get(worker)?.close();
  peers.set(worker, port);
  port.onmessage = (event: MessageEvent<PeerMessage>) => {
    dataPlane?.onPeerMessage(worker, event.data);
  };
}

function tellPeer(worker: number, message: PeerMessage): boolean {
  const port = peers.get(worker);
  port?.postMessage(message);
  return port !== undefined;
}
