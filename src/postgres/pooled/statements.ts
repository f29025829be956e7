/**
 * Prepared statements that survive a change of server. A client's name for a statement is its own
 * affair; on servers each distinct statement (text and parameter types) has one name of the
 * gateway's, so that clients which prepare the same statement share the server's work:
 *
 *     client "S_1" --> Statement "sluice_7" <-- client "q"        server A: sluice_7, sluice_9
 *                                                                 server B: sluice_9
 *
 * A server that lacks a statement when it is bound is given it then. Each server keeps the ones it
 * used last, up to a limit.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import type { QueryScanner } from "../sql/query_scanner.ts";
import type { Traits } from "../sql/traits.ts";
import { nameOf } from "../wire/extended_messages.ts";
import { KnownColumns } from "./columns.ts";
import { PendingChanges } from "./pending_changes.ts";
import { RecentDefinitions } from "./recent_definitions.ts";
import type { ReplyQueue } from "./reply_queue.ts";

/** Server-side names begin so; a client's own name that does is kept apart by its map. */
export const SERVER_NAME_PREFIX = "sluice_";

/** A statement of the gateway's own, which is closed at once. */
export const OWN_NAME = utf8(`${SERVER_NAME_PREFIX}own`);

/** A name of that kind that no statement has. */
export const NOBODYS_NAME = utf8(`${SERVER_NAME_PREFIX}none`);

/** Another one, for a statement whose columns are not what its client was told. */
export const STALE_NAME = `${SERVER_NAME_PREFIX}stale`;

/** A statement that the gateway puts in a refused one's place begins so. */
export const REFUSAL = "DO $sluice$";

const REFUSAL_BYTES = utf8(REFUSAL);

/** Whether a statement is such a one, which takes no parameters. */
export function isRefusal({ definition }: UnnamedStatement): boolean {
  return REFUSAL_BYTES.every((byte, i) => definition[i] === byte);
}

/** Statements that one worker remembers to be the same; beyond, the oldest is found no more. */
const SHARED_STATEMENTS_MAX = 20_000;

/** Bytes of their texts, together. */
const SHARED_BYTES_MAX = 64 * 1024 * 1024;

/** One distinct statement. */
export interface Statement {
  /** Its name on servers, as bytes without the NUL. */
  readonly serverName: Uint8Array;
  /** What it is found by; undefined if it is not shared. */
  readonly key: string | undefined;
  /** The body of its Parse behind the name's NUL: text, NUL, parameter types. A copy. */
  readonly definition: Uint8Array<ArrayBuffer>;
  /** What it does to the session that executes it. */
  readonly traits: Traits;
  /** What its text names, and a server must have before it: EXECUTE of a prepared statement. */
  readonly requires: Statement | undefined;
  /** Bytes of its definition, and of what it requires: that is kept as long as it is. */
  readonly size: number;
}

/** What a client's unnamed statement is: the same shape, but nobody shares it. */
export interface UnnamedStatement {
  /** As in {@linkcode Statement}. */
  readonly definition: Uint8Array<ArrayBuffer>;
  readonly traits: Traits;
  readonly requires: Statement | undefined;
  readonly size: number;
}

/** What the names in a text mean. */
export interface Meaning {
  /** What those of tables and functions depend on; if that is not known, nobody shares it. */
  readonly names: string | undefined;
  /** The statement that it names, under the name that it has on servers. */
  readonly requires?: Statement | undefined;
}

const PLAIN: Meaning = { names: "" };

/** The statements of one worker, found by what they say. */
export class SharedStatements {
  readonly #byDefinition = new Map<string, Statement>();
  readonly #generationNow: () => number;
  readonly #scanner: QueryScanner;
  readonly #recent = new RecentDefinitions((definition) => this.traitsOf(definition));
  #generation = 0;
  #bytes = 0;
  #lastNumber = 0;

  /**
   * @param generationNow Grows when the schema changes: what is prepared from then on is planned
   * anew, even if a server has a statement of the same text from before.
   */
  constructor(generationNow: () => number, scanner: QueryScanner) {
    this.#generationNow = generationNow;
    this.#scanner = scanner;
  }

  /**
   * The statement that this definition means. `definition` may be a view.
   *
   * @param meaning What its names mean: where that differs, so do two statements of one text.
   */
  find(definition: Uint8Array, { names, requires }: Meaning = PLAIN): Statement {
    if (names === undefined) return this.#make(definition, undefined, requires);
    const generation = this.#generationNow();
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#byDefinition.clear();
      this.#bytes = 0;
    }
    const key = keyOf(definition, names);
    const known = this.#byDefinition.get(key);
    if (known !== undefined && known.requires === requires) return known;
    if (known !== undefined) this.#bytes -= key.length;
    const statement = this.#make(definition, key, requires);
    this.#byDefinition.set(key, statement);
    this.#bytes += key.length;
    this.#forgetOldest();
    return statement;
  }

  /** Its plan is stale: whoever prepares the same from now on gets another one. */
  forget({ key }: Statement): void {
    if (key !== undefined && this.#byDefinition.delete(key)) this.#bytes -= key.length;
  }

  /** What an unnamed statement is. `definition` may be a view. */
  unnamed(definition: Uint8Array, requires?: Statement): UnnamedStatement {
    const size = definition.length + (requires?.size ?? 0);
    // Another object each time: whether a server has it is told by which one it is.
    return { ...this.#recent.of(definition), requires, size };
  }

  #make(
    definition: Uint8Array,
    key: string | undefined,
    requires: Statement | undefined,
  ): Statement {
    const serverName = utf8(`${SERVER_NAME_PREFIX}${this.#lastNumber += 1}`);
    return { serverName, key, ...this.unnamed(definition, requires) };
  }

  /** What the statement of a definition does. */
  traitsOf(definition: Uint8Array): Traits {
    const end = definition.indexOf(0);
    return this.#scanner.scan(end < 0 ? definition : definition.subarray(0, end), true);
  }

  #forgetOldest(): void {
    for (const key of this.#byDefinition.keys()) {
      const isWithin = this.#byDefinition.size <= SHARED_STATEMENTS_MAX &&
        this.#bytes <= SHARED_BYTES_MAX;
      if (isWithin) return;
      this.#byDefinition.delete(key);
      this.#bytes -= key.length;
    }
  }
}

