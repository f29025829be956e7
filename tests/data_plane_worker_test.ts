import { deepEqual, equal, match } from "node:assert/strict";
import type { TcpAddress } from "../src/base/address.ts";
import type { HbaMethod, ServerConfig } from "../src/config/config.ts";
import type { DataPlaneSnapshot, WorkerCommand, WorkerReport } from "../src/data_plane_messages.ts";
import { actBuffer } from "../src/observe/act_cells.ts";
import { counterBuffer } from "../src/observe/counters.ts";
import { budgetBuffer } from "../src/pool/shared_budget.ts";
import { placesBuffer } from "../src/pool/shared_places.ts";
import { serverTableBuffer } from "../src/upstream/server_table.ts";
import {
  CLIENT_DEFAULTS,
  POOL_DEFAULTS,
  PROXY_DEFAULTS,
  SERVER_DEFAULTS,
  SNAPSHOT_DEFAULTS,
} from "./support/configs.ts";
import { startup } from "./support/messages.ts";
import { PATIENCE_MS, within } from "./support/wait.ts";

const NAMES = ["one", "two"];

/** A listener with one rule, and one user's secret. */
function server(method: HbaMethod, secret = "hunter2"): ServerConfig {
  const options = { map: "", clientCertificate: undefined };
  const all = { databases: ["all"], users: ["all"], address: undefined };
  const rules = [{ type: "host", ...all, method, options }] as const;
  const users = new Map([["ann", secret]]);
  return {
    ...SERVER_DEFAULTS,
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    proxies: ["main"],
    auth: { ...SERVER_DEFAULTS.auth, method: "rules", rules, usersFile: "users", users },
  };
}

function snapshotOf(one: ServerConfig, two: ServerConfig): DataPlaneSnapshot {
  const layout = { listeners: NAMES, pools: ["main"] };
  const address: TcpAddress = { kind: "tcp", host: "127.0.0.1", port: 1 };
  return {
    worker: 0,
    workers: 1,
    ...SNAPSHOT_DEFAULTS,
    generation: 0,
    servers: new Map([["one", one], ["two", two]]),
    clients: new Map([["main", { ...CLIENT_DEFAULTS, address }]]),
    proxies: new Map([["main", { ...PROXY_DEFAULTS, client: "main", pool: "main" }]]),
    pools: new Map([["main", { config: POOL_DEFAULTS, budget: budgetBuffer(1, 0, 1) }]]),
    places: placesBuffer(1),
    serverTable: serverTableBuffer(1, 1),
    serverConnectionsMax: 0,
    schemaGeneration: new SharedArrayBuffer(4),
    clientBudgets: new Map(NAMES.map((name) => [name, budgetBuffer(10, 0, 1)])),
    layout,
    counters: counterBuffer(layout),
    logLevel: "off",
    logRecordsPerSecondMax: 1,
    actCells: actBuffer(4),
  };
}

/** A worker as the fleet runs it. */
class Fixture implements Disposable {
  readonly #worker = new Worker(new URL("../src/data_plane_worker.ts", import.meta.url), {
    type: "module",
  });

  /** Tells it something, and waits for what it reports. */
  async tell(command: WorkerCommand): Promise<WorkerReport> {
    const { promise, resolve, reject } = Promise.withResolvers<WorkerReport>();
    this.#worker.onmessage = ({ data }) => resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`the worker died: ${event.message}`));
    };
    this.#worker.postMessage(command);
    return await within(PATIENCE_MS, `the worker answers "${command.kind}"`, promise);
  }

  /** Tells it that files have changed. @returns What is wrong with them. */
  async refresh(round: number, one: ServerConfig, two: ServerConfig): Promise<string | undefined> {
    const servers = new Map([["one", one], ["two", two]]);
    const { clients } = snapshotOf(one, two);
    const pools = new Map([["main", POOL_DEFAULTS]]);
    const report = await this.tell({ kind: "refresh", round, servers, clients, pools });
    if (report.kind !== "refreshed") throw new Error(`it reports ${JSON.stringify(report)}`);
    equal(report.round, round);
    return report.problem;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** The first message that a client hears: "R" asks for its password, "E" refuses it. */
async function answerAt({ port }: TcpAddress): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(startup({ user: "ann" }));
  const answer = new Uint8Array(1);
  await within(PATIENCE_MS, "the gateway answers", connection.read(answer));
  return String.fromCharCode(...answer);
}

Deno.test("A worker that cannot use changed files says so, and keeps all that it had", async () => {
  using worker = new Fixture();
  const [asks, refuses] = [server("password"), server("reject")];
  const report = await worker.tell({ kind: "start", snapshot: snapshotOf(asks, asks) });
  if (report.kind !== "listening") throw new Error(`it reports ${JSON.stringify(report)}`);
  const answers = () =>
    Promise.all(NAMES.map((name) => answerAt(report.addresses.get(name) as TcpAddress)));
  deepEqual(await answers(), ["R", "R"]);
  // The first listener's files are fine, but what belongs together changes together.
  const problem = await worker.refresh(1, refuses, server("reject", "SCRAM-SHA-256$hunter2"));
  match(problem ?? "", /^Cannot use users: user "ann": invalid SCRAM secret: (?!.*hunter2)/);
  deepEqual(await answers(), ["R", "R"]);
  equal(await worker.refresh(2, asks, refuses), undefined);
  deepEqual(await answers(), ["R", "E"]);
});

Deno.test("A worker that cannot use the files it starts with says so", async () => {
  using worker = new Fixture();
  const broken = server("password", "SCRAM-SHA-256$hunter2");
  const snapshot = snapshotOf(server("password"), broken);
  const report = await worker.tell({ kind: "start", snapshot });
  if (report.kind !== "cannot_listen") throw new Error(`it reports ${JSON.stringify(report)}`);
  match(report.message, /^Cannot use users: user "ann": /);
});
