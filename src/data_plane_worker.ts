/**
 * The Worker that runs one data plane. Nothing is decided here: messages in, calls out.
 *
 * @module
 */

import { type Conditions, parseConditions } from "./balancing_rules.ts";
import { messageOf } from "./base/errors.ts";
import { RandomStore } from "./base/random_store.ts";
import { wallClockBy } from "./base/wall_clock.ts";
import { DataPlane } from "./data_plane.ts";
import type {
  DataPlaneSnapshot,
  PeerMessage,
  WorkerCommand,
  WorkerPlugin,
  WorkerReport,
} from "./data_plane_messages.ts";
import { libC } from "./net/native/libc.ts";
import { Waker } from "./net/native/thread_memory.ts";
import type { Classifiers } from "./server_routing.ts";
import type { StatementClassifier } from "./postgres/routing/statement_classifier.ts";
import { type NetThread, openNetThread } from "./net/net_thread.ts";
import type { LogRecord } from "./observe/log_record.ts";
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
let net: NetThread | undefined;
/** Messages of the control plane and of other workers. */
let received = 0;
let waker: Waker | undefined;
let plugins: PluginPlane | undefined;
let signals: PluginSignals | undefined;

scope.onmessage = ({ data: command }) => {
  received += 1;
  obey(command);
};

function obey(command: WorkerCommand): void {
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
      return usePlugins(command.round);
    case "drop_plugins":
      return plugins?.drop(command.round);
    case "drain":
      return drain();
    case "terminate":
      return dataPlane?.terminate();
  }
}

const random = new RandomStore();

async function start({ snapshot }: Extract<WorkerCommand, { kind: "start" }>): Promise<void> {
  try {
    net = openNetThread(snapshot.driver, snapshot.threads, snapshot.worker, () => received);
    waker = new Waker(snapshot.threads, libC);
    plugins = makePlugins(snapshot, net);
    dataPlane = new DataPlane(snapshot, {
      driver: net.driver,
      clock: net.clock,
      wallClockMs: wallClockBy(net.clock),
      randomBytes: (size) => random.take(size),
      hooks: snapshot.arePluginsEnabled ? plugins.hooks : undefined,
      sink: { write: (record) => scope.postMessage({ kind: "log", record }) },
      tellPeer,
      classifiers: await classifiersFor(snapshot),
      conditions: await conditionsFor(snapshot),
      onServerDoubted: (member) => scope.postMessage({ kind: "server_doubted", member }),
    });
    await startPlugins(snapshot, dataPlane, plugins);
    scope.postMessage({ kind: "listening", addresses: await dataPlane.listen() });
    net.serve(die);
  } catch (error) {
    scope.postMessage({ kind: "cannot_listen", message: messageOf(error) });
  }
}

/** The parser is loaded where somebody splits reads from writes. */
async function classifiersFor({ servers }: DataPlaneSnapshot): Promise<Classifiers> {
  const classifiers = new Map<string, StatementClassifier>();
  for (const [name, { routing }] of servers) {
    if (!routing.readWriteSplit) continue;
    const { StatementClassifier } = await import("./postgres/routing/statement_classifier.ts");
    const readFunctions = new Set(routing.readFunctions);
    const needsTables = routing.causality === "table";
    classifiers.set(name, await StatementClassifier.load({ readFunctions, needsTables }));
  }
  return classifiers;
}

function conditionsFor({ servers }: DataPlaneSnapshot): Promise<Conditions> {
  return parseConditions([...servers.values()].flatMap(({ routing }) => routing.rules));
}

/** Makes plugins of this worker. */
type PluginMaker = (given: WorkerPlugin) => Promise<LivePlugin>;

/** What ends the loop ends the worker, and another one takes its place. */
function die(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

function makePlugins(snapshot: DataPlaneSnapshot, net: NetThread): PluginPlane {
  const texts = new TextAnalysis();
  let maker: Promise<PluginMaker> | undefined;
  return new PluginPlane({
    clock: net.clock,
    create: async (given) => (await (maker ??= loadMaker(snapshot, texts, net)))(given),
    provide: (permissions) => texts.provide(permissions),
  });
}

/** The host of plugins is a third of what a worker loads: it comes with the first plugin. */
async function loadMaker(
  { worker, act, actCells }: DataPlaneSnapshot,
  texts: TextAnalysis,
  { clock, fetch }: NetThread,
): Promise<PluginMaker> {
  const { createPlugin } = await import("./plugins/plugin_factory.ts");
  const { pluginSignals } = await import("./plugins/plugin_signals.ts");
  const log = { write: (record: LogRecord) => dataPlane?.log.write(record) };
  signals = pluginSignals(act, actCells, { log, clock, fetch });
  const thread: PluginThread = {
    worker,
    clock,
    fetch,
    wallMs: wallClockBy(clock),
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
    await net?.background(plugins?.prepare(round, given) ?? Promise.resolve());
  } catch (error) {
    problem = messageOf(error);
  }
  scope.postMessage({ kind: "plugins_ready", round, problem });
}

function usePlugins(round: number): void {
  if (plugins?.use(round) === true) scope.postMessage({ kind: "plugins_used", round });
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
    received += 1;
    dataPlane?.onPeerMessage(worker, event.data);
  };
}

function tellPeer(worker: number, message: PeerMessage): boolean {
  const port = peers.get(worker);
  port?.postMessage(message);
  waker?.onSent(worker);
  return port !== undefined;
}