/** What one server connection has prepared, the one used last at the end. */
export class ServerStatements {
  readonly #max: number;
  readonly #prepared = new Set<Statement>();
  /** The one at the end, if it is known: who uses one again and again leaves it where it is. */
  #last: Statement | undefined;
  readonly #changes = new PendingChanges<Statement>();
  /** The number of each one's last change. */
  readonly #lastChanges = new WeakMap<Statement, number>();
  #changeCount = 0;
  /** Those of which it is not known whether they are there. */
  #doubtful = new WeakSet<Statement>();
  /** Those of statements that have been described there since they were prepared. */
  readonly columns = new KnownColumns();
  /** What is being described for that. */
  readonly checking = new Set<Statement>();

  /** @param max How many it may have; at least 1. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether it is there. */
  has(statement: Statement): boolean {
    return this.#prepared.has(statement) && !this.#doubtful.has(statement);
  }

  /** Whether it is there; if it is, it counts as used now. */
  use(statement: Statement): boolean {
    if (statement !== this.#last) {
      if (!this.#prepared.has(statement)) return false;
      this.restore(statement);
    }
    return !this.#doubtful.has(statement);
  }

  /** The request that is being sent prepares or closes it. */
  noteChange(statement: Statement, replies: ReplyQueue): void {
    this.#changes.note(statement, replies);
  }

  /**
   * A message is going to be sent that prepares or closes it.
   *
   * @param undo What is to be done if the server does not do it, and nothing has been sent since.
   * @returns To be called if the server does not do it. What was sent since has counted on it, and
   * may be done or not, so it is in doubt then.
   */
  change(statement: Statement, undo: () => void): () => void {
    const before = this.#lastChanges.get(statement) ?? 0;
    const own = this.#changeCount += 1;
    this.#lastChanges.set(statement, own);
    const wasDoubtful = this.#doubtful.delete(statement);
    return () => {
      if (this.#lastChanges.get(statement) !== own) return void this.#doubtful.add(statement);
      this.#lastChanges.set(statement, before);
      undo();
      if (wasDoubtful) this.#doubtful.add(statement);
    };
  }

  /** Whether it is there is in doubt, or depends on a request that has not been answered. */
  isUnsure(statement: Statement, replies: ReplyQueue): boolean {
    return this.#doubtful.has(statement) || this.#changes.isUnsure(statement, replies);
  }

  /** DEALLOCATE may have been carried out, although its request has failed. */
  doubt(statement: Statement): void {
    if (this.#prepared.has(statement)) this.#doubtful.add(statement);
  }

  /** As `doubt`, by its name on servers. */
  doubtNamed(serverName: string): void {
    for (const statement of this.#prepared) {
      if (nameOf(statement.serverName) === serverName) this.#doubtful.add(statement);
    }
  }

  /** As `doubt`, for DEALLOCATE ALL and DISCARD ALL. */
  doubtAll(): void {
    for (const statement of this.#prepared) this.#doubtful.add(statement);
  }

  /** Adds one. @returns The one to close, if there are too many. */
  add(statement: Statement): Statement | undefined {
    this.columns.forget(statement);
    this.restore(statement);
    if (this.#prepared.size <= this.#max) return undefined;
    for (const oldest of this.#prepared) {
      this.delete(oldest);
      return oldest;
    }
    return undefined;
  }

  /** It was to be closed, but the server skipped that. */
  restore(statement: Statement): void {
    this.#prepared.delete(statement);
    this.#prepared.add(statement);
    this.#last = statement;
  }

  /** DEALLOCATE has been carried out. */
  deleteNamed(serverName: string): void {
    for (const statement of this.#prepared) {
      if (nameOf(statement.serverName) === serverName) this.delete(statement);
    }
  }

  /** @returns Whether it was there. */
  delete(statement: Statement): boolean {
    if (statement === this.#last) this.#last = undefined;
    return this.#prepared.delete(statement);
  }

  clear(): void {
    this.#prepared.clear();
    this.#last = undefined;
    this.#doubtful = new WeakSet();
  }
}

/** Definitions and what their names depend on are equal if and only if their keys are. */
function keyOf(definition: Uint8Array, names: string): string {
  const text = latin1.decode(definition);
  return names === "" ? text : `${names}${BOUNDARY}${text}`;
}

/** A character that no byte becomes. */
const BOUNDARY = "\u0100";

/**
 * A string of the same length for any bytes. Windows-1252 (which this label means) maps every byte
 * to a character of its own, so nothing is lost.
 */
const latin1 = new TextDecoder("latin1");
