/**
 * How many server connections there are over all workers, by whatever they are counted: a pair of
 * database and user, or a cap that several pairs share. A place is the right to have one; it is
 * taken in all entries that count it or in none. Entries are made when a key is first used.
 *
 * Layout, in 32-bit words; each worker writes to cache lines of its own:
 *
 *     | lock, to 16 | entry | entry | ...
 *     entry: | key size | in use | to 16 | key: 176 | a worker | a worker | ...
 *     a worker: | refs | held | idle | since | closing | to 16 |
 *
 * What is taken changes under the lock, which is held for a few stores. `idle`, `since` and
 * `closing` are hints: one worker writes them, the others read them without it, and may find them
 * old.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { utf8 } from "../base/bytes.ts";
import { SharedLock } from "./shared_lock.ts";

/** A cache line of 64 bytes, which two workers should not write to. */
const LINE = 16;
const LOCK = 0;

const KEY_SIZE = 0;
const IN_USE = 1;
const KEY = LINE;
const KEY_WORDS = 176;
const WORKER = KEY + KEY_WORDS;

const REFS = 0;
const HELD = 1;
const IDLE = 2;
const SINCE = 3;
const CLOSING = 4;

/**
 * Longest key, in bytes: more than the 652 of a pair's longest. Of these are 144 for a pool that is
 * a session's own, `CLIENT/POOL#SESSION` with names of 63 bytes and a number of 16 digits, 504 for
 * a database and a user, which a configuration may give in 63 characters of 4 bytes, 4 around them.
 */
export const KEY_SIZE_MAX = 4 * KEY_WORDS;

/** Entries by default: 1024 pairs and caps in use at the same time take 1 MiB with 4 workers. */
const ENTRIES_MAX = 1024;

/** Why a key has no entry. */
export type EntryRefusal = "too_many_entries" | "key_too_long";

/** Memory for the places of one gateway. */
export function placesBuffer(workers: number, entriesMax = ENTRIES_MAX): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (LINE + entriesMax * entryWords(workers)));
}

function entryWords(workers: number): number {
  return WORKER + LINE * workers;
}

/** Whether `since` is the earlier one; they wrap after 49 days, and no wait is half as long. */
function isEarlier(since: number, other: number): boolean {
  return since !== 0 && ((since - other) | 0) < 0;
}

/** One worker's access to the places. */
export class SharedPlaces {
  /** This worker's index, 0 to `workers - 1`. */
  readonly worker: number;
  readonly workers: number;
  readonly #words: Int32Array;
  readonly #lock: SharedLock;
  readonly #nowMs: () => number;
  readonly #entryWords: number;
  readonly #entries: number;

  /**
   * @param buffer Made by {@linkcode placesBuffer}, the same for all workers.
   * @param nowMs Milliseconds on a clock that all workers share, such as `Date.now`: it says who
   * waits longer, so a jump makes that wrong for a moment, and nothing else.
   */
  constructor(buffer: SharedArrayBuffer, worker: number, workers: number, nowMs: () => number) {
    this.worker = worker;
    this.workers = workers;
    this.#words = new Int32Array(buffer);
    this.#lock = new SharedLock(this.#words, LOCK, worker);
    this.#nowMs = nowMs;
    this.#entryWords = entryWords(workers);
    this.#entries = (this.#words.length - LINE) / this.#entryWords;
  }

