/**
 * A load for tests of failover: clients that write and read back what they wrote while servers fail
 * behind the gateway. Afterwards it is known what was acknowledged, and so whether it was kept.
 *
 *     await prepareLoad(primary.target, 8);
 *     await using load = startLoad({ target, clients: 8 });
 *     await load.untilServed();
 *     ... // let something fail
 *     await load.untilServed();
 *     const report = await load.stop();
 *     assert.deepEqual(await rowsKept(primary.target, report), NOTHING_LOST);
 *
 * @module
 */

import { LOAD_COUNTERS, LOAD_ROWS, type LoadAction, LoadClient } from "./load_client.ts";
import { type LoadReport, LoadTally } from "./load_tally.ts";
import { queryOnce } from "./postgres.ts";
import type { Target } from "./stories.ts";
import { eventually } from "./wait.ts";

/** Longer than a gateway lets clients wait for a failover. */
const TIMEOUT_MS = 45_000;

/** What load to make. */
export interface LoadOptions {
  /** Where the clients connect. */
  readonly target: Target;
  /** At most as many as {@linkcode prepareLoad} was told. */
  readonly clients: number;
  /** Done in turn by each client. Default: all there are. */
  readonly actions?: readonly LoadAction[];
  /** Of a client after each success, in milliseconds. Default 1. */
  readonly pauseMs?: number;
  /** Longest for a connection or one answer; then it counts as a failure. Default 45 s. */
  readonly timeoutMs?: number;
  /** True if statements have names and are parsed once a connection. Default false. */
  readonly isPrepared?: boolean;
}

/** What has become of the rows of a load. */
export interface RowsKept {
  /** Acknowledged, and not there. */
  readonly lost: readonly number[];
  /** There more than once: somebody has repeated a write. */
  readonly duplicated: readonly number[];
  /** There, and nobody wrote them. */
  readonly unknown: readonly number[];
}

/** What {@linkcode rowsKept} must give. */
export const NOTHING_LOST: RowsKept = { lost: [], duplicated: [], unknown: [] };

/** Makes the tables that a load writes to, empty. @param target The primary itself. */
export async function prepareLoad(target: Target, clients: number): Promise<void> {
  await queryOnce(
    target,
    `drop table if exists ${LOAD_ROWS}, ${LOAD_COUNTERS};
    create table ${LOAD_ROWS} (n int);
    create table ${LOAD_COUNTERS} (client int primary key, value int);
    insert into ${LOAD_COUNTERS} select client, 0 from generate_series(0, ${clients - 1}) client;`,
  );
}

/** Starts the clients. */
export function startLoad(options: LoadOptions): Load {
  return new Load(options);
}

/** Compares what a load was told with what is there. @param target The primary itself. */
export async function rowsKept(target: Target, report: LoadReport): Promise<RowsKept> {
  const seen = new Set<number>();
  const duplicated = new Set<number>();
  for (const row of await queryOnce(target, `select n from ${LOAD_ROWS}`)) {
    const number = Number(row["n"]);
    if (seen.has(number)) duplicated.add(number);
    seen.add(number);
  }
  return {
    lost: report.acknowledged.filter((number) => !seen.has(number)),
    duplicated: [...duplicated],
    unknown: [...seen].filter((number) => number < 0 || number >= report.numbersEnd),
  };
}

/** Clients at work. Disposing of it closes their connections at once. */
export class Load implements AsyncDisposable {
  readonly #tally: LoadTally;
  readonly #clients: readonly LoadClient[];
  readonly #running: Promise<unknown>;

  constructor(options: LoadOptions) {
    const { target, actions = ["insert", "transaction", "counter"] } = options;
    const { pauseMs = 1, timeoutMs = TIMEOUT_MS, isPrepared = false } = options;
    if (actions.length === 0) throw new RangeError("actions must not be empty");
    const same = { target, actions, pauseMs, timeoutMs, isPrepared };
    this.#tally = new LoadTally(options.clients);
    this.#clients = Array.from(
      { length: options.clients },
      (_, id) => new LoadClient(id, same, this.#tally),
    );
    this.#running = Promise.all(this.#clients.map((client) => client.run()));
  }

  /** What has happened until now. */
  get report(): LoadReport {
    return this.#tally.report();
  }

  /** Waits until a write of every client was acknowledged after this call. */
  async untilServed(): Promise<void> {
    const before = this.#tally.writes;
    const isServed = () => this.#tally.writes.every((count, id) => count > before[id]!);
    await eventually("every client is served", isServed, 2 * TIMEOUT_MS).catch((error) => {
      const outcomes = JSON.stringify([...this.report.outcomes]);
      const messages = JSON.stringify([...this.report.messages]);
      throw new Error(`${error.message}. Outcomes: ${outcomes}. Messages: ${messages}`);
    });
  }

  /** Lets each client finish what it does and leave; tells what has happened. */
  async stop(): Promise<LoadReport> {
    this.#tally.isStopping = true;
    await this.#running;
    return this.#tally.report();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tally.isStopping = true;
    for (const client of this.#clients) client.abort();
    await this.#running;
  }
}
