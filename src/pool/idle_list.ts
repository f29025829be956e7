/**
 * Idle connections by how hot they are: the one used last is given first, because its caches and
 * the server's are warm, and the coldest is the one to close.
 *
 * @module
 */

import type { CloseReason } from "./server_pool_types.ts";

/** A connection and what is known of it. */
export class Slot<C> {
  readonly connection: C;
  /** From this instant it is closed as too old, ms. */
  readonly expiresMs: number;
  /** How many reconnects there were before it. */
  readonly generation: number;
  state: "used" | "idle" | "checking" | "closing" = "used";
  /** Why it is closed, when it is. */
  closeReason: CloseReason = "lost";
  idleSinceMs: number;
  /** When it was last known to be alive, ms. */
  checkedMs: number;
  hotter: Slot<C> | undefined;
  colder: Slot<C> | undefined;

  constructor(connection: C, openedMs: number, expiresMs: number, generation: number) {
    this.connection = connection;
    this.idleSinceMs = this.checkedMs = openedMs;
    this.expiresMs = expiresMs;
    this.generation = generation;
  }
}

/** Slots in the order in which they became idle. */
export class IdleList<C> {
  #hottest: Slot<C> | undefined;
  #coldest: Slot<C> | undefined;
  #count = 0;

  get hottest(): Slot<C> | undefined {
    return this.#hottest;
  }

  get coldest(): Slot<C> | undefined {
    return this.#coldest;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds one where its `idleSinceMs` says: mostly it is the hottest. */
  add(slot: Slot<C>): void {
    let hotter: Slot<C> | undefined;
    let colder = this.#hottest;
    while (colder !== undefined && colder.idleSinceMs > slot.idleSinceMs) {
      hotter = colder;
      colder = colder.colder;
    }
    slot.hotter = hotter;
    slot.colder = colder;
    if (hotter === undefined) this.#hottest = slot;
    else hotter.colder = slot;
    if (colder === undefined) this.#coldest = slot;
    else colder.hotter = slot;
    this.#count += 1;
  }

  /** Takes out one that is in the list. */
  remove(slot: Slot<C>): void {
    const { hotter, colder } = slot;
    if (hotter === undefined) this.#hottest = colder;
    else hotter.colder = colder;
    if (colder === undefined) this.#coldest = hotter;
    else colder.hotter = hotter;
    slot.hotter = slot.colder = undefined;
    this.#count -= 1;
  }
}