  /** The instant as entries hold it: never 0, which means that nobody waits. */
  now(): number {
    return (this.#nowMs() | 0) || 1;
  }

  /**
   * Finds or makes the entry of `key` and refers to it until `close`.
   *
   * @param key At most {@linkcode KEY_SIZE_MAX} bytes of UTF-8.
   */
  open(key: string): number | EntryRefusal {
    const bytes = utf8(key);
    if (bytes.length > KEY_SIZE_MAX) return "key_too_long";
    const padded = new Uint8Array(KEY_SIZE_MAX);
    padded.set(bytes);
    const words = new Int32Array(padded.buffer);
    this.#lock.lock();
    try {
      const entry = this.#find(bytes.length + 1, words);
      if (entry < 0) return "too_many_entries";
      this.#words[this.#own(entry) + REFS]! += 1;
      return entry;
    } finally {
      this.#lock.unlock();
    }
  }

  /** Gives up one reference; the last one of this worker when it holds no place any more. */
  close(entry: number): void {
    this.#lock.lock();
    try {
      const own = this.#own(entry);
      assert(this.#words[own + REFS]! > 0, "a worker closes only entries that it has opened");
      this.#words[own + REFS]! -= 1;
      if (this.#words[own + REFS]! > 0) return;
      assert(this.#words[own + HELD] === 0, "an entry is closed when its places are given back");
      this.#words[own + IDLE] = 0;
      this.#words[own + SINCE] = 0;
      this.#words[own + CLOSING] = 0;
      this.#freeUnused(entry);
    } finally {
      this.#lock.unlock();
    }
  }

  /**
   * Takes a place in all entries or in none. One is left in each for every other worker that has
   * waited there for longer: who comes later does not overtake.
   *
   * @param limits How many there may be, by the index in `entries`.
   * @param since Since when the one for whom it is waits: from `now()`.
   * @returns The index in `entries` of the first that is full, or -1 when the place is taken.
   */
  take(entries: readonly number[], limits: readonly number[], since: number): number {
    this.#lock.lock();
    try {
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i]!;
        if (this.inUse(entry) + this.#earlier(entry, since) >= limits[i]!) return i;
      }
      for (let i = 0; i < entries.length; i++) this.#add(entries[i]!, 1);
      return -1;
    } finally {
      this.#lock.unlock();
    }
  }

  /** Gives a place back that was taken in the same entries. */
  giveBack(entries: readonly number[]): void {
    this.#lock.lock();
    try {
      for (const entry of entries) {
        const held = this.#words[this.#own(entry) + HELD]!;
        assert(held > 0, "a worker gives back no more places than it holds");
      }
      for (const entry of entries) this.#add(entry, -1);
    } finally {
      this.#lock.unlock();
    }
  }

  /** How many places are taken, by any worker. */
  inUse(entry: number): number {
    return Atomics.load(this.#words, this.#at(entry) + IN_USE);
  }

  /** How many places a worker holds. */
  held(entry: number, worker: number): number {
    return this.#words[this.#of(entry, worker) + HELD]!;
  }

  /** Says how many connections are idle in this worker. */
  setIdle(entry: number, count: number): void {
    Atomics.store(this.#words, this.#own(entry) + IDLE, count);
  }

  /** Says how many connections of this worker are being closed. */
  setClosing(entry: number, count: number): void {
    Atomics.store(this.#words, this.#own(entry) + CLOSING, count);
  }

  /** Says since when somebody in this worker waits for this entry to have a place; 0: nobody. */
  setWaiting(entry: number, since: number): void {
    Atomics.store(this.#words, this.#own(entry) + SINCE, since);
  }

  /** Whether somebody in that worker waits for a place here. */
  isWaiting(entry: number, worker: number): boolean {
    return this.#words[this.#of(entry, worker) + SINCE] !== 0;
  }

  /** The other worker where somebody waits longest, or -1. Costs a load for each worker. */
  longestWaiting(entry: number): number {
    let longest = -1;
    let earliest = 0;
    let at = this.#of(entry, 0) + SINCE;
    for (let worker = 0; worker < this.workers; worker++, at += LINE) {
      const since = this.#words[at]!;
      if (since === 0 || worker === this.worker) continue;
      if (longest >= 0 && !isEarlier(since, earliest)) continue;
      longest = worker;
      earliest = since;
    }
    return longest;
  }

  /** How long the first one in a worker has waited here, ms; 0 if nobody waits. */
  waitedMs(entry: number, worker: number): number {
    const since = this.#words[this.#of(entry, worker) + SINCE]!;
    return since === 0 ? 0 : Math.max(0, (this.now() - since) | 0);
  }

  /** The other worker with the most idle connections, or -1. */
  mostIdle(entry: number): number {
    let most = -1;
    let count = 0;
    for (let worker = 0; worker < this.workers; worker++) {
      const idle = this.#words[this.#of(entry, worker) + IDLE]!;
      if (worker === this.worker || idle <= count) continue;
      most = worker;
      count = idle;
    }
    return most;
  }

  /**
   * How many of `limit` places somebody in this worker can have although nobody gives up one that
   * is used: those that are free, idle in other workers, or being closed, but one for each other
   * worker that waits.
   */
  obtainable(entry: number, limit: number): number {
    let count = limit - this.inUse(entry);
    for (let worker = 0; worker < this.workers; worker++) {
      const at = this.#of(entry, worker);
      count += this.#words[at + CLOSING]!;
      if (worker === this.worker) continue;
      count += this.#words[at + IDLE]!;
      if (this.#words[at + SINCE] !== 0) count -= 1;
    }
    return count;
  }

  /**
   * Takes back all that a worker held, waited for and referred to. It must not run any more; if it
   * died while it held the lock, that is mended. Who waits finds the places by trying again.
   */
  reclaim(worker: number): void {
    this.#lock.seize(worker);
    for (let entry = 0; entry < this.#entries; entry++) {
      const at = this.#of(entry, worker);
      this.#words.fill(0, at, at + LINE);
      let inUse = 0;
      for (let other = 0; other < this.workers; other++) inUse += this.held(entry, other);
      Atomics.store(this.#words, this.#at(entry) + IN_USE, inUse);
      this.#freeUnused(entry);
    }
    this.#lock.unlock();
  }

  #find(keySize: number, key: Int32Array): number {
    let free = -1;
    for (let entry = 0; entry < this.#entries; entry++) {
      const at = this.#at(entry);
      if (this.#words[at + KEY_SIZE] === 0) {
        if (free < 0) free = entry;
      } else if (this.#words[at + KEY_SIZE] === keySize && this.#hasKey(at + KEY, key)) {
        return entry;
      }
    }
    if (free < 0) return -1;
    this.#words.set(key, this.#at(free) + KEY);
    this.#words[this.#at(free) + KEY_SIZE] = keySize;
    return free;
  }

  #hasKey(at: number, key: Int32Array): boolean {
    for (let i = 0; i < KEY_WORDS; i++) if (this.#words[at + i] !== key[i]) return false;
    return true;
  }

  #freeUnused(entry: number): void {
    for (let worker = 0; worker < this.workers; worker++) {
      if (this.#words[this.#of(entry, worker) + REFS] !== 0) return;
    }
    this.#words[this.#at(entry) + KEY_SIZE] = 0;
  }

  #earlier(entry: number, since: number): number {
    let count = 0;
    for (let worker = 0; worker < this.workers; worker++) {
      if (isEarlier(this.#words[this.#of(entry, worker) + SINCE]!, since)) count += 1;
    }
    return count;
  }

  #add(entry: number, amount: number): void {
    Atomics.add(this.#words, this.#at(entry) + IN_USE, amount);
    this.#words[this.#own(entry) + HELD]! += amount;
  }

  #at(entry: number): number {
    return LINE + entry * this.#entryWords;
  }

  #of(entry: number, worker: number): number {
    return LINE + entry * this.#entryWords + WORKER + LINE * worker;
  }

  #own(entry: number): number {
    return this.#of(entry, this.worker);
  }
}
