/**
 * The composition root: turns a configuration into running parts, starts them in order and stops
 * them in reverse. The only place that knows all rooms.
 *
 * @module
 */

import { type Address, addressText, type TcpAddress } from "./base/address.ts";
import { type MetricsServer, startMetricsServer } from "./admin/metrics_server.ts";
import type { Config } from "./config/config.ts";
import type { Replacement } from "./config/replacements.ts";
import { assertCanListen } from "./net/deno_driver.ts";
import { LINGER_MS } from "./net/socket.ts";
import type { ShownCertificate } from "./observe/certificate_expiry.ts";
import type { Log } from "./observe/log.ts";
import type { LogLevel } from "./observe/log_record.ts";
import { GatewayMetrics } from "./observe/metrics.ts";
import { type DryRun, tryFiles } from "./dry_run.ts";
import { FileRefresh } from "./file_refresh.ts";
import { HealthControl } from "./health/health_control.ts";
import { OperatorControl } from "./operator/operator_control.ts";
import { PluginControl } from "./plugins/plugin_control.ts";
import { shownCertificates } from "./shown_certificates.ts";
import { VERSION } from "./version.ts";
import { chooseDriver } from "./net/choose_driver.ts";
import type { DriverKind } from "./net/net_thread.ts";
import { WorkerFleet } from "./worker_fleet.ts";

/** Sessions that were told to end have this long for their goodbyes, beyond a socket's own. */
const TERMINATE_GRACE_MS = LINGER_MS + 1_000;

/** Servers that cannot be asked within this time are found out about later. */
const FIRST_ROUND_MS_MAX = 2_000;

/** A gateway that serves. */
export interface RunningGateway {
  /** Every listener's address as bound, by name. */
  readonly addresses: ReadonlyMap<string, Address>;
  /** Where metrics are, as bound; undefined when they are off. */
  readonly metricsAddress: TcpAddress | undefined;
  /** Rejects if the gateway cannot go on; never resolves. */
  readonly failure: Promise<never>;
  /** Looks at once whether files that the configuration names, or plugins, have changed. */
  refreshFiles(): void;
  /** What an operator tells all groups of servers to do; what comes of it is logged. */
  operate(verb: "pause" | "resume"): void;
  /** Tells plugins of a signal that the process got. */
  onSignal(name: Deno.Signal): void;
  /**
   * Stops gracefully: nobody new, sessions may finish within `runtime.shutdownTimeout`, the rest is
   * told 57P01. Resolves when all is over.
   */
  stop(): Promise<void>;
  /** Stops without waiting for sessions: each is told 57P01. */
  abort(): Promise<void>;
}

/** Where a configuration comes from. */
export interface ConfigOrigin {
  /** The configuration as JSON, without secrets: what plugins are told. */
  readonly json: string;
  /**
   * Reads the files that it names again; the configuration's own text stays as it was found.
   *
   * @param replacements What plugins say instead of it.
   * @throws {Error} If it cannot be used; it says all that is wrong.
   */
  load(replacements: readonly Replacement[]): Config;
}

/**
 * Starts a gateway.
 *
 * @param origin Where `config` is from; one that never changes if left out.
 * @param tried What came of trying its files, for who has done that before.
 * @throws {Error} If a file cannot be used, or an address cannot be bound; whatever had started is
 * stopped again.
 */
export async function startGateway(
  config: Config,
  log: Log,
  origin: ConfigOrigin = { json: "{}", load: () => config },
  tried: DryRun = tryFiles(config),
): Promise<RunningGateway> {
  assertUsable(tried, log);
  const plugins = new PluginControl(config, log);
  try {
    await plugins.start();
    const replacements = plugins.configure(origin.json);
    let final = config;
    if (replacements.length > 0) {
      final = origin.load(replacements);
      assertUsable(tryFiles(final), log);
    }
    return await startParts(final, () => origin.load(replacements), plugins, log);
  } catch (error) {
    plugins.close();
    throw error;
  }
}

/** @throws {Error} As {@linkcode startGateway}; the plugins are left to it. */
async function startParts(
  config: Config,
  reload: () => Config,
  plugins: PluginControl,
  log: Log,
): Promise<RunningGateway> {
  const { promise: failure, reject } = Promise.withResolvers<never>();
  failure.catch(() => {}); // whoever awaits it hears of it; nobody has to
  let current = config;
  const { memory: pluginMemory, actMemory } = plugins;
  const { driver, reason } = await chooseDriver(config.runtime.driver, config.runtime.workers);
  const fleet = new WorkerFleet({
    config,
    driver,
    logLevel: log.level,
    log,
    pluginMemory,
    actMemory,
    onServerDoubted: (member) => health.onFailureReported(member),
    onFailure: reject,
  });
  const health = new HealthControl({ config, table: fleet.serverTable, log });
  const operators = new OperatorControl(config, fleet.serverTable, health, log);
  const apply = async (changed: Config) => {
    assertUsable(tryFiles(changed), log);
    await fleet.refresh(changed);
    health.refresh(changed);
    current = changed;
  };
  // From before the workers start: what changes while they do must not be missed.
  const refresh = watchFiles(config, reload, apply, log);
  let metricsServer: MetricsServer | undefined;
  try {
    const certificates = () => shownCertificates(current);
    metricsServer = startMetrics(config, driver, certificates, { fleet, health, plugins, log });
    await plugins.attach((all) => fleet.publishPlugins(all));
    announce(config, plugins);
    await assertAddressesAreFree(config);
    write(log, "info", "driver chosen", { driver, reason });
    health.start();
    // Who is the primary is to be known when the first clients come, if it can be known soon.
    await health.waitForFirstRound(FIRST_ROUND_MS_MAX);
    await operators.open();
    const addresses = await startWorkers(fleet, plugins, log);
    refresh.start();
    plugins.watch();
    const parts = { fleet, health, metricsServer, operators, refresh, plugins, log };
    return {
      addresses,
      metricsAddress: metricsServer?.address,
      failure,
      refreshFiles() {
        refresh.check();
        plugins.check();
      },
      operate: (verb) => operators.operator.runForAll(verb),
      onSignal: (name) => plugins.call("onSignal", name),
      stop: () => stop(config.runtime.shutdownTimeoutMs, parts),
      abort: () => stop(0, parts),
    };
  } catch (error) {
    fleet.stop();
    await health.stop();
    await metricsServer?.stop();
    await operators.stop();
    throw error;
  }
}

