/**
 * What a worker leaves behind that dies with a native driver's sockets in its hands, which Deno
 * does not know of.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import type { Address, TcpAddress } from "../src/base/address.ts";
import type { Config } from "../src/config/config.ts";
import { isSupported } from "../src/net/native/libc.ts";
import type { DriverKind } from "../src/net/net_thread.ts";
import type { LogRecord } from "../src/observe/log_record.ts";
import { ActMemory } from "../src/plugins/act_memory.ts";
import { PluginMemory } from "../src/plugins/plugin_memory.ts";
import { WorkerFleet } from "../src/worker_fleet.ts";
import {
  CLIENT_DEFAULTS,
  NO_PLUGINS,
  POOL_DEFAULTS,
  PROXY_DEFAULTS,
  SERVER_DEFAULTS,
} from "./support/configs.ts";
import { eventually, PATIENCE_MS, within } from "./support/wait.ts";
import "./support/opened_libc.ts";

const LISTEN: TcpAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };
const NOBODY: TcpAddress = { kind: "tcp", host: "127.0.0.1", port: 1 };

const CONFIG: Config = {
  servers: new Map([["main", { ...SERVER_DEFAULTS, address: LISTEN, proxies: ["main"] }]]),
  clients: new Map([["main", { ...CLIENT_DEFAULTS, address: NOBODY }]]),
  pools: new Map([["main", POOL_DEFAULTS]]),
  proxies: new Map([["main", { ...PROXY_DEFAULTS, client: "main", pool: "main" }]]),
  users: new Map(),
  act: { defaultPolicy: "passthrough", actionTimeoutMs: 5_000, policies: [] },
  plugins: NO_PLUGINS,
  loggers: new Map(),
  metrics: { enabled: false, address: LISTEN, path: "/metrics" },
  runtime: {
    workers: 1,
    driver: "epoll",
    shutdownTimeoutMs: 1_000,
    serverConnectionsMax: 0,
    controlSocket: "",
  },
};

/** Starts a fleet of one worker, and gives the thread, which nobody else is to get at. */
function startFleet(
  driver: DriverKind,
  log: LogRecord[],
): { readonly fleet: WorkerFleet; readonly threads: Worker[] } {
  const fleet = new WorkerFleet({
    config: CONFIG,
    driver,
    logLevel: "debug",
    log: { write: (record) => void log.push(record) },
    pluginMemory: new PluginMemory(() => {}),
    actMemory: new ActMemory(CONFIG.act),
    onFailure: () => {},
  });
  const threads: Worker[] = [];
  globalThis.Worker = new Proxy(globalThis.Worker, {
    construct(target, [url, options]: ConstructorParameters<typeof Worker>) {
      const thread = new target(url, options);
      threads.push(thread);
      return thread;
    },
  });
  return { fleet, threads };
}

async function connect(address: Address): Promise<Deno.Conn> {
  const { host, port } = address as TcpAddress;
  return await Deno.connect({ hostname: host, port });
}

for (const driver of ["epoll", "io_uring"] as const) {
  Deno.test({
    name: `A worker that dies closes its sockets, and another one listens in its place (${driver})`,
    ignore: !isSupported(),
    async fn() {
      const log: LogRecord[] = [];
      const has = (message: string) => log.some((record) => record.message === message);
      const RealWorker = globalThis.Worker;
      const { fleet, threads } = startFleet(driver, log);
      const conns: Deno.Conn[] = [];
      try {
        const address = (await fleet.start()).get("main")!;
        conns.push(await connect(address));
        await eventually("the client is there", () => has("client connected"));
        // No such command: the worker dies of it, as soon as it hears of it.
        threads[0]!.postMessage({ kind: "peer", worker: 9, port: null });
        await eventually("it dies", async () => {
          if (has("worker died")) return true;
          // Whoever comes while it dies is refused, or reset.
          await connect(address).then((conn) => conns.push(conn), () => {});
          return false;
        });
        for (const conn of conns) {
          const ended = conn.read(new Uint8Array(1)).catch(() => null);
          equal(await within(PATIENCE_MS, "the end of a connection", ended), null);
        }
        await eventually("another one is there", () => has("worker restarted"));
        const before = log.length;
        conns.push(await connect(address));
        await eventually(
          "it serves",
          () => log.slice(before).some(({ message }) => message === "client connected"),
        );
        ok(threads.length === 2);
      } finally {
        globalThis.Worker = RealWorker;
        for (const conn of conns) conn.close();
        fleet.stop();
      }
    },
  });
}
