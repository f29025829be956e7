/**
 * One client of a load: small transactions one after the other, on one connection after the other.
 * It remembers what was acknowledged, and so notices what is not there when it reads it back.
 *
 * @module
 */

import pg from "pg";
import { type LoadTally, TIMEOUT } from "./load_tally.ts";
import type { Target } from "./stories.ts";
import { pause, within } from "./wait.ts";

/** After a failure, so that a server that is not there is not flooded. */
const FAILURE_PAUSE_MS = 20;

/** Longest that a server may take to hear a client's goodbye. */
const GOODBYE_TIMEOUT_MS = 5_000;

/** Where the numbers go; without a key, so that a number that comes twice is seen. */
export const LOAD_ROWS = "load_rows";

/** A row for each client. */
export const LOAD_COUNTERS = "load_counters";

/**
 * What a client may do:
 * - "insert": one row, in a transaction of its own without BEGIN;
 * - "transaction": one row between BEGIN and COMMIT;
 * - "counter": adds one to its counter, then reads it in the next transaction by a plain SELECT.
 */
export type LoadAction = "insert" | "transaction" | "counter";

/** What a client needs to know. */
export interface LoadClientOptions {
  readonly target: Target;
  /** Done in turn. */
  readonly actions: readonly LoadAction[];
  readonly pauseMs: number;
  readonly timeoutMs: number;
  readonly isPrepared: boolean;
}

/** A client. {@linkcode run} it once. */
export class LoadClient {
  readonly #id: number;
  readonly #options: LoadClientOptions;
  readonly #tally: LoadTally;
  #connection: pg.Client | undefined;
  /** True while the connection can be used. */
  #isAlive = false;
  /** Why it cannot be used any more, if anybody has said so. */
  #lost: unknown;
  /** The last value of its counter that was acknowledged. */
  #counter = 0;
  /** True if that was on the connection that it has now. */
  #isCounterOfSession = false;
  /** True once it has read the counter since. */
  #isCounterRead = true;

  /** @param id Its number, from zero: which counter is its own. */
  constructor(id: number, options: LoadClientOptions, tally: LoadTally) {
    this.#id = id;
    this.#options = options;
    this.#tally = tally;
  }

  /** Works until the tally says to stop. Failures are counted, none is thrown. */
  async run(): Promise<void> {
    const { actions, pauseMs } = this.#options;
    for (let turn = this.#id; !this.#tally.isStopping; turn += 1) {
      try {
        await this.#connect();
        await this.#act(actions[turn % actions.length]!);
        await pause(pauseMs);
      } catch (error) {
        // Between two queries of a transaction the reason comes first, and then the next one fails.
        await this.#recover(this.#tally.failed(this.#lost ?? error));
        await pause(FAILURE_PAUSE_MS);
      }
    }
    await this.#leave();
  }

  /** Closes the connection without a word; what is under way fails. */
  abort(): void {
    this.#isAlive = false;
    const connection = this.#connection;
    this.#connection = undefined;
    // The driver has no other way to leave a server that does not answer.
    const stream = (connection as unknown as Connected | undefined)?.connection.stream;
    stream?.destroy();
  }

  async #leave(): Promise<void> {
    if (this.#connection !== undefined && this.#isAlive) {
      await within(GOODBYE_TIMEOUT_MS, "a client leaves", this.#connection.end()).catch(() => {});
    }
    this.abort();
  }

  async #connect(): Promise<void> {
    if (this.#isAlive) return;
    this.abort();
    const { target, timeoutMs } = this.#options;
    const connection = new pg.Client({
      ...target,
      ssl: false,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
    });
    // A query that is under way reports it, too; between two queries nobody else would.
    connection.on("error", (error: unknown) => {
      this.#isAlive = false;
      if (this.#connection === connection) this.#lost ??= error;
    });
    connection.on("end", () => this.#isAlive = false);
    this.#connection = connection;
    this.#isCounterOfSession = false;
    this.#lost = undefined;
    await connection.connect();
    this.#isAlive = true;
  }

  async #act(action: LoadAction): Promise<void> {
    if (action === "counter") return await this.#count();
    const number = this.#tally.nextNumber();
    const insert = () => this.#query(`insert into ${LOAD_ROWS} values ($1)`, [number]);
    if (action === "insert") {
      await insert();
    } else {
      await this.#query("begin");
      await insert();
      await this.#query("commit");
    }
    this.#tally.acknowledged(this.#id, number);
  }

  async #count(): Promise<void> {
    // What was acknowledged on a connection that was lost then.
    if (!this.#isCounterRead) await this.#readBack();
    const increment = `update ${LOAD_COUNTERS} set value = value + 1
      where client = $1 returning value`;
    const written = valueOf(await this.#query(increment, [this.#id]));
    this.#tally.wrote(this.#id);
    if (written <= this.#counter) this.#tally.lostIncrement(this.#id, written, this.#counter);
    this.#counter = written;
    this.#isCounterOfSession = true;
    this.#isCounterRead = false;
    await this.#readBack();
  }

  async #readBack(): Promise<void> {
    const text = `select value from ${LOAD_COUNTERS} where client = $1`;
    const value = valueOf(await this.#query(text, [this.#id]));
    this.#isCounterRead = true;
    this.#tally.read();
    if (value >= this.#counter) return;
    this.#tally.staleRead(this.#id, value, this.#counter, this.#isCounterOfSession);
  }

  /** After an error: out of a failed transaction, or, if nobody answers, to another connection. */
  async #recover(kind: string): Promise<void> {
    const hasHope = this.#isAlive && kind !== TIMEOUT;
    if (hasHope && await this.#query("rollback").then(() => true, () => false)) return;
    this.abort();
  }

  async #query(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const connection = this.#connection;
    if (connection === undefined) throw new Error("aborted");
    const isNamed = this.#options.isPrepared && values.length > 0;
    // Each of the statements has a first word of its own.
    const name = isNamed ? { name: text.split(" ", 1)[0]! } : {};
    return (await connection.query({ ...name, text, values: [...values] })).rows;
  }
}

/** Minus one if the row is not there, which is less than all that was acknowledged. */
function valueOf(rows: readonly Readonly<Record<string, unknown>>[]): number {
  return Number(rows[0]?.["value"] ?? -1);
}

/** What `pg.Client` has and its types do not tell. */
interface Connected {
  readonly connection: { readonly stream: { destroy(): void } };
}
