/**
 * Messages as a server and a client send them, for benchmarks.
 *
 * @module
 */

import { concat, utf8 } from "../src/base/bytes.ts";
import { backendKeyData, message } from "../src/postgres/wire/messages.ts";

/** AuthenticationOk, BackendKeyData, ReadyForQuery: the shortest login there is. */
export function login(): Uint8Array {
  return concat(
    tagged("R", new Uint8Array(4)),
    backendKeyData(1, new Uint8Array(4)),
    tagged("Z", utf8("I")),
  );
}

/** A query of pgbench's, and what PostgreSQL answers: a column of one row. */
export function simpleQuery(): { readonly query: Uint8Array; readonly reply: Uint8Array } {
  const query = tagged("Q", utf8("SELECT abalance FROM pgbench_accounts WHERE aid = 54321;\0"));
  const column = concat(Uint8Array.of(0, 1), utf8("abalance\0"), new Uint8Array(18));
  const row = concat(Uint8Array.of(0, 1, 0, 0, 0, 1), utf8("0"));
  const reply = concat(
    tagged("T", column),
    tagged("D", row),
    tagged("C", utf8("SELECT 1\0")),
    tagged("Z", utf8("I")),
  );
  return { query, reply };
}

/** DataRows with one column, one behind the other. */
export function dataRows(count: number, valueSize: number): Uint8Array {
  const value = new Uint8Array(valueSize);
  const size = Uint8Array.of(valueSize >>> 24, valueSize >>> 16, valueSize >>> 8, valueSize);
  const row = tagged("D", concat(Uint8Array.of(0, 1), size, value));
  const rows = new Uint8Array(count * row.length);
  for (let i = 0; i < count; i += 1) rows.set(row, i * row.length);
  return rows;
}

function tagged(letter: string, body: Uint8Array): Uint8Array {
  return message(letter.charCodeAt(0), body);
}
