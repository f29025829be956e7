/**
 * What is known of every server, in shared memory: the control plane writes it, workers route by
 * it. A row has whole words that are each right by themselves; a reader may see some of them before
 * the others, and `changes` grows behind all of them.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { connectionsSize, ConnectionTable } from "./connection_table.ts";
import { type GroupAddresses, membersOf } from "./members.ts";

/** What a server is, as it says itself. */
export const ROLE = { unknown: 0, primary: 1, replica: 2 } as const;

/** Whether it answers. Unknown is what nobody checks, or has not checked yet: it may be tried. */
export const HEALTH = { unknown: 0, up: 1, down: 2 } as const;

/** Reasons not to use a server that are not its health. */
export const FLAG = {
  /** An operator has taken it out: no new work, and what runs goes on. */
  disabled: 1,
  /** The same, and its connections are closed once they are free. */
  draining: 2,
  /** It says that it is a primary, and another one has a newer timeline. */
  fenced: 4,
  /** It is a replica that is further behind than is allowed. */
  lagging: 8,
} as const;

/** What keeps all new work away. */
export const KEEPS_AWAY = FLAG.disabled | FLAG.draining | FLAG.fenced;

/** Words of the head: `changes` and `round`. */
const HEAD = 4;
const CHANGES = 0;
const ROUND = 1;

/** 32-bit words of a row. */
const CELL = {
  role: 0,
  health: 1,
  flags: 2,
  caughtUpRound: 3,
  timeline: 4,
  /** Failures that workers have seen since the start. */
  failures: 5,
  /** Grows each time that connections to it are not to be used any more. */
  epoch: 6,
} as const;
const ROW = 8;

/** 64-bit floats of a row, behind all words. */
const NUMBER = { upSinceMs: 0, lagMs: 1, lagSize: 2, position: 3 } as const;
const NUMBERS = 4;

/** Words of a group: whether it is paused. */
const GROUP_ROW = 1;

/** What the control plane found out about a server. */
export interface ServerFacts {
  readonly role: number;
  readonly health: number;
  readonly flags: number;
  /** 0 while it is unknown. */
  readonly timeline: number;
  /** Milliseconds since 1970. */
  readonly upSinceMs: number;
  /** How far behind the primary it is; 0 for a primary. */
  readonly lagMs: number;
  readonly lagSize: number;
  /** Bytes of WAL since the beginning that it has written, or replayed. */
  readonly position: number;
}

/**
 * Shared memory for so many servers and groups.
 *
 * @param workers How many of them count their connections.
 */
export function serverTableBuffer(members: number, groups: number, workers = 0): SharedArrayBuffer {
  return new SharedArrayBuffer(rowsSize(members, groups) + connectionsSize(workers, members));
}

/** Bytes of the table without the connections of workers, which come behind it. */
function rowsSize(members: number, groups: number): number {
  const words = HEAD + members * ROW + groups * GROUP_ROW;
  const aligned = words + words % 2;
  return aligned * 4 + members * NUMBERS * 8;
}

/** Makes the table of all servers of the configured clients. */
export function serverTableFor(
  clients: ReadonlyMap<string, GroupAddresses>,
  workers: number,
): ServerTable {
  const count = [...membersOf(clients).values()].flat().length;
  return new ServerTable(serverTableBuffer(count, clients.size, workers), count, clients.size);
}

/** One thread's access to it. */
export class ServerTable {
  readonly buffer: SharedArrayBuffer;
  /** How many connections there are to each server. */
  readonly connections: ConnectionTable;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #groups: number;
  readonly members: number;

  /** @param members How many servers there are, over all groups. */
  constructor(buffer: SharedArrayBuffer, members: number, groups: number) {
    const words = HEAD + members * ROW + groups * GROUP_ROW;
    const aligned = words + words % 2;
    const size = rowsSize(members, groups);
    assert(buffer.byteLength >= size, "the table has its size");
    this.#words = new Int32Array(buffer, 0, words);
    this.#numbers = new Float64Array(buffer, aligned * 4, members * NUMBERS);
    this.#groups = HEAD + members * ROW;
    this.members = members;
    this.buffer = buffer;
    this.connections = new ConnectionTable(new Int32Array(buffer, size), members);
  }

