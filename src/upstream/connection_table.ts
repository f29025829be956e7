/**
 * How many connections there are to each server, and how many of them somebody uses, in shared
 * memory: a worker counts its own in a region of its own, and whoever asks sums the regions. So
 * what a worker leaves behind that dies can be taken out.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { ServerState } from "../observe/facts.ts";

/** 32-bit words of one server in one worker's region. */
const CELL = { open: 0, inUse: 1 } as const;
const CELLS = 2;

/** 1 in states in which a client has a connection, or what it left is still being undone. */
function inUse(state: ServerState | undefined): number {
  return state === "active" || state === "cleaning" ? 1 : 0;
}

/** Where the connections to one server are counted. */
export interface ConnectionCounter {
  /** One of them has changed its state; undefined is not there. */
  move(from: ServerState | undefined, to: ServerState | undefined): void;
}

/** Bytes of shared memory for so many workers and servers. */
export function connectionsSize(workers: number, members: number): number {
  return workers * members * CELLS * 4;
}

/** One thread's access to it. */
export class ConnectionTable {
  readonly #words: Int32Array;
  readonly #members: number;

  /**
   * @param words {@linkcode connectionsSize} bytes of shared memory, zeroed when new.
   * @param members How many servers there are, over all groups.
   */
  constructor(words: Int32Array, members: number) {
    this.#words = words;
    const region = Math.max(1, members * CELLS);
    assert(words.length % region === 0, "the table has its size");
    this.#members = members;
  }

  /**
   * The counter of one worker, which nobody else uses; undefined where the memory has no room for
   * the worker, since nobody asks for what it counts.
   */
  counter(worker: number, member: number): ConnectionCounter | undefined {
    const at = this.#at(worker, member);
    if (at >= this.#words.length) return undefined;
    const words = this.#words;
    return {
      // Nobody else writes there, so nothing is lost between reading and writing.
      move: (from, to) => {
        words[at + CELL.open]! += Number(to !== undefined) - Number(from !== undefined);
        words[at + CELL.inUse]! += inUse(to) - inUse(from);
      },
    };
  }

  /** Connections to a server that hold a socket, or are about to. */
  open(member: number): number {
    return this.#sum(member, CELL.open);
  }

  /** Those of them that clients have now. */
  inUse(member: number): number {
    return this.#sum(member, CELL.inUse);
  }

  /** A worker has ended, and its connections with it. */
  clear(worker: number): void {
    const start = this.#at(worker, 0);
    for (let at = start; at < start + this.#members * CELLS; at++) {
      Atomics.store(this.#words, at, 0);
    }
  }

  #sum(member: number, cell: number): number {
    let sum = 0;
    const step = this.#members * CELLS;
    for (let at = member * CELLS + cell; at < this.#words.length; at += step) {
      sum += Atomics.load(this.#words, at);
    }
    return sum;
  }

  #at(worker: number, member: number): number {
    return (worker * this.#members + member) * CELLS;
  }
}
