/**
 * The cells of the comparison: each is one kind of work by some number of clients, in session or
 * in transaction mode, which every subject does in interleaved rounds.
 *
 * @module
 */

import { type Transfer, TRANSFERS } from "./large_results.ts";
import type { PoolMode } from "./peers/running_proxy.ts";
import type { Protocol } from "./pgbench.ts";

/** What can be measured, in the order in which it is. */
export const CELL_KINDS = [
  "simple",
  "extended",
  "prepared",
  "connect",
  "tls",
  "workers",
  "large",
  "idle",
] as const;

/** See {@linkcode KIND_TITLES}. */
export type CellKind = typeof CELL_KINDS[number];

/** What each kind is, as a heading. */
export const KIND_TITLES: Readonly<Record<CellKind, string>> = {
  simple: "Simple protocol",
  extended: "Extended protocol",
  prepared: "Prepared statements",
  connect: "A connection for each transaction",
  tls: "TLS from the client",
  workers: "From one worker to several",
  large: "Large results",
  idle: "Idle clients",
};

/** One cell. */
export interface Cell {
  readonly kind: CellKind;
  readonly mode: PoolMode;
  readonly clients: number;
  readonly protocol: Protocol;
  /** How many workers the subjects have: one row each for those that can have several. */
  readonly workers: readonly number[];
  /** What is transferred, in cells of large results. */
  readonly transfer?: Transfer;
}

/** Which cells there are. */
export interface CellChoice {
  readonly kinds: readonly CellKind[];
  readonly modes: readonly PoolMode[];
  /** For every kind that runs pgbench; undefined for what each kind takes by itself. */
  readonly clients: readonly number[] | undefined;
  /** Every number of clients with every protocol in both modes. */
  readonly isFull: boolean;
  readonly idleClients: number;
  /** Where subjects have several workers, they have so many. */
  readonly workersMax: number;
}

/** The numbers of clients that matter. */
const ALL_CLIENTS = [1, 8, 32, 100, 1000];

/** Numbers of clients in a kind of cell, unless the command line says others. */
function clientsOf(kind: CellKind, mode: PoolMode, isFull: boolean): readonly number[] {
  switch (kind) {
    case "extended":
    case "prepared":
      if (isFull) return ALL_CLIENTS;
      // With a server connection for each client, the protocol hardly matters.
      if (mode === "session") return [8];
      // 1,000 clients take long to come: one kind has to do.
      return kind === "extended" ? [8, 100] : [8, 100, 1000];
    case "connect":
      // More only measure how fast pgbench, a process itself, can connect.
      return isFull ? [8, 32] : [8];
    case "tls":
      return isFull ? [8, 100] : [8];
    case "workers":
      return [32];
    default:
      return ALL_CLIENTS;
  }
}

/** All cells of a choice, in the order in which they are measured. */
export function cellsOf(choice: CellChoice): Cell[] {
  const { modes, idleClients, workersMax, isFull } = choice;
  return choice.kinds.flatMap((kind): Cell[] => {
    const protocol = kind === "extended" || kind === "prepared" ? kind : "simple";
    const workers = kind === "workers" && workersMax > 1 ? [1, workersMax] : [1];
    const base = { kind, protocol, workers } as const;
    // In session mode some have a server connection for each client, idle or not.
    if (kind === "idle") return [{ ...base, mode: "transaction", clients: idleClients }];
    return modes.flatMap((mode) =>
      kind === "large"
        ? TRANSFERS.map((transfer) => ({ ...base, mode, clients: 1, transfer }))
        : (choice.clients ?? clientsOf(kind, mode, isFull))
          .map((clients) => ({ ...base, mode, clients }))
    );
  });
}

/** What a cell's row begins with: "8 clients", or what is transferred. */
export function cellName({ clients, transfer }: Cell): string {
  return transfer?.name ?? `${clients} ${clients === 1 ? "client" : "clients"}`;
}