/** @throws {Error} If an address cannot be bound. */
async function startWorkers(
  fleet: WorkerFleet,
  plugins: PluginControl,
  log: Log,
): Promise<ReadonlyMap<string, Address>> {
  const addresses = await fleet.start();
  for (const [listener, address] of addresses) {
    plugins.call("onBooted", listener);
    write(log, "info", "listening", { listener, address: addressText(address) });
  }
  return addresses;
}

/** Tells plugins what there is and what comes, in the order of a start. */
function announce({ loggers, pools, clients, proxies, servers }: Config, plugins: PluginControl) {
  for (const name of loggers.keys()) plugins.call("onNewLogger", name);
  for (const name of pools.keys()) plugins.call("onNewPool", name);
  for (const name of clients.keys()) plugins.call("onNewClient", name);
  for (const name of proxies.keys()) plugins.call("onNewProxy", name);
  for (const name of servers.keys()) plugins.call("onNewServer", name);
  plugins.call("onRun");
  for (const name of servers.keys()) plugins.call("onBooting", name);
}

/**
 * Workers share ports by SO_REUSEPORT: another gateway that does the same would silently get half
 * of the clients. And a worker knows no keys, so that its error could not name the one to change.
 *
 * @throws {Error} If an address cannot be listened on.
 */
async function assertAddressesAreFree({ servers }: Config): Promise<void> {
  const addresses = [...servers].map(([name, { address }]) =>
    [`servers.${name}.address`, address] as const
  );
  await assertCanListen(new Map(addresses));
}

function startMetrics(
  config: Config,
  driver: DriverKind,
  certificates: () => readonly ShownCertificate[],
  { fleet, health, plugins, log }: Pick<RunningParts, "fleet" | "health" | "plugins" | "log">,
): MetricsServer | undefined {
  const { enabled, address, path } = config.metrics;
  if (!enabled) return undefined;
  const options = {
    layout: fleet.layout,
    workers: () => fleet.counters,
    workersRunning: () => fleet.runningCount,
    pools: config.pools,
    version: VERSION,
    driver,
    certificates,
    servers: () => health.readings(),
    plugins: () => plugins.readings(),
    pluginLife: () => plugins.life(),
    act: { policies: plugins.actMemory.policies, workers: () => plugins.actMemory.cells() },
  };
  const metrics = new GatewayMetrics(options, plugins.series);
  const server = startMetricsServer({
    address,
    path,
    text: () => metrics.text(),
    contentType: metrics.contentType,
    onError: (error) => write(log, "error", "cannot collect metrics", { error: String(error) }),
  });
  write(log, "info", "metrics", { address: addressText(server.address), path });
  return server;
}

/** @throws {Error} If something cannot be used; it names each file. */
function assertUsable({ problems, warnings }: DryRun, log: Log): void {
  for (const { message: warning } of warnings) write(log, "warn", "TLS", { warning });
  if (problems.length === 0) return;
  throw new Error([...new Set(problems.map(({ message }) => message))].join("; "));
}

function watchFiles(
  config: Config,
  reload: () => Config,
  apply: (changed: Config) => Promise<void>,
  log: Log,
): FileRefresh {
  return new FileRefresh({
    config,
    reload,
    apply,
    onRefreshed: () => write(log, "info", "files read again", {}),
    onFailed: (error) => write(log, "error", "cannot use changed files", { error }),
  });
}

/** What runs, and is to be stopped. */
interface RunningParts {
  readonly fleet: WorkerFleet;
  readonly health: HealthControl;
  readonly metricsServer: MetricsServer | undefined;
  readonly operators: OperatorControl;
  readonly refresh: FileRefresh;
  readonly plugins: PluginControl;
  readonly log: Log;
}

async function stop(
  shutdownTimeoutMs: number,
  { fleet, health, metricsServer, operators, refresh, plugins, log }: RunningParts,
): Promise<void> {
  refresh.stop();
  plugins.call("onShutdown");
  plugins.stop();
  write(log, "info", "shutting down", { shutdownTimeoutMs });
  const drained = fleet.drain();
  if (!await settlesWithin(drained, shutdownTimeoutMs)) {
    write(log, "warn", "shutdownTimeout is over: ending the sessions that are left", {});
    fleet.terminate();
    await settlesWithin(drained, TERMINATE_GRACE_MS);
  }
  fleet.stop();
  await health.stop();
  plugins.close();
  await metricsServer?.stop();
  await operators.stop();
  write(log, "info", "stopped", {});
}

async function settlesWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const { promise: expired, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  const isInTime = await Promise.race([promise.then(() => true as const), expired]);
  clearTimeout(timer);
  return isInTime;
}

function write(
  log: Log,
  level: LogLevel,
  message: string,
  fields: Record<string, string | number>,
): void {
  log.write({ level, message, fields, timeMs: Date.now() });
}
