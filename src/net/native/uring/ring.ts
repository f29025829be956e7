/**
 * One ring of io_uring: a queue of entries that the kernel works off when it is entered, and a
 * queue of completions that it leaves.
 *
 * **Who sees what when.** Both queues lie in memory that is shared with the kernel. This thread
 * is the only one that submits, and with `DEFER_TASKRUN` the kernel completes only while it is
 * inside of `io_uring_enter`. So there is no concurrency to guard against, neither on x86-64 nor
 * on arm64, and heads and tails are read and written as any memory: the call is the barrier.
 *
 * **Nothing is told of success** of what is sent (`CQE_SKIP_SUCCESS`), or a wait would be over with
 * what was sent itself. What is sent must not wait (`MSG_DONTWAIT`) and is sent whole or fails
 * (`MSG_WAITALL`): it is over when the kernel has been entered, with a completion if less than all
 * of it was taken. So no memory is the kernel's while the thread goes on.
 *
 * @module
 */

import { ERRNO, type LibC, LINUX, systemError } from "../libc.ts";
import {
  COMPLETION,
  ENTER,
  ENTRY,
  FEATURE,
  type Mapped,
  MULTISHOT,
  OFFSET,
  OPERATION,
  QUEUE_OVERFLOW,
  type RingCalls,
  SETUP,
} from "./ring_calls.ts";

/** Bytes of `struct io_uring_params`, and its words. */
const PARAMETERS_SIZE = 120;
const PARAMETER = {
  entries: 0,
  completions: 1,
  flags: 2,
  features: 5,
  queue: 10,
  done: 20,
} as const;

const ENTRY_SIZE = 64;
const ENTRY_WORDS = ENTRY_SIZE / 4;
const COMPLETION_SIZE = 16;
const COMPLETION_WORDS = COMPLETION_SIZE / 4;

/** `MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL`. */
const SEND_WHOLE = 0x40 | 0x100 | LINUX.MSG_NOSIGNAL;

const NEEDED = FEATURE.SINGLE_MMAP | FEATURE.NODROP | FEATURE.EXT_ARG | FEATURE.CQE_SKIP;

/** Attempts to submit when the kernel has no memory for it. */
const ATTEMPTS_MAX = 1_000;

/** The wait's argument, `struct io_uring_getevents_arg`, and the time that it points to. */
const WAIT_ARGUMENT_SIZE = 24;
const WAIT_TIME_OFFSET = 64;
const WAIT_MEMORY_SIZE = 4096;

/** How large the queues are. */
export interface RingOptions {
  /** Power of two. More than these are submitted in between. */
  readonly entries: number;
  /** Power of two. More than these cost one more call. */
  readonly completions: number;
}

/**
 * What the completion of an operation says.
 *
 * @param owner As given with the operation.
 * @param tag As given with the operation.
 * @param result As of the system call; an error's number is negative.
 * @param flags {@linkcode COMPLETION}, and above 16 bits the buffer.
 */
export type OnCompletion = (owner: number, tag: number, result: number, flags: number) => void;

/** The two queues. An operation's owner is a number from 1 on; its tag is any. */
export class Ring {
  readonly fd: number;
  readonly #calls: RingCalls;
  readonly #libC: LibC;
  readonly #rings: Mapped;
  readonly #entriesMap: Mapped;
  readonly #waitMap: Mapped;
  readonly #waitSize = Deno.UnsafePointer.create(BigInt(WAIT_ARGUMENT_SIZE));
  readonly #waitWords: Int32Array;
  #words: Int32Array;
  #entries: Int32Array;
  readonly #entryCount: number;
  readonly #completionMask: number;
  /** Words of the rings' memory. */
  readonly #tailAt: number;
  readonly #flagsAt: number;
  readonly #doneHeadAt: number;
  readonly #doneTailAt: number;
  readonly #doneAt: number;
  #tail: number;
  /** Entries that the kernel has not seen. */
  #queued = 0;
  #isUnmapped = false;

