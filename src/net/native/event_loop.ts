/**
 * One thread's event loop: waits for all sockets and timers with one system call, and calls who
 * waits for them. What it waits with is epoll, or a ring of io_uring.
 *
 * While it waits, the thread's JavaScript event loop stands still, and with it promises, messages
 * of other threads and whatever else the runtime delivers. So the loop hands over to it
 *
 * - at once after what is likely to settle a promise: a connection that was asked for, a timer, a
 *   wake-up;
 * - a moment after anything else has happened, under load after a number of things, and then every
 *   second;
 * - again and again while somebody {@linkcode EventLoop.hold}s it.
 *
 * Who sends this thread a message wakes it through its eventfd: see thread_memory.ts.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../../base/clock.ts";
import { Epoll } from "./epoll.ts";
import { type LibC, LINUX, pointerTo, systemError } from "./libc.ts";
import { type Inbox, OwnDescriptors } from "./thread_memory.ts";
import { TimerHeap } from "./timer_heap.ts";

/** How long promises wait at most that were settled unnoticed, in milliseconds. */
const SETTLING_MS = 1;

/**
 * Things that happen under load until the runtime's own loop gets its turn whatever happens: some
 * 10 ms, of which its turn is less than a hundredth.
 */
const EVENTS_MAX = 512;

/**
 * How long the runtime waits at most for its turn: the engine's collector, too, goes on in it, and
 * gives memory back where nothing else happens.
 */
const HOUSEKEEPING_MS = 1_000;

/** One in milliseconds. */
const NANOSECOND_MS = 1e-6;

/** Of {@linkcode EventLoop}'s time: it is to be asked for. */
const UNKNOWN = -1;

/** Who waits for a file descriptor. */
export interface Watched {
  /** @param events `EPOLLIN` and its kind. Must not throw. */
  onReady(events: number): void;
}

/** What is called soon. It must not throw. */
export type Task = (() => void) | Turn;

/** Who has a turn soon: one that waits again and again makes no function for it. */
export interface Turn {
  onTurn(): void;
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
  /** `struct timespec`, of which the seconds fit in a word for 136 years after the start. */
  readonly #time = new Uint32Array(new ArrayBuffer(16));
  readonly #timePointer = pointerTo(this.#time.buffer);
  /** As it was in this turn, behind the wait. */
  #turnMs = UNKNOWN;
  #soon: Task[] = [];
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

  /** Since the system has started. It is a third of what `performance.now` costs. */
  nowMs(): number {
    const time = this.#time;
    this.libC.clock_gettime(LINUX.CLOCK_MONOTONIC, this.#timePointer);
    return 1_000 * time[0]! + NANOSECOND_MS * time[2]!;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#timers.add(this.nowMs() + delayMs, run);
  }

  /** Calls the task in this turn or the next, and not from here. */
  soon(task: Task): void {
    this.#soon.push(task);
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
    for (let events = 0; !this.#isStopped;) {
      if (this.#isUnsettled || events >= EVENTS_MAX) {
        this.#isUnsettled = this.#mayBeUnsettled = false;
        events = 0;
        await runtimeTurn();
        this.#turnMs = UNKNOWN;
        inbox?.onTurn();
        // Of what is sent later, the eventfd tells.
        if (inbox?.isDue === true) this.settled();
      }
      const count = this.turn(this.#waitMs());
      if (count === 0) this.settled();
      events += count;
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
    const restMs = this.#holds > 0 || this.#mayBeUnsettled ? SETTLING_MS : HOUSEKEEPING_MS;
    const { nextMs } = this.#timers;
    if (nextMs === undefined) return restMs;
    // After a turn with much to do it is later than that, but then the wait is a short one.
    if (this.#turnMs === UNKNOWN) this.#turnMs = this.nowMs();
    return Math.min(restMs, Math.max(0, Math.ceil(nextMs - this.#turnMs)));
  }

  /**
   * Waits, and calls who has waited.
   *
   * @param waitMs At most so long; -1 is forever.
   * @returns How much has happened; 0 if nothing has.
   */
  turn(waitMs: number): number {
    if (this.#isStopped) return 0;
    this.#turnMs = UNKNOWN;
    const count = this.#poller.wait(waitMs);
    if (count > 0) this.#mayBeUnsettled = true;
    if (this.#holds > 0) this.settled();
    if (this.#timers.count > 0) this.#runDue();
    if (this.#soon.length > 0) this.#runSoon();
    return count;
  }

  #runDue(): void {
    const nowMs = this.#turnMs = this.nowMs();
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
    const soon = this.#soon;
    this.#soon = [];
    for (const task of soon) {
      if (typeof task === "function") task();
      else task.onTurn();
    }
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