  /** Grows with each change that routing depends on. */
  get changes(): number {
    return Atomics.load(this.#words, CHANGES);
  }

  /** Which round of sampling positions was begun last. */
  get round(): number {
    return Atomics.load(this.#words, ROUND);
  }

  // What workers read -----------------------------------------------------------------------------

  role(member: number): number {
    return Atomics.load(this.#words, at(member, CELL.role));
  }

  health(member: number): number {
    return Atomics.load(this.#words, at(member, CELL.health));
  }

  flags(member: number): number {
    return Atomics.load(this.#words, at(member, CELL.flags));
  }

  timeline(member: number): number {
    return Atomics.load(this.#words, at(member, CELL.timeline));
  }

  /** The newest round whose position of the primary this replica has replayed. */
  caughtUpRound(member: number): number {
    return Atomics.load(this.#words, at(member, CELL.caughtUpRound));
  }

  /** Connections that were opened under another number are not to be used. */
  epoch(member: number): number {
    return Atomics.load(this.#words, at(member, CELL.epoch));
  }

  failures(member: number): number {
    return Atomics.load(this.#words, at(member, CELL.failures));
  }

  upSinceMs(member: number): number {
    return this.#numbers[member * NUMBERS + NUMBER.upSinceMs]!;
  }

  lagMs(member: number): number {
    return this.#numbers[member * NUMBERS + NUMBER.lagMs]!;
  }

  lagSize(member: number): number {
    return this.#numbers[member * NUMBERS + NUMBER.lagSize]!;
  }

  position(member: number): number {
    return this.#numbers[member * NUMBERS + NUMBER.position]!;
  }

  isPaused(group: number): boolean {
    return Atomics.load(this.#words, this.#groups + group) !== 0;
  }

  // What workers write ----------------------------------------------------------------------------

  /** A worker could not use the server. */
  countFailure(member: number): void {
    Atomics.add(this.#words, at(member, CELL.failures), 1);
  }

  // What the control plane writes -----------------------------------------------------------------

  /** A new round of sampling begins: positions that are asked for from now on belong to it. */
  beginRound(): number {
    return Atomics.add(this.#words, ROUND, 1) + 1;
  }

  /** @param round What it has replayed all of. */
  setCaughtUp(member: number, round: number): void {
    Atomics.store(this.#words, at(member, CELL.caughtUpRound), round);
  }

  /** Everything at once; `changes` grows if role, health, flags or timeline are others. */
  set(member: number, facts: ServerFacts): void {
    const numbers = member * NUMBERS;
    this.#numbers[numbers + NUMBER.upSinceMs] = facts.upSinceMs;
    this.#numbers[numbers + NUMBER.lagMs] = facts.lagMs;
    this.#numbers[numbers + NUMBER.lagSize] = facts.lagSize;
    this.#numbers[numbers + NUMBER.position] = facts.position;
    let isChanged = false;
    for (const cell of ["role", "health", "flags", "timeline"] as const) {
      const before = Atomics.exchange(this.#words, at(member, CELL[cell]), facts[cell]);
      if (before !== facts[cell]) isChanged = true;
    }
    if (isChanged) this.#change();
  }

  /** Connections to it that are open now are not to be used any more. */
  newEpoch(member: number): void {
    Atomics.add(this.#words, at(member, CELL.epoch), 1);
    this.#change();
  }

  setPaused(group: number, isPaused: boolean): void {
    Atomics.store(this.#words, this.#groups + group, isPaused ? 1 : 0);
    this.#change();
  }

  #change(): void {
    Atomics.add(this.#words, CHANGES, 1);
  }
}

function at(member: number, cell: number): number {
  return HEAD + member * ROW + cell;
}
