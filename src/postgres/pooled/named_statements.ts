/**
 * What one client's names stand for, and how much memory that takes: a statement that nobody else
 * knows any more is kept by the client that has a name for it.
 *
 * @module
 */

import { LateMap, LateSet } from "../../base/late_collections.ts";
import { ProtocolError } from "../wire/errors.ts";
import type { Statement } from "./statements.ts";

/** Names that one client may have at a time. PostgreSQL has no limit; memory has. */
const NAMES_MAX = 10_000;

/**
 * Bytes of names and statements with which a client has no room for more; 10,000 statements of
 * 1.6 KiB. The last one may go beyond, by its own size.
 */
const BYTES_MAX = 16 * 1024 * 1024;

/** PostgreSQL tells names apart by their first 63 bytes (NAMEDATALEN in pg_config_manual.h). */
const NAME_SIZE_MAX = 1024;

/** PostgreSQL's code for it: program_limit_exceeded. */
const TOO_MUCH = "54000";

/** The names of one client. */
export class NamedStatements {
  readonly #statements = new LateMap<string, Statement>();
  /** Names that are on one server only, under the client's own name: their texts are not kept. */
  readonly #raw = new LateSet<string>();
  #bytes = 0;

  /** True if what is prepared now is to be added by `addRaw`. */
  get isFull(): boolean {
    return this.#statements.size >= NAMES_MAX || this.#bytes >= BYTES_MAX;
  }

  /** Whether there are names of which only one server knows what they mean. */
  get hasRaw(): boolean {
    return this.#raw.size > 0;
  }

  get(name: string): Statement | undefined {
    return this.#statements.get(name);
  }

  set(name: string, statement: Statement): void {
    this.delete(name);
    this.#statements.set(name, statement);
    this.#bytes += sizeOf(name, statement);
  }

  delete(name: string): void {
    const statement = this.#statements.get(name);
    if (statement === undefined) return;
    this.#statements.delete(name);
    this.#bytes -= sizeOf(name, statement);
  }

  /** The name on servers has lost its meaning there. */
  deleteMeaning(isMeant: (statement: Statement) => boolean): void {
    for (const [name, statement] of this.#statements) if (isMeant(statement)) this.delete(name);
  }

  /**
   * @returns False if it was one already.
   * @throws {ProtocolError} 54000 if there are too many of them.
   */
  addRaw(name: string): boolean {
    if (this.#raw.has(name)) return false;
    if (this.#raw.size >= NAMES_MAX) {
      const rule = `at most ${NAMES_MAX} may be beyond what the gateway keeps`;
      throw new ProtocolError(`too many prepared statements: ${rule}; close some`, TOO_MUCH);
    }
    this.#raw.add(name);
    return true;
  }

  /** @returns Whether it was one. */
  deleteRaw(name: string): boolean {
    return this.#raw.delete(name);
  }

  clear(): void {
    this.#statements.clear();
    this.#raw.clear();
    this.#bytes = 0;
  }
}

/**
 * Checks the size of a name that a client gives.
 *
 * @throws {ProtocolError} 54000 if it is too long to be kept.
 */
export function checkNameSize(size: number): void {
  if (size <= NAME_SIZE_MAX) return;
  const rule = `it may have ${NAME_SIZE_MAX}`;
  throw new ProtocolError(`prepared statement name too long: ${size} bytes, ${rule}`, TOO_MUCH);
}

/** Bytes that a name keeps from being freed, about. */
function sizeOf(name: string, { size }: Statement): number {
  return name.length + size;
}
