/**
 * The threads of a fleet's workers: how they are told something and ended, whichever driver they
 * wait in.
 *
 * @module
 */

import type { WorkerCommand } from "./data_plane_messages.ts";
import { libC } from "./net/native/libc.ts";
import {
  closeDescriptors,
  type ThreadMemory,
  threadMemory,
  Waker,
} from "./net/native/thread_memory.ts";
import type { DriverKind } from "./net/net_thread.ts";

/** A worker's thread, and its number. */
export interface FleetThread {
  readonly index: number;
  readonly worker: Worker;
}

/** The threads of one fleet. */
export class FleetThreads {
  readonly driver: DriverKind;
  readonly memory: ThreadMemory;
  readonly #waker: Waker;

  /** @param count How many there are at one time. */
  constructor(driver: DriverKind, count: number) {
    this.driver = driver;
    this.memory = threadMemory(count);
    this.#waker = new Waker(this.memory, libC);
  }

  send(
    { index, worker }: FleetThread,
    command: WorkerCommand,
    transfer: Transferable[] = [],
  ): void {
    worker.postMessage(command, transfer);
    this.#waker.onSent(index);
  }

  /** Ends a thread. One that waits in the kernel ends when it comes back. */
  terminate({ index, worker }: FleetThread): void {
    worker.terminate();
    this.#waker.wake(index);
  }

  /** Closes what a thread has left open that runs no more: its clients are told so by that. */
  closeAll({ index }: FleetThread): void {
    if (this.driver !== "deno") closeDescriptors(this.memory, index, libC());
  }
}
