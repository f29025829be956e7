/**
 * What threads with native drivers share: how to wake one another, and which descriptors are whose,
 * so that those of a thread that dies can be closed. Deno knows nothing of them.
 *
 * @module
 */

import { type LibC, LINUX } from "./libc.ts";

/** Descriptors below are closed when their thread dies: more than a process is ever granted. */
const DESCRIPTORS_MAX = 1 << 20;

/** Words of a thread in {@linkcode ThreadMemory.inboxes}. */
const WORD = { wakeFd: 0, sent: 1 } as const;
const WORDS = 2;

/**
 * Turns of the runtime's loop within which a message is delivered that was sent before. Its
 * scheduler (tokio's) looks at what other threads have woken in every 31st turn only, more than
 * once for a message: up to some 100 turns have been seen.
 */
const TURNS_FOR_MESSAGE = 1_024;

/** Memory of all threads; it survives a structured clone. */
export interface ThreadMemory {
  /**
   * Two 32-bit words a thread: the descriptor that wakes it, or 0 while nothing has to, and how
   * many messages it has been sent.
   */
  readonly inboxes: SharedArrayBuffer;
  /** For each thread a byte a descriptor: 1 while it is that thread's. */
  readonly descriptors: readonly SharedArrayBuffer[];
}

/** Memory for so many threads. Pages that nobody writes to cost nothing. */
export function threadMemory(threads: number): ThreadMemory {
  return {
    inboxes: new SharedArrayBuffer(4 * WORDS * threads),
    descriptors: Array.from({ length: threads }, () => new SharedArrayBuffer(DESCRIPTORS_MAX)),
  };
}

/** Wakes threads that wait in the kernel. */
export class Waker {
  readonly #libC: () => LibC;
  readonly #words: Int32Array;

  /** @param libC Opened when there is first somebody to wake. */
  constructor({ inboxes }: ThreadMemory, libC: () => LibC) {
    this.#libC = libC;
    this.#words = new Int32Array(inboxes);
  }

  /** A thread has just been sent a message: it is woken, if it waits in the kernel. */
  onSent(thread: number): void {
    Atomics.add(this.#words, WORDS * thread + WORD.sent, 1);
    this.wake(thread);
  }

  /** Has a thread look around, if it waits in the kernel. */
  wake(thread: number): void {
    const fd = Atomics.load(this.#words, WORDS * thread + WORD.wakeFd);
    if (fd > 0) this.#libC().write(fd, ONE, ONE.length);
  }
}

/** How many messages one thread has been sent, and how many of them it has got. */
export class Inbox {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #received: () => number;
  #lost = 0;
  /** How many had come when the last one came. */
  #before = 0;
  /** Turns that have brought none since, while one is due. */
  #vainTurns = 0;

  /** @param received How many messages have come to this thread, of all that are counted. */
  constructor({ inboxes }: ThreadMemory, thread: number, received: () => number) {
    this.#words = new Int32Array(inboxes);
    this.#at = WORDS * thread;
    this.#received = received;
  }

  /** The thread waits in the kernel from now on. */
  open(wakeFd: number): void {
    Atomics.store(this.#words, this.#at + WORD.wakeFd, wakeFd);
  }

  /** Whether something was sent that has not come yet. */
  get isDue(): boolean {
    return this.#missing !== 0;
  }

  /** The runtime's loop has had a turn. What was sent to a port that is closed is given up. */
  onTurn(): void {
    const received = this.#received();
    this.#vainTurns = this.isDue && received === this.#before ? this.#vainTurns + 1 : 0;
    this.#before = received;
    if (this.#vainTurns < TURNS_FOR_MESSAGE) return;
    this.#vainTurns = 0;
    this.#lost = (this.#lost + this.#missing) | 0;
  }

  get #missing(): number {
    const sent = Atomics.load(this.#words, this.#at + WORD.sent);
    return (sent - this.#received() - this.#lost) | 0;
  }
}

/** An eventfd is written 64 bits. */
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

/** One thread's own descriptors. */
export class OwnDescriptors {
  readonly #owned: Uint8Array;

  constructor(buffer = new SharedArrayBuffer(0)) {
    this.#owned = new Uint8Array(buffer);
  }

  /** @returns The descriptor. */
  add(fd: number): number {
    this.#owned[fd] = 1;
    return fd;
  }

  /** To be called before it is closed: then it may be another thread's. */
  delete(fd: number): void {
    this.#owned[fd] = 0;
  }
}

/** Closes what a thread has left that has ended, and tells nobody to wake it any more. */
export function closeDescriptors(memory: ThreadMemory, thread: number, libC: LibC): void {
  new Int32Array(memory.inboxes).fill(0, WORDS * thread, WORDS * (thread + 1));
  const owned = new Uint8Array(memory.descriptors[thread]!);
  for (let fd = owned.indexOf(1); fd >= 0; fd = owned.indexOf(1, fd + 1)) {
    owned[fd] = 0;
    // A ring that is still there has the socket in use: closing it is not the end of it.
    libC.shutdown(fd, LINUX.SHUT_RDWR);
    libC.close(fd);
  }
}
