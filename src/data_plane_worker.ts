/**
 * The Worker that runs one data plane. Nothing is decided here: messages in, calls out.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "./base/clock.ts";
import { messageOf } from "./base/errors.ts";
import { DataPlane } from "./data_plane.ts";
import type { PeerMessage, WorkerCommand, WorkerReport } from "./data_plane_messages.ts";
import { HookSwitch } from "./hooks/hook_switch.ts";
import { DenoDriver } from "./net/deno_driver.ts";

/** The global of a Worker, as far as it is used: the compiler is told of a window's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerCommand>) => void) | null;
  postMessage(report: WorkerReport): void;
}

const scope = globalThis as unknown as WorkerScope;
const peers = new Map<number, MessagePort>();
let dataPlane: DataPlane | undefined;

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
    case "drain":
      return drain();
    case "terminate":
      return dataPlane?.terminate();
  }
};

async function start({ snapshot }: Extract<WorkerCommand, { kind: "start" }>): Promise<void> {
  try {
    dataPlane = new DataPlane(snapshot, {
      driver: new DenoDriver(),
      clock: SYSTEM_CLOCK,
      wallClockMs: () => Date.now(),
      randomBytes: (size) => crypto.getRandomValues(new Uint8Array(size)),
      hooks: new HookSwitch(),
      sink: { write: (record) => scope.postMessage({ kind: "log", record }) },
      tellPeer,
    });
    scope.postMessage({ kind: "listening", addresses: await dataPlane.listen() });
  } catch (error) {
    scope.postMessage({ kind: "cannot_listen", message: messageOf(error) });
  }
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
  if (dataPlane === undefined) return scope.postMessage({ kind: "drained" });
  dataPlane.drain(() => scope.postMessage({ kind: "drained" }));
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
