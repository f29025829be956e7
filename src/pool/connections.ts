/**
 * The open connections of one pool, and what each is at. Which state one is in is written here
 * only, so that the counts and the list of idle ones cannot disagree with it.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { IdleList, Slot } from "./idle_list.ts";

/** How much a connection's lifetime differs, so that those opened together do not end together. */
const LIFETIME_JITTER = 0.1;

/** Told with 1 or -1 when there is one connection more or less in a state. */
export interface ConnectionsHandler {
  onIdle(amount: number): void;
  onClosing(amount: number): void;
}

/** All connections of a pool from when they are open until they are gone. */
export class Connections<C> {
  readonly idle = new IdleList<C>();
  readonly #slots = new Map<C, Slot<C>>();
  readonly #maxLifetimeMs: number;
  readonly #random: () => number;
  readonly #handler: ConnectionsHandler;
  #checking = 0;
  #closing = 0;

  /**
   * @param maxLifetimeMs 0: no limit.
   * @param random From 0 to below 1.
   */
  constructor(maxLifetimeMs: number, random: () => number, handler: ConnectionsHandler) {
    this.#maxLifetimeMs = maxLifetimeMs;
    this.#random = random;
    this.#handler = handler;
  }

  get count(): number {
    return this.#slots.size;
  }

  get checking(): number {
    return this.#checking;
  }

  get closing(): number {
    return this.#closing;
  }

  /** How many there are in each state. */
  get counts() {
    const [idle, checking, closing] = [this.idle.count, this.#checking, this.#closing];
    return { used: this.#slots.size - idle - checking - closing, idle, checking, closing };
  }

  /** The slot of a connection that is not gone. */
  get(connection: C): Slot<C> | undefined {
    return this.#slots.get(connection);
  }

  /** Adds one that was opened just now; it counts as used. */
  add(connection: C, nowMs: number, generation: number): Slot<C> {
    assert(!this.#slots.has(connection), "a connection is opened once");
    const factor = 1 + LIFETIME_JITTER * (2 * this.#random() - 1);
    const lifetimeMs = this.#maxLifetimeMs === 0 ? Infinity : this.#maxLifetimeMs * factor;
    const slot = new Slot(connection, nowMs, nowMs + lifetimeMs, generation);
    this.#slots.set(connection, slot);
    return slot;
  }

  /** Forgets one that is gone. */
  delete(slot: Slot<C>): void {
    this.move(slot, "used");
    this.#slots.delete(slot.connection);
  }

  /** From one state to another. */
  move(slot: Slot<C>, state: Slot<C>["state"]): void {
    if (slot.state === "idle") {
      this.idle.remove(slot);
      this.#handler.onIdle(-1);
    } else if (slot.state === "checking") this.#checking -= 1;
    else if (slot.state === "closing") this.#addClosing(-1);
    slot.state = state;
    if (state === "idle") {
      this.idle.add(slot);
      this.#handler.onIdle(1);
    } else if (state === "checking") this.#checking += 1;
    else if (state === "closing") this.#addClosing(1);
  }

  #addClosing(amount: number): void {
    this.#closing += amount;
    this.#handler.onClosing(amount);
  }
}
