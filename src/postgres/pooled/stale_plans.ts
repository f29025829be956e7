/**
 * The one error that is no fault of the client's: "cached plan must not change result type", which
 * a server raises when a table has changed since a statement was prepared, and which the gateway
 * provokes where a server that prepared it anew would not know. The last messages of a client up to
 * its Sync are kept for it: if the client has not been answered anything yet, and is going to be
 * told what the new columns are, they can be sent again.
 *
 * @module
 */

import { copyInto } from "../../base/bytes.ts";
import { LateSet } from "../../base/late_collections.ts";
import { FRONTEND } from "../wire/tags.ts";
import { STALE_NAME, type Statement } from "./statements.ts";
import type { Piece } from "./unnamed_statement.ts";

/** As PostgreSQL says it; the routine is what tells, since the text is translated. */
const STALE_PLAN: ReadonlyMap<string, string> = new Map([
  ["C", "0A000"],
  ["M", "cached plan must not change result type"],
  ["F", "plancache.c"],
  ["R", "RevalidateCachedQuery"],
]);

/** Messages of a batch that can be sent again. */
const IS_KEPT = new Uint8Array(256);
for (const tag of ["parse", "bind", "describe", "execute", "flush", "sync"] as const) {
  IS_KEPT[FRONTEND[tag]] = 1;
}

/** Messages to be sent again. */
export interface Batch {
  readonly bytes: Uint8Array;
  /** What they execute. */
  readonly statements: readonly Statement[];
}

/** Puts the error in place of what a server says of a statement that has other columns now. */
export function translateStale(fields: Map<string, string>): boolean {
  if (!hasOtherColumns(fields)) return false;
  for (const [code, text] of STALE_PLAN) fields.set(code, text);
  return true;
}

function hasOtherColumns(fields: ReadonlyMap<string, string>): boolean {
  return fields.get("M")?.includes(STALE_NAME) === true;
}

/** Knows statements of all clients. */
interface PlanKeeper {
  /** Nobody is to find the old plan any more who prepares the statement. */
  forget(statement: Statement): void;
}

/** Knows those of one client. */
interface ColumnsKeeper {
  /** The client is going to be told of a statement's columns again. */
  forgetColumns(statement: Statement): void;
}

/** What one client may have to send again. */
export class StalePlans {
  readonly #batch = new RetryBuffer();
  readonly #shared: PlanKeeper;
  readonly #own: ColumnsKeeper;

  constructor(shared: PlanKeeper, own: ColumnsKeeper) {
    this.#shared = shared;
    this.#own = own;
  }

  /** A server that was quiet is asked something. */
  begin(answers: number): void {
    this.#batch.begin(answers);
  }

  /** A message is going to be sent. */
  keep(tag: number, { view, start, end, isWhole }: Piece): void {
    if (!isWhole || IS_KEPT[tag] !== 1) return this.#batch.forget();
    // What is prepared ahead of all that may fail has been answered by then, or nothing is retried.
    const isPrepared = tag === FRONTEND.parse || tag === FRONTEND.flush;
    if (isPrepared && this.#batch.isEmpty) return;
    const [isDescribe, isSync] = [tag === FRONTEND.describe, tag === FRONTEND.sync];
    this.#batch.add(view, start, end, isDescribe, isSync);
  }

  /** A message is going to be sent that is not sent again. */
  forget(): void {
    this.#batch.forget();
  }

  /** It executes a statement, or describes one. */
  use(statement: Statement): void {
    this.#batch.statements.add(statement);
  }

  /** @returns What is sent again, or undefined if the client is to be told of the error. */
  retries(
    error: ReadonlyMap<string, string>,
    answers: number,
    isInTransaction: boolean,
  ): Batch | undefined {
    const isStale = error.get("R") === STALE_PLAN.get("R") || hasOtherColumns(error);
    if (!isStale) return undefined;
    const statements = [...this.#batch.statements];
    const bytes = this.#batch.take(answers);
    // A client that must be told prepares its statement again: it is not to find the old plan then.
    for (const statement of statements) this.#shared.forget(statement);
    if (bytes === undefined || isInTransaction) return undefined;
    for (const statement of statements) this.#own.forgetColumns(statement);
    return { bytes, statements };
  }
}

/** Longest batch that is kept, in bytes: a longer one gets the error. */
const BATCH_SIZE_MAX = 8 * 1024;

/** One client's current batch. */
class RetryBuffer {
  #bytes: Uint8Array | undefined;
  #size = 0;
  #state: "none" | "open" | "ended" = "none";
  #answersBefore = 0;
  #describes = false;
  /** What it executes, by the server's names. */
  readonly statements = new LateSet<Statement>();

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** @param answers How much the client has been answered so far. */
  begin(answers: number): void {
    this.#state = "open";
    this.#size = 0;
    this.#answersBefore = answers;
    this.#describes = false;
    this.statements.clear();
  }

  /** Something makes a retry impossible. */
  forget(): void {
    this.#state = "none";
  }

  /** A whole message is sent, which a view holds from `start` to `end`. */
  add(
    view: Uint8Array,
    start: number,
    end: number,
    isDescribe: boolean,
    isSync: boolean,
  ): void {
    if (this.#state === "none") return;
    const size = end - start;
    if (this.#state === "ended" || this.#size + size > BATCH_SIZE_MAX) return this.forget();
    this.#bytes ??= new Uint8Array(BATCH_SIZE_MAX);
    copyInto(this.#bytes, this.#size, view, start, end);
    this.#size += size;
    this.#describes ||= isDescribe;
    if (isSync) this.#state = "ended";
  }

  /**
   * The messages to send again.
   *
   * @param answers How much the client has been answered by now.
   * @returns A copy, or undefined if the client must be told.
   */
  take(answers: number): Uint8Array | undefined {
    const mayRetry = this.#state === "ended" && this.#describes &&
      answers === this.#answersBefore && this.statements.size > 0;
    this.forget();
    return mayRetry ? this.#bytes!.slice(0, this.#size) : undefined;
  }
}
