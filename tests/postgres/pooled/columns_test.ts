import { equal, notEqual, throws } from "node:assert/strict";
import { concat, putInt32, utf8 } from "../../../src/base/bytes.ts";
import { columnsOf, KnownColumns } from "../../../src/postgres/pooled/columns.ts";
import { SharedStatements } from "../../../src/postgres/pooled/statements.ts";
import { QueryScanner } from "../../../src/postgres/sql/query_scanner.ts";
import { ProtocolError } from "../../../src/postgres/wire/errors.ts";

const INT4 = 23;
const NUMERIC = 1700;

interface Column {
  readonly name?: string;
  readonly table?: number;
  readonly attribute?: number;
  readonly type?: number;
  readonly modifier?: number;
  readonly format?: number;
}

function columnOf(
  { name = "n", table = 0, attribute = 0, type = INT4, modifier = -1, format = 0 }: Column,
): Uint8Array {
  const fields = new Uint8Array(18);
  putInt32(fields, 0, table);
  fields[5] = attribute;
  putInt32(fields, 6, type);
  fields[11] = 4; // its size follows from its type
  putInt32(fields, 12, modifier);
  fields[17] = format;
  return concat(utf8(`${name}\0`), fields);
}

function rowDescription(...columns: readonly Column[]): Uint8Array {
  const body = concat(Uint8Array.of(0, columns.length), ...columns.map(columnOf));
  const header = utf8("T\0\0\0\0");
  putInt32(header, 1, body.length + 4);
  return concat(header, body);
}

const NO_DATA = utf8("n\0\0\0\u0004");

Deno.test("columnsOf tells names, types, modifiers, their order and their number apart", () => {
  const described = [
    NO_DATA,
    rowDescription(),
    rowDescription({}),
    rowDescription({ name: "m" }),
    rowDescription({ name: "" }),
    rowDescription({ type: NUMERIC }),
    rowDescription({ type: NUMERIC, modifier: (4 << 16 | 2) + 4 }),
    rowDescription({ type: NUMERIC, modifier: (4 << 16 | 3) + 4 }),
    rowDescription({ type: NUMERIC, modifier: (5 << 16 | 2) + 4 }),
    rowDescription({}, {}),
    rowDescription({}, { name: "m" }),
    rowDescription({ name: "m" }, {}),
    rowDescription({}, { modifier: 5 }),
    rowDescription({}, {}, { type: NUMERIC }),
  ];
  equal(new Set(described.map(columnsOf)).size, described.length);
  for (const columns of described) equal(columnsOf(columns.slice()), columnsOf(columns));
});

Deno.test("columnsOf takes columns for the same that come from another table or in another format", () => {
  const columns = columnsOf(rowDescription({}, { name: "m" }));
  equal(columnsOf(rowDescription({ table: 16384, attribute: 3 }, { name: "m" })), columns);
  equal(columnsOf(rowDescription({ format: 1 }, { name: "m", format: 1 })), columns);
});

Deno.test("columnsOf refuses a RowDescription that ends within a column", () => {
  const whole = rowDescription({ name: "first" }, { name: "second" });
  for (let size = 7; size < whole.length; size++) {
    throws(() => columnsOf(whole.subarray(0, size)), ProtocolError, `${size} bytes`);
  }
});

Deno.test("KnownColumns differ where both are known and have been read", () => {
  const statements = new SharedStatements(() => 0, new QueryScanner());
  const statement = statements.find(utf8("select 1\0\0\0"));
  const known = (...messages: readonly (Uint8Array | undefined)[]) => {
    const columns = new KnownColumns();
    for (const message of messages) columns.learn(statement, message);
    return columns;
  };
  const [told, same] = [known(rowDescription({})), known(rowDescription({ table: 1 }))];
  const [other, nothing] = [known(rowDescription({ type: NUMERIC })), known(NO_DATA)];
  const [unread, never] = [known(undefined), known()];
  notEqual(columnsOf(NO_DATA), columnsOf(rowDescription()));
  for (const [one, another] of [[told, other], [told, nothing], [nothing, other]] as const) {
    equal(one.differs(another, statement), true);
    equal(another.differs(one, statement), true);
  }
  for (const it of [same, unread, never]) {
    equal(told.differs(it, statement), false);
    equal(it.differs(told, statement), false);
    equal(nothing.differs(it, statement), it === same);
  }
  // What was told last counts, and nothing once it is forgotten.
  equal(known(undefined, rowDescription({})).differs(other, statement), true);
  equal(known(rowDescription({}), undefined).differs(other, statement), false);
  told.forget(statement);
  equal(told.differs(other, statement), false);
});
