/**
 * Clients that log in and then wait: what a proxy keeps for each of them is its cost.
 *
 * @module
 */

import { ProtocolClient } from "../tests/support/protocol_client.ts";
import { type Contestant, HOST, pause } from "./peers/running_proxy.ts";
import { memoryBytes } from "./process_usage.ts";

/** Logins at the same time: more would overflow the queue of connections not accepted yet. */
const LOGINS_MAX = 50;

/** Before the count, so that what is allocated once is not counted for each client. */
const FIRST_CLIENTS = 100;

/**
 * What was only needed for logins is given back by then: a JavaScript engine with nothing to do
 * collects its garbage after some ten seconds, and halves what an idle client costs Sluice.
 */
const SETTLING_MS = 15_000;
const SETTLING_STEP_MS = 250;

/** Files that this process and a proxy need besides a connection for each client. */
const SPARE_FILES = 500;

/** What idle clients cost. */
export interface IdleCost {
  readonly bytesPerClient: number;
  /** With all clients. */
  readonly memoryMiB: number;
}

/**
 * Why so many clients cannot be had here; undefined if they can.
 *
 * @param limits The text of /proc/self/limits.
 * @param portRange That of /proc/sys/net/ipv4/ip_local_port_range.
 */
export function obstacleTo(
  clients: number,
  limits: string,
  portRange: string,
): string | undefined {
  const files = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  const needed = clients + SPARE_FILES;
  if (files !== undefined && files !== "unlimited" && Number(files) < needed) {
    return `${clients} idle clients need ulimit -n ${needed}, and it is ${files}`;
  }
  const [low = 0, high = 0] = portRange.trim().split(/\s+/).map(Number);
  if (high - low < needed) {
    return `${clients} idle clients need as many local ports, and net.ipv4.ip_local_port_range ` +
      `has ${high - low}`;
  }
  return undefined;
}

/**
 * Opens clients, and says by how much the proxy's memory has grown for each.
 *
 * @throws {Error} If they cannot be had on this machine, or the proxy refuses one.
 */
export async function measureIdle(
  { port, processIds }: Contestant,
  clients: number,
  signal: AbortSignal,
): Promise<IdleCost> {
  const obstacle = obstacleTo(
    clients,
    Deno.readTextFileSync("/proc/self/limits"),
    Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range"),
  );
  if (obstacle !== undefined) throw new Error(obstacle);
  using opened = new DisposableStack();
  await logIn(opened, port, FIRST_CLIENTS, signal);
  await settle(signal);
  const before = memoryBytes(processIds);
  await logIn(opened, port, clients, signal);
  await settle(signal);
  const after = memoryBytes(processIds);
  return { bytesPerClient: (after - before) / clients, memoryMiB: after / 2 ** 20 };
}

async function logIn(
  opened: DisposableStack,
  port: number,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const target = { host: HOST, port, user: "postgres", password: "", database: "postgres" };
  let left = count;
  const one = async () => {
    while (left > 0 && !signal.aborted) {
      left -= 1;
      opened.use(await ProtocolClient.logIn(target));
    }
  };
  const oneUntilFailure = () =>
    one().catch((error) => {
      left = 0;
      throw error;
    });
  // All of them, also after one has failed: what is still opening must be closed, too.
  const results = await Promise.allSettled(Array.from({ length: LOGINS_MAX }, oneUntilFailure));
  for (const result of results) if (result.status === "rejected") throw result.reason;
  signal.throwIfAborted();
}

/** Waits, but not when the user has interrupted. */
async function settle(signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + SETTLING_MS;
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    await pause(SETTLING_STEP_MS);
  }
}
