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

/** What a client sends at once, and what it gets. */
export interface Exchange {
  readonly query: Uint8Array;
  readonly reply: Uint8Array;
}

/** A query of pgbench's, and what PostgreSQL answers: a column of one row. */
export function simpleQuery(): Exchange {
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

/** How pgbench prepares that query, and how it then runs it, each with its Sync. */
export function preparedQuery(): { readonly preparing: Exchange; readonly running: Exchange } {
  const text = utf8("P_0\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0");
  const bind = concat(utf8("\0P_0\0"), Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 5), utf8("54321"));
  const query = concat(
    tagged("B", concat(bind, Uint8Array.of(0, 1, 0, 0))),
    tagged("D", utf8("P\0")),
    tagged("E", new Uint8Array(5)),
    tagged("S", new Uint8Array()),
  );
  return {
    preparing: {
      query: concat(tagged("P", concat(text, new Uint8Array(2))), tagged("S", new Uint8Array())),
      reply: concat(tagged("1", new Uint8Array()), tagged("Z", utf8("I"))),
    },
    running: { query, reply: concat(tagged("2", new Uint8Array()), simpleQuery().reply) },
  };
}

/** The same as most drivers send it: prepared without a name, and run once. */
export function extendedQuery(): Exchange {
  const text = utf8("\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0");
  const bind = concat(Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 5), utf8("54321"));
  const query = concat(
    tagged("P", concat(text, new Uint8Array(2))),
    tagged("B", concat(bind, Uint8Array.of(0, 1, 0, 0))),
    tagged("D", utf8("P\0")),
    tagged("E", new Uint8Array(5)),
    tagged("S", new Uint8Array()),
  );
  const [parsed, bound] = [tagged("1", new Uint8Array()), tagged("2", new Uint8Array())];
  return { query, reply: concat(parsed, bound, simpleQuery().reply) };
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
