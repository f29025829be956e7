/**
 * What is counted of policies and signals, in shared memory like all counters: one region a worker,
 * one writer a region. Policies have cells by their number. Names of signals are the plugins'
 * choice, so there is a limited table; what comes when it is full is counted as
 * {@linkcode OTHER_SIGNAL}.
 *
 *     | policies x POLICY_CELL.size x f64 | counts: SLOTS x f64 | lengths: SLOTS x i32 | names |
 *
 * @module
 */

import { Cells } from "./counters.ts";

/** Cells of one policy. */
export const POLICY_CELL = {
  matches: 0,
  evaluationErrors: 1,
  impossibleActions: 2,
  webhooksDelivered: 3,
  webhooksFailed: 4,
  webhooksDropped: 5,
  size: 6,
} as const;

/** Stands for plugins and signals whose names are malformed or came when the table was full. */
const OTHER_SIGNAL = "other";

/** Of names of a plugin and a signal together. */
const SLOTS = 200;

/** 63 characters of a plugin, 64 of a signal, and one between them. */
const NAME_SIZE = 128;

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,62}\n[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** Signals of one name by one plugin. */
export interface SignalCount {
  readonly plugin: string;
  readonly signal: string;
  readonly count: number;
}

/** Memory for one worker's cells. */
export function actBuffer(policies: number): SharedArrayBuffer {
  return new SharedArrayBuffer(policies * POLICY_CELL.size * 8 + SLOTS * (8 + 4 + NAME_SIZE));
}

/** One worker's region. */
export class ActCells {
  readonly #cells: Float64Array;
  readonly #counts: Float64Array;
  /** 0 for a slot that is free. */
  readonly #lengths: Int32Array;
  readonly #names: Uint8Array;
  /** By plugin, line end and signal: of the writer only. */
  readonly #slots = new Map<string, number>();

  /** @param buffer Made by {@linkcode actBuffer} for as many policies. */
  constructor(policies: number, buffer: SharedArrayBuffer) {
    const cells = policies * POLICY_CELL.size;
    this.#cells = new Float64Array(buffer, 0, cells);
    this.#counts = new Float64Array(buffer, cells * 8, SLOTS);
    this.#lengths = new Int32Array(buffer, (cells + SLOTS) * 8, SLOTS);
    this.#names = new Uint8Array(buffer, (cells + SLOTS) * 8 + SLOTS * 4);
    // A worker that takes a dead one's place goes on with its slots.
    for (let slot = 1; slot < SLOTS && this.#lengths[slot] !== 0; slot++) {
      this.#slots.set(this.#nameIn(slot), slot);
    }
  }

  /** The cells of a policy, by its number from 0. */
  policy(index: number): Cells {
    const start = index * POLICY_CELL.size;
    return new Cells(this.#cells.subarray(start, start + POLICY_CELL.size));
  }

  /** Counts a signal. */
  addSignal(plugin: string, signal: string): void {
    const slot = this.#slotOf(`${plugin}\n${signal}`);
    this.#counts[slot] = this.#counts[slot]! + 1;
  }

  /** Every signal counted so far. */
  *signals(): Generator<SignalCount> {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (Atomics.load(this.#lengths, slot) === 0) continue;
      const [plugin, signal] = this.#nameIn(slot).split("\n");
      yield { plugin: plugin!, signal: signal!, count: this.#counts[slot]! };
    }
  }

  #slotOf(name: string): number {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    // The first slot is for the others.
    const isOther = !NAME.test(name) || this.#slots.size >= SLOTS - 1;
    const slot = isOther ? 0 : this.#slots.size + 1;
    if (!isOther) this.#slots.set(name, slot);
    if (this.#lengths[slot] === 0) this.#write(slot, isOther ? OTHER : name);
    return slot;
  }

  #nameIn(slot: number): string {
    const start = slot * NAME_SIZE;
    return String.fromCharCode(...this.#names.subarray(start, start + this.#lengths[slot]!));
  }

  #write(slot: number, name: string): void {
    for (let i = 0; i < name.length; i++) {
      this.#names[slot * NAME_SIZE + i] = name.charCodeAt(i);
    }
    // Readers look at names that have a length, so this comes last.
    Atomics.store(this.#lengths, slot, name.length);
  }
}

const OTHER = `${OTHER_SIGNAL}\n${OTHER_SIGNAL}`;
