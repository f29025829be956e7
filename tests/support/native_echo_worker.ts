/**
 * A worker that waits in the kernel, and says again what it is told.
 *
 * @module
 */

import type { ThreadMemory } from "../../src/net/native/thread_memory.ts";
import { type DriverKind, openNetThread } from "../../src/net/net_thread.ts";

/** What the worker is told first. */
export interface EchoWorkerOrder {
  readonly driver: DriverKind;
  readonly memory: ThreadMemory;
}

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(data: unknown): void;
};

scope.onmessage = ({ data: { driver, memory } }: MessageEvent<EchoWorkerOrder>) => {
  let received = 0;
  const net = openNetThread(driver, memory, 0, () => received);
  scope.onmessage = ({ data }) => {
    received += 1;
    scope.postMessage(data);
  };
  net.serve((error) => {
    throw error;
  });
  scope.postMessage("ready");
};
