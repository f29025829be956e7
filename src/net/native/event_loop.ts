/**
 * One thread's event loop: waits for all sockets and timers with one system call, and calls who
 * waits for them. What it waits with is epoll, or a ring of io_uring.
 *
 * While it waits, the thread's JavaScript event loop stands still, and with it promises, messages
 * of other threads and whatever else the runtime delivers. So the loop hands over to it
 *
 * - at once after what may settle a promise: an accepted or ended connection, a timer, a wake-up;
 * - a moment after the last traffic, and then every second;
 * - again and again while somebody {@linkcode EventLoop.hold}s it.
 *
 * Who sends this thread a message wakes it through its eventfd: see thread_memory.ts.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../../base/clock.ts";
import { Epoll } from "./epoll.ts";
import { type LibC, LINUX, systemError } from "./libc.ts";
import { type Inbox, OwnDescriptors } from "./thread_memory.ts";
import { TimerHeap } from "./timer_heap.ts";

/** How long promises wait at most that were settled unnoticed, in milliseconds. */
const SETTLING_MS = 1;

/** Turns under load after which the runtime's own loop gets its turn whatever happens. */
const TURNS_MAX = 64;

/**
 * How long the runtime waits at most for its turn: the engine's collector, too, goes on in it, and
 * gives memory back where nothing else happens.
 */
const HOUSEKEEPING_MS = 1_000;

/** Who waits for a file descriptor. */
export interface Watched {
  /** @param events `EPOLLIN` and its kind. Must not throw. */
  onReady(events: number): void;
}

/** How a loop waits in the kernel. */
export interface Poller {
  /** @throws {Error} If the kernel's limits are reached. */
  watch(fd: number, events: number, watched: Watched): void;
  /** To be called before the descriptor is closed. */
  unwatch(fd: number): void;
  /**
   * Waits, and calls who has waited.
   *
   * @param waitMs At most so long; -1 is forever.
   * @returns How much has happened; 0 if nothing has.
   */
  wait(waitMs: number): number;
  /** Gives up its descriptors. */
  close(): void;
}

/** One thread's event loop, and its clock. */
export class EventLoop implements Clock {
  readonly libC: LibC;
  readonly #descriptors: OwnDescriptors;
  readonly #poller: Poller;
  readonly #wakeFd: number;
  readonly #timers = new TimerHeap();
  #soon: (() => void)[] = [];
  #holds = 0;
  /** Something may have settled a promise: the runtime's loop has to have its turn. */
  #isUnsettled = true;
  /** Traffic may have, too, which is less likely. */
  #mayBeUnsettled = false;
  #isStopped = false;

  /**
   * @param descriptors Where it notes what it has open: a byte a descriptor.
   * @param openPoller What it waits with.
   * @throws {Error} If the system has no descriptors left.
   */
  constructor(
    libC: LibC,
    descriptors?: SharedArrayBuffer,
    openPoller: (loop: EventLoop) => Poller = (loop) => new Epoll(loop),
  ) {
    this.libC = libC;
    this.#descriptors = new OwnDescriptors(descriptors);
    this.#poller = openPoller(this);
    const wakeFd = libC.eventfd(0, LINUX.EFD_NONBLOCK | LINUX.EFD_CLOEXEC);
    if (wakeFd < 0) throw systemError(libC, libC.errno);
    this.#wakeFd = this.own(wakeFd);
    this.watch(this.#wakeFd, LINUX.EPOLLIN, { onReady: () => this.#onWakeUp() });
  }

  /** What other threads of the process wake this one with. */
  get wakeFd(): number {
    return this.#wakeFd;
  }

  // Descriptors ----------------------------------------------------------------------------------

  /** Notes that a descriptor is this thread's. @returns The descriptor. */
  own(fd: number): number {
    return this.#descriptors.add(fd);
  }

  /** Closes a descriptor that is this thread's, and is not watched. */
  close(fd: number): void {
    this.#descriptors.delete(fd);
    this.libC.close(fd);
  }

  // What is waited for ----------------------------------------------------------------------------

  /** @throws {Error} If the kernel's limits are reached. */
  watch(fd: number, events: number, watched: Watched): void {
    this.#poller.watch(fd, events, watched);
  }

  /** To be called before the descriptor is closed. */
  unwatch(fd: number): void {
    this.#poller.unwatch(fd);
  }

  nowMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#timers.add(performance.now() + delayMs, run);
  }

  /** Calls `run` in this turn or the next, and not from here. It must not throw. */
  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** A promise has been settled, or may have been: who waits for it is called soon. */
  settled(): void {
    this.#isUnsettled = true;
  }

  /** Has the runtime's own loop turn until the promise is settled, which needs it. */
  async hold<Result>(waiting: Promise<Result>): Promise<Result> {
    this.#holds += 1;
    try {
      return await waiting;
    } finally {
      this.#holds -= 1;
    }
  }

  // The loop --------------------------------------------------------------------------------------

  /**
   * Serves the thread until {@linkcode EventLoop.stop}. Nothing else should wait in it.
   *
   * @param inbox Where other threads count what they send this one; without it, nobody does.
   */
  async run(inbox?: Inbox): Promise<void> {
    inbox?.open(this.#wakeFd);
    for (let turns = 0; !this.#isStopped; turns += 1) {
      if (inbox?.isDue === true || this.#isUnsettled || turns >= TURNS_MAX) {
        this.#isUnsettled = this.#mayBeUnsettled = false;
        turns = 0;
        await runtimeTurn();
        inbox?.onTurn();
      }
      const wasIdle = this.turn(inbox?.isDue === true ? 0 : this.#waitMs()) === 0;
      if (wasIdle) this.settled();
      // What handlers have put off goes on now; what that puts off, before the next turn.
      await undefined;
    }
  }

  /** Serves beside the runtime's own loop, without ever waiting: for tests. */
  async runBeside(): Promise<void> {
    while (!this.#isStopped) {
      this.turn(0);
      await runtimeTurn();
    }
  }

  /** Gives up all descriptors. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.close(this.#wakeFd);
    this.#poller.close();
  }

  #waitMs(): number {
    if (this.#soon.length > 0 || this.#isUnsettled) return 0;
    const { nextMs } = this.#timers;
    const timerMs = nextMs === undefined ? Infinity : Math.ceil(nextMs - performance.now());
    const restMs = this.#holds > 0 || this.#mayBeUnsettled ? SETTLING_MS : HOUSEKEEPING_MS;
    return Math.min(restMs, Math.max(0, timerMs));
  }

  /**
   * Waits, and calls who has waited.
   *
   * @param waitMs At most so long; -1 is forever.
   * @returns How much has happened; 0 if nothing has.
   */
  turn(waitMs: number): number {
    if (this.#isStopped) return 0;
    const count = this.#poller.wait(waitMs);
    if (count > 0) this.#mayBeUnsettled = true;
    if (this.#holds > 0) this.settled();
    this.#runDue();
    this.#runSoon();
    return count;
  }

  #runDue(): void {
    if (this.#timers.count === 0) return;
    const nowMs = performance.now();
    for (
      let run = this.#timers.takeDue(nowMs);
      run !== undefined;
      run = this.#timers.takeDue(nowMs)
    ) {
      this.settled();
      run();
    }
  }

  #runSoon(): void {
    if (this.#soon.length === 0) return;
    const soon = this.#soon;
    this.#soon = [];
    for (const run of soon) run();
  }

  #onWakeUp(): void {
    this.libC.read(this.#wakeFd, new Uint8Array(8), 8);
    this.settled();
  }
}

/** Lets the runtime deliver what has come meanwhile, and run what waits for it. */
function runtimeTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
