/**
 * A worker for tests of the fleet. It serves nobody: it takes a place in the pool and waits for
 * another one, counts a client, and says in log records what it is told. The name of the first
 * listener is its script, words with "-" between them:
 *
 * - `dies` and a number: worker 0 dies so many times, each time after all workers have started
 * - `early`: it dies before it listens
 * - `refuse`: the last worker cannot listen
 * - `failing` and a number: of worker 0, the first so many replacements cannot listen
 * - `stillborn` and a number: the same, but they die before they listen
 * - `stubborn`: it cannot use changed files, or plugins, but for worker 0
 * - `dying`: worker 0 dies of changed files, and of plugins when it is to use them
 * - `silent`: it drains only when it is terminated
 * - `fragile`: worker 0 dies when it is told to drain
 *
 * @module
 */

import type {
  DataPlaneSnapshot,
  WorkerCommand,
  WorkerPlugin,
  WorkerReport,
} from "../../src/data_plane_messages.ts";
import { LISTENER_CELL, WorkerCounters } from "../../src/observe/counters.ts";
import { SharedBudget } from "../../src/pool/shared_budget.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerCommand>) => void) | null;
  postMessage(report: WorkerReport): void;
}

const scope = globalThis as unknown as WorkerScope;
const ports: MessagePort[] = [];
let script: readonly string[] = [];
let isFirst = false;
let isLast = false;
let isDoomed = false;
let hasHeardLast = false;

scope.onmessage = ({ data: command }) => {
  switch (command.kind) {
    case "start":
      return start(command.snapshot);
    case "peer":
      ports.push(command.port);
      command.port.onmessage = onLastStarted;
      return greet();
    case "turn":
      return note("turn", { pool: command.pool, ticket: command.ticket });
    case "refresh":
      return refresh(command);
    case "plugins": {
      const { round, plugins } = command;
      note("plugins", { names: namesOf(plugins) });
      const problem = script.includes("stubborn") && !isFirst ? "it does not start" : undefined;
      return scope.postMessage({ kind: "plugins_ready", round, problem });
    }
    case "use_plugins":
      if (script.includes("dying") && isFirst) throw new Error("died as told");
      note("use_plugins", { round: command.round });
      return scope.postMessage({ kind: "plugins_used", round: command.round });
    case "drop_plugins":
      return note("drop_plugins", { round: command.round });
    case "drain":
      note("drain", {});
      if (script.includes("fragile") && isFirst) throw new Error("died as told");
      if (!script.includes("silent")) scope.postMessage({ kind: "drained" });
      return;
    case "terminate":
      note("terminate", {});
      return scope.postMessage({ kind: "drained" });
  }
};

function start(snapshot: DataPlaneSnapshot): void {
  const { worker, workers, generation, servers, pools, counters, layout } = snapshot;
  const name = layout.listeners[0]!;
  script = name.split("-");
  isFirst = worker === 0;
  isLast = worker === workers - 1;
  if (script.includes("early")) throw new Error("died early");
  const isReplaced = isFirst && generation > 0;
  if (isReplaced && generation <= number("stillborn")) throw new Error("died again");
  const isRefused = script.includes("refuse") && isLast;
  if (isRefused || isReplaced && generation <= number("failing")) {
    return scope.postMessage({ kind: "cannot_listen", message: "the port is taken" });
  }
  const cells = new WorkerCounters(layout, counters).listener(name);
  cells.add(LISTENER_CELL.clientsActive, 1);
  cells.add(LISTENER_CELL.clientsAccepted, 1);
  const budget = new SharedBudget(pools.get("main")!.budget, worker, workers);
  const admissions = [budget.acquire(1), budget.acquire(2)].join();
  const [tcp] = [...servers.values()].map(({ address }) => address);
  note("started", {
    worker,
    generation,
    admissions,
    servers: [...servers.keys()].join(),
    pools: [...pools.keys()].join(),
    port: tcp?.kind === "tcp" ? tcp.port : -1,
  });
  const deaths = number("dies");
  if (snapshot.plugins.length > 0) note("has plugins", { names: namesOf(snapshot.plugins) });
  isDoomed = worker === 0 && cells.get(LISTENER_CELL.clientsAccepted) <= deaths;
  scope.postMessage({
    kind: "listening",
    addresses: new Map([...servers].map(([server, { address }]) => [
      server,
      address.kind === "tcp" ? { ...address, port: 7_000 } : address,
    ])),
  });
  greet();
  if (hasHeardLast) onLastStarted();
}

function refresh({ round, pools }: Extract<WorkerCommand, { kind: "refresh" }>): void {
  note("refresh", { pools: [...pools.keys()].join() });
  if (script.includes("dying") && isFirst) throw new Error("died as told");
  const problem = script.includes("stubborn") && !isFirst ? "it is not to be used" : undefined;
  scope.postMessage({ kind: "refreshed", round, problem });
}

function namesOf(plugins: readonly WorkerPlugin[]): string {
  return plugins.map(({ spec }) => spec.name).join();
}

/** The number behind a word of the script; 0 if the word is not in it. */
function number(word: string): number {
  const found = script.find((one) => one.startsWith(word));
  return Number(found?.slice(word.length) ?? 0);
}

/** The last worker tells the others that all have started. */
function greet(): void {
  if (isLast) { for (const port of ports) port.postMessage("started"); }
}

function onLastStarted(): void {
  hasHeardLast = true;
  if (isDoomed) throw new Error("died as told");
}

function note(message: string, fields: Readonly<Record<string, string | number>>): void {
  scope.postMessage({ kind: "log", record: { level: "info", message, fields, timeMs: 0 } });
}