  /** @throws {Error} If the system has no io_uring, or an old one, or does not allow it. */
  constructor(calls: RingCalls, libC: LibC, { entries, completions }: RingOptions) {
    this.#calls = calls;
    this.#libC = libC;
    const bytes = new Uint8Array(PARAMETERS_SIZE);
    const parameters = new Int32Array(bytes.buffer);
    parameters[PARAMETER.flags] = SETUP.CQSIZE | SETUP.SUBMIT_ALL | SETUP.SINGLE_ISSUER |
      SETUP.DEFER_TASKRUN;
    parameters[PARAMETER.completions] = completions;
    this.fd = calls.setup(entries, bytes);
    if (this.fd < 0) throw whyNoRing(libC, libC.errno);
    const at = (word: number) => parameters[word]!;
    if ((at(PARAMETER.features) & NEEDED) !== NEEDED) throw this.#failed(tooOld());
    this.#entryCount = at(PARAMETER.entries);
    this.#completionMask = at(PARAMETER.completions) - 1;
    const [, tail, , , flags, , array] = parameters.subarray(PARAMETER.queue);
    const [doneHead, doneTail, , , , done] = parameters.subarray(PARAMETER.done);
    const size = Math.max(
      array! + 4 * this.#entryCount,
      done! + COMPLETION_SIZE * at(PARAMETER.completions),
    );
    this.#rings = this.#map(this.fd, size, OFFSET.RINGS);
    this.#entriesMap = this.#map(this.fd, ENTRY_SIZE * this.#entryCount, OFFSET.ENTRIES);
    this.#waitMap = this.#map(-1, WAIT_MEMORY_SIZE, 0);
    this.#words = new Int32Array(this.#rings.buffer);
    this.#entries = new Int32Array(this.#entriesMap.buffer);
    this.#waitWords = new Int32Array(this.#waitMap.buffer);
    const time = Deno.UnsafePointer.value(this.#waitMap.pointer) + BigInt(WAIT_TIME_OFFSET);
    new BigUint64Array(this.#waitMap.buffer)[2] = time;
    this.#tailAt = tail! >> 2;
    this.#flagsAt = flags! >> 2;
    this.#doneHeadAt = doneHead! >> 2;
    this.#doneTailAt = doneTail! >> 2;
    this.#doneAt = done! >> 2;
    this.#tail = this.#words[this.#tailAt]!;
    for (let i = 0; i < this.#entryCount; i += 1) this.#words[(array! >> 2) + i] = i;
  }

  #map(fd: number, size: number, offset: number): Mapped {
    const mapped = this.#calls.map(fd, size, offset);
    if (mapped === undefined) throw this.#failed(systemError(this.#libC, this.#libC.errno));
    return mapped;
  }

  #failed(error: Error): Error {
    this.#libC.close(this.fd);
    return error;
  }

  // Operations ------------------------------------------------------------------------------------

  /**
   * Receives into a buffer of a group.
   *
   * @param isMultishot It goes on until it fails or is cancelled, else once.
   */
  receive(fd: number, isMultishot: boolean, group: number, owner: number, tag: number): void {
    const at = this.#next();
    const entries = this.#entries;
    const kind = isMultishot ? MULTISHOT.RECV : 0;
    entries[at] = OPERATION.RECV | ENTRY.BUFFER_SELECT << 8 | kind << 16;
    entries[at + 1] = fd;
    entries[at + 8] = owner;
    entries[at + 9] = tag;
    entries[at + 10] = group;
  }

  /**
   * Sends at once, when the kernel is entered. There is a completion only if not all of it was
   * sent: how much was, or why nothing.
   *
   * @param low Of the address's two words.
   */
  send(fd: number, low: number, high: number, size: number, owner: number, tag: number): void {
    const at = this.#claim();
    const entries = this.#entries;
    entries[at] = OPERATION.SEND | ENTRY.CQE_SKIP_SUCCESS << 8;
    entries[at + 1] = fd;
    entries[at + 2] = 0;
    entries[at + 3] = 0;
    entries[at + 4] = low;
    entries[at + 5] = high;
    entries[at + 6] = size;
    entries[at + 7] = SEND_WHOLE;
    entries[at + 8] = owner;
    entries[at + 9] = tag;
    entries[at + 10] = 0;
    entries[at + 11] = 0;
    entries[at + 12] = 0;
    entries[at + 13] = 0;
    entries[at + 14] = 0;
    entries[at + 15] = 0;
  }

  /** Accepts until it fails or is cancelled. */
  accept(fd: number, owner: number, tag: number): void {
    const at = this.#next();
    const entries = this.#entries;
    entries[at] = OPERATION.ACCEPT | MULTISHOT.ACCEPT << 16;
    entries[at + 1] = fd;
    entries[at + 7] = LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
    entries[at + 8] = owner;
    entries[at + 9] = tag;
  }

  /** @param events `EPOLLIN` and its kind. */
  poll(fd: number, events: number, isMultishot: boolean, owner: number, tag: number): void {
    const at = this.#next();
    const entries = this.#entries;
    entries[at] = OPERATION.POLL_ADD;
    entries[at + 1] = fd;
    entries[at + 6] = isMultishot ? MULTISHOT.POLL : 0;
    entries[at + 7] = events;
    entries[at + 8] = owner;
    entries[at + 9] = tag;
  }

  /** Cancels an operation, which completes for the last time, if it has not. */
  cancel(owner: number, tag: number): void {
    const at = this.#next();
    const entries = this.#entries;
    entries[at] = OPERATION.ASYNC_CANCEL | ENTRY.CQE_SKIP_SUCCESS << 8;
    entries[at + 1] = -1;
    entries[at + 4] = owner;
    entries[at + 5] = tag;
  }

  /** The first word of the next entry, which has what it had. */
  #claim(): number {
    if (this.#queued === this.#entryCount) this.#submit(0, 0, null, null);
    const at = (this.#tail & (this.#entryCount - 1)) * ENTRY_WORDS;
    this.#tail = (this.#tail + 1) | 0;
    this.#queued += 1;
    return at;
  }

  /** The first word of the next entry, all of which are 0. */
  #next(): number {
    const at = this.#claim();
    for (let word = at; word < at + ENTRY_WORDS; word += 1) this.#entries[word] = 0;
    return at;
  }

  // The kernel ------------------------------------------------------------------------------------

  /**
   * Has the kernel work off all entries, and waits until something is completed.
   *
   * @param waitMs At most so long; -1 is forever.
   * @throws {Error} If the kernel cannot any more.
   */
  enter(waitMs: number): void {
    if (waitMs <= 0) return this.#submit(waitMs < 0 ? 1 : 0, ENTER.GETEVENTS, null, null);
    const words = this.#waitWords;
    const seconds = Math.floor(waitMs / 1_000);
    words[WAIT_TIME_OFFSET / 4] = seconds;
    words[WAIT_TIME_OFFSET / 4 + 2] = (waitMs - 1_000 * seconds) * 1_000_000;
    this.#submit(1, ENTER.GETEVENTS | ENTER.EXT_ARG, this.#waitMap.pointer, this.#waitSize);
  }

  #submit(
    complete: number,
    flags: number,
    argument: Deno.PointerValue,
    argumentSize: Deno.PointerValue,
  ): void {
    if (this.#isUnmapped) {
      this.#queued = 0;
      return;
    }
    this.#words[this.#tailAt] = this.#tail;
    for (let attempts = 1;; attempts += 1) {
      // Where something has failed before, that is what is to be looked at now.
      const least = attempts === 1 ? complete : 0;
      const { fd } = this;
      const done = this.#calls.enter(fd, this.#queued, least, flags, argument, argumentSize);
      if (done < 0) this.#assertPassing(this.#libC.errno, attempts);
      else this.#queued -= done;
      if (this.#queued === 0) return;
    }
  }

  #assertPassing(errno: number, attempts: number): void {
    if (errno === ERRNO.EINTR || errno === ERRNO.ETIME) return;
    const isShort = errno === ERRNO.EAGAIN || errno === ERRNO.EBUSY;
    if (!isShort || attempts === ATTEMPTS_MAX) throw systemError(this.#libC, errno);
  }

  /** Whether more is completed than the queue has room for: {@linkcode Ring.askForMore}. */
  get hasMore(): boolean {
    return (this.#words[this.#flagsAt]! & QUEUE_OVERFLOW) !== 0;
  }

  /** Has the kernel put into the queue what it had no room for. */
  askForMore(): void {
    this.#submit(0, ENTER.GETEVENTS, null, null);
  }

  /** Shows what is completed, and leaves it: only where `tag & mask` is `bits`. */
  look(mask: number, bits: number, onCompletion: OnCompletion): void {
    const words = this.#words;
    const tail = words[this.#doneTailAt]!;
    for (let head = words[this.#doneHeadAt]!; head !== tail; head = (head + 1) | 0) {
      const at = this.#doneAt + (head & this.#completionMask) * COMPLETION_WORDS;
      const tag = words[at + 1]!;
      if ((tag & mask) === bits) onCompletion(words[at]!, tag, words[at + 2]!, words[at + 3]!);
    }
  }

  /**
   * Takes out what is completed. What is completed while it does stays.
   *
   * @returns How much that was.
   */
  take(onCompletion: OnCompletion): number {
    const words = this.#words;
    const first = words[this.#doneHeadAt]!;
    const tail = words[this.#doneTailAt]!;
    for (let head = first; head !== tail; head = (head + 1) | 0) {
      const at = this.#doneAt + (head & this.#completionMask) * COMPLETION_WORDS;
      onCompletion(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
      if (this.#isUnmapped) return 0; // by whoever was called
    }
    words[this.#doneHeadAt] = tail;
    return (tail - first) | 0;
  }

  /**
   * Gives up the queues. What is called afterwards does nothing. The descriptor is the caller's to
   * close: then the kernel cancels what is under way.
   */
  unmap(): void {
    this.#isUnmapped = true;
    this.#words = new Int32Array(this.#words.length);
    this.#entries = new Int32Array(this.#entries.length);
    for (const mapped of [this.#rings, this.#entriesMap, this.#waitMap]) this.#calls.unmap(mapped);
  }
}

function tooOld(): Error {
  return new Error("the kernel's io_uring is too old; Linux 6.1 and newer have what is needed");
}

/** @param errno Of `io_uring_setup`. */
function whyNoRing(libC: LibC, errno: number): Error {
  const { message } = systemError(libC, errno);
  switch (errno) {
    case ERRNO.ENOSYS:
      return new Error(`the kernel has no io_uring: ${message}`);
    case ERRNO.EPERM:
    case ERRNO.EACCES:
      return new Error(
        `io_uring is not allowed: ${message}; a container's seccomp profile may forbid it, as ` +
          "Docker's own does, or the kernel: see sysctl kernel.io_uring_disabled",
      );
    case ERRNO.EINVAL:
      return tooOld();
    case ERRNO.ENOMEM:
      return new Error(
        `io_uring gets no memory: ${message}; the limit of locked memory (ulimit -l) may be low`,
      );
  }
  return new Error(`io_uring cannot be set up: ${message}`);
}

/** Whether an operation goes on. */
export function goesOn(flags: number): boolean {
  return (flags & COMPLETION.MORE) !== 0;
}
