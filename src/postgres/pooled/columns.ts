/**
 * Which columns clients have been told that their statements return. PostgreSQL does not execute a
 * prepared statement whose columns have changed since, for its client would read them as what they
 * were. A server that a statement is prepared on anew knows nothing of that, so it is asked first.
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { LateWeakMap } from "../../base/late_collections.ts";
import { ProtocolError } from "../wire/errors.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { BACKEND } from "../wire/tags.ts";
import type { Statement } from "./statements.ts";

/** A digest of columns: equal if and, but for chance, only if names, types and modifiers are. */
export type Columns = number;

/** What cannot be compared, since the message was too long to be read at once. */
const UNREAD: Columns = -1;

/** In a RowDescription, behind a column's name: table, attribute, type, size, modifier, format. */
const TYPE_AT = 6;
const MODIFIER_AT = 12;
const FIXED_SIZE = 18;

/**
 * The columns that a RowDescription or NoData tells of.
 *
 * @param bytes The whole message.
 * @throws {ProtocolError} If it is broken.
 */
export function columnsOf(bytes: Uint8Array): Columns {
  if (bytes[0] === BACKEND.noData) return 0;
  const digest = new Digest();
  let at = HEADER_SIZE + 2;
  for (let left = bytes[at - 2]! << 8 | bytes[at - 1]!; left > 0; left--) {
    const nameEnd = bytes.indexOf(0, at);
    const isWhole = nameEnd >= 0 && nameEnd + 1 + FIXED_SIZE <= bytes.length;
    if (!isWhole) throw new ProtocolError("invalid RowDescription");
    for (let i = at; i <= nameEnd; i++) digest.add(bytes[i]!);
    at = nameEnd + 1;
    digest.add(int32At(bytes, at + TYPE_AT));
    digest.add(int32At(bytes, at + MODIFIER_AT));
    at += FIXED_SIZE;
  }
  return digest.value;
}

/** 53 bits of two multiplicative hashes. */
class Digest {
  #high = 0x811c9dc5;
  #low = 0x9e3779b1;

  add(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x01000193);
    this.#low = Math.imul(this.#low ^ word, 0x85ebca6b) + 1;
    this.#low ^= this.#low >>> 15;
  }

  get value(): Columns {
    return ((this.#high >>> 11) * 0x100000000) + (this.#low >>> 0) + 1;
  }
}

/** Columns of statements, as a client was told of them or a server knows them. */
export class KnownColumns {
  readonly #known = new LateWeakMap<Columns>();
  /** True if there may be any. */
  hasAny = false;

  has(statement: Statement): boolean {
    return this.#known.has(statement);
  }

  /** A Describe has been answered. @param bytes The answer, or undefined if it was too long. */
  learn(statement: Statement, bytes: Uint8Array | undefined): void {
    this.hasAny = true;
    this.#known.set(statement, bytes === undefined ? UNREAD : columnsOf(bytes));
  }

  forget(statement: Statement): void {
    this.#known.delete(statement);
  }

  /** Whether both are known, and not the same. */
  differs(other: KnownColumns, statement: Statement): boolean {
    const [mine, its] = [this.#known.get(statement), other.#known.get(statement)];
    if (mine === undefined || mine === UNREAD) return false;
    return its !== undefined && its !== UNREAD && its !== mine;
  }
}
