/**
 * Waiting by epoll: one system call tells of all descriptors that are ready.
 *
 * @module
 */

import type { EventLoop, Poller, Watched } from "./event_loop.ts";
import { ERRNO, LINUX, pointerTo, systemError } from "./libc.ts";

/** Events that one system call returns at most. */
const EVENTS_MAX = 512;

/**
 * `struct epoll_event`, which is packed on x86-64 only: words of it, and which two are ours. They
 * have the descriptor, and a number that tells who waited for it.
 */
const [EVENT_WORDS, FD_WORD, WATCH_WORD] = Deno.build.arch === "x86_64" ? [3, 1, 2] : [4, 2, 3];

/** One thread's epoll descriptor, and who waits for what. */
export class Epoll implements Poller {
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #watched: (Watched | undefined)[] = [];
  /** For each descriptor the number of who waits for it: the next one gets another. */
  readonly #watches: number[] = [];
  #lastWatch = 0;
  readonly #event = new Int32Array(EVENT_WORDS);
  readonly #eventBytes = new Uint8Array(this.#event.buffer);
  readonly #events = new Int32Array(EVENT_WORDS * EVENTS_MAX);
  readonly #eventsPointer = pointerTo(this.#events.buffer);

  /** @throws {Error} If the system has no descriptors left. */
  constructor(loop: EventLoop) {
    this.#loop = loop;
    this.#fd = loop.own(this.#must(loop.libC.epoll_create1(LINUX.SOCK_CLOEXEC)));
  }

  watch(fd: number, events: number, watched: Watched): void {
    this.#lastWatch = (this.#lastWatch + 1) | 0;
    this.#control(LINUX.EPOLL_CTL_ADD, fd, events);
    this.#watched[fd] = watched;
    this.#watches[fd] = this.#lastWatch;
  }

  unwatch(fd: number): void {
    this.#watched[fd] = undefined;
    this.#control(LINUX.EPOLL_CTL_DEL, fd, 0);
  }

  #control(operation: number, fd: number, events: number): void {
    this.#event[0] = events;
    this.#event[FD_WORD!] = fd;
    this.#event[WATCH_WORD!] = this.#lastWatch;
    this.#must(this.#loop.libC.epoll_ctl(this.#fd, operation, fd, this.#eventBytes));
  }

  wait(waitMs: number): number {
    const { libC } = this.#loop;
    const count = libC.epoll_wait(this.#fd, this.#eventsPointer, EVENTS_MAX, waitMs);
    if (count < 0) return this.#onInterrupt(libC.errno);
    for (let i = 0; i < count; i += 1) {
      const at = i * EVENT_WORDS!;
      const fd = this.#events[at + FD_WORD!]!;
      // Somebody called before may have closed it, and its number may be another's by now.
      if (this.#watches[fd] !== this.#events[at + WATCH_WORD!]) continue;
      this.#watched[fd]?.onReady(this.#events[at]!);
    }
    return count;
  }

  #onInterrupt(errno: number): number {
    if (errno !== ERRNO.EINTR) throw systemError(this.#loop.libC, errno);
    return 0;
  }

  close(): void {
    this.#loop.close(this.#fd);
  }

  #must(result: number): number {
    const { libC } = this.#loop;
    if (result < 0) throw systemError(libC, libC.errno);
    return result;
  }
}