/** A cell in a sentence: "8 clients, simple protocol, session mode". */
export function cellTitle(cell: Cell): string {
  return `${cellName(cell)}, ${KIND_TITLES[cell.kind].toLowerCase()}, ${cell.mode} mode`;
}

/** Server connections beyond one for each client in session mode: some may still be closing. */
const SPARE_CONNECTIONS = 8;

/** Server connections that each subject may open in a cell. @param shared In transaction mode. */
export function poolSizeOf({ mode, clients }: Cell, shared: number): number {
  return mode === "session" ? clients + SPARE_CONNECTIONS : shared;
}

/** Memory hardly differs from round to round, and takes long to settle: so many rounds are one. */
const ROUNDS_PER_IDLE_ROUND = 3;

/** How many rounds a cell has. @param rounds As the command line says. */
export function roundsOf(kind: CellKind, rounds: number): number {
  return kind === "idle" ? Math.ceil(rounds / ROUNDS_PER_IDLE_ROUND) : rounds;
}

/** Before rounds each subject does the same work for so long, which is not counted. */
export const WARM_UP_SECONDS = 1;

/**
 * What Sluice is asked before that, for each worker: its engine compiles in steps, and has a
 * session's whole path in its last one only after some 40,000 queries.
 */
export const COMPILING_QUERIES = 75_000;

/** Queries per second that are expected then, on a machine that does nothing else. */
const COMPILING_RATE = 15_000;

/** Logins are slower than queries, so Sluice gets as much time for them as it needs. */
export const COMPILING_LOGINS_SECONDS = 5;

/** No more than this have their server connections at once. */
export const FEW_CLIENTS = 50;

/** Server connections that are opened in a second at least, by whoever takes its time with it. */
const OPENED_PER_SECOND = 200;

/** How long it takes until every client of a cell has its own server connection, in seconds. */
export function openingSeconds({ kind, mode, clients }: Cell): number {
  const areOpened = mode === "session" && clients > FEW_CLIENTS && kind !== "connect" &&
    kind !== "idle" && kind !== "large";
  return areOpened ? 1 + clients / OPENED_PER_SECOND : 0;
}

/** Starting and stopping a subject, with its warm-up; a process for each client takes longer. */
const START_SECONDS = 1 + WARM_UP_SECONDS;
const START_SECONDS_PER_CLIENT = 0.003;

/** What a start takes longer for Sluice. */
function compilingSeconds(kind: CellKind): number {
  if (kind === "large") return 0;
  const logins = kind === "connect" ? COMPILING_LOGINS_SECONDS : 0;
  return COMPILING_QUERIES / COMPILING_RATE + logins;
}

/** What pgbench does before and after it counts. */
const RUN_SECONDS = 0.3;
const RUN_SECONDS_PER_CLIENT = 0.003;

const TRANSFER_SECONDS = 0.6;
const IDLE_SECONDS = 33;
const IDLE_SECONDS_PER_CLIENT = 0.001;

/**
 * Roughly how long a cell takes, in seconds.
 *
 * @param subjects How many take part, each with each number of workers counted.
 * @param sluices How many of them are Sluice.
 * @param isApart Subjects do not run next to one another: each run starts and stops its own.
 */
export function estimatedSeconds(
  cell: Cell,
  { subjects, sluices, isApart, rounds, seconds }: {
    readonly subjects: number;
    readonly sluices: number;
    readonly isApart: boolean;
    readonly rounds: number;
    readonly seconds: number;
  },
): number {
  const { kind, clients } = cell;
  if (kind === "idle") {
    return subjects * roundsOf(kind, rounds) * (IDLE_SECONDS + clients * IDLE_SECONDS_PER_CLIENT);
  }
  const start = START_SECONDS + clients * START_SECONDS_PER_CLIENT + openingSeconds(cell);
  const run = kind === "large"
    ? TRANSFER_SECONDS
    : seconds + RUN_SECONDS + clients * RUN_SECONDS_PER_CLIENT;
  const starts = isApart ? rounds : 1;
  return subjects * (rounds * run + starts * start) + sluices * starts * compilingSeconds(kind);
}
