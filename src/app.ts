/**
 * The composition root: turns a configuration into running parts, starts them in order and stops
 * them in reverse. The only place that knows all rooms.
 *
 * @module
 */

import { type Address, addressText, type TcpAddress } from "./base/address.ts";
import { type MetricsServer, startMetricsServer } from "./admin/metrics_server.ts";
import type { Config } from "./config/config.ts";
import { LINGER_MS } from "./net/socket.ts";
import type { Log } from "./observe/log.ts";
import type { LogLevel } from "./observe/log_record.ts";
import { GatewayMetrics } from "./observe/metrics.ts";
import { VERSION } from "./version.ts";
import { WorkerFleet } from "./worker_fleet.ts";

/** Sessions that were told to end have this long for their goodbyes, beyond a socket's own. */
const TERMINATE_GRACE_MS = LINGER_MS + 1_000;

/** A gateway that serves. */
export interface RunningGateway {
  /** Every listener's address as bound, by name. */
  readonly addresses: ReadonlyMap<string, Address>;
  /** Where metrics are, as bound; undefined when they are off. */
  readonly metricsAddress: TcpAddress | undefined;
  /** Rejects if the gateway cannot go on; never resolves. */
  readonly failure: Promise<never>;
  /**
   * Stops gracefully: nobody new, sessions may finish within `runtime.shutdownTimeout`, the rest is
   * told 57P01. Resolves when all is over.
   */
  stop(): Promise<void>;
  /** Stops without waiting for sessions: each is told 57P01. */
  abort(): Promise<void>;
}

/**
 * Starts a gateway.
 *
 * @throws {Error} If an address cannot be bound; whatever had started is stopped again.
 */
export async function startGateway(config: Config, log: Log): Promise<RunningGateway> {
  const { promise: failure, reject } = Promise.withResolvers<never>();
  failure.catch(() => {}); // whoever awaits it hears of it; nobody has to
  const fleet = new WorkerFleet({ config, logLevel: log.level, log, onFailure: reject });
  let metricsServer: MetricsServer | undefined;
  try {
    metricsServer = startMetrics(config, fleet, log);
    const addresses = await fleet.start();
    for (const [listener, address] of addresses) {
      write(log, "info", "listening", { listener, address: addressText(address) });
    }
    return {
      addresses,
      metricsAddress: metricsServer?.address,
      failure,
      stop: () => stop(config.runtime.shutdownTimeoutMs, fleet, metricsServer, log),
      abort: () => stop(0, fleet, metricsServer, log),
    };
  } catch (error) {
    fleet.stop();
    await metricsServer?.stop();
    throw error;
  }
}

function startMetrics(
  config: Config,
  fleet: WorkerFleet,
  log: Log,
): MetricsServer | undefined {
  const { enabled, address, path } = config.metrics;
  if (!enabled) return undefined;
  const metrics = new GatewayMetrics({
    layout: fleet.layout,
    workers: () => fleet.counters,
    workersRunning: () => fleet.runningCount,
    pools: config.pools,
    version: VERSION,
  });
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

async function stop(
  shutdownTimeoutMs: number,
  fleet: WorkerFleet,
  metricsServer: MetricsServer | undefined,
  log: Log,
): Promise<void> {
  write(log, "info", "shutting down", { shutdownTimeoutMs });
  const drained = fleet.drain();
  if (!await settlesWithin(drained, shutdownTimeoutMs)) {
    write(log, "warn", "shutdownTimeout is over: ending the sessions that are left", {});
    fleet.terminate();
    await settlesWithin(drained, TERMINATE_GRACE_MS);
  }
  fleet.stop();
  await metricsServer?.stop();
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
