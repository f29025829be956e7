import { deepStrictEqual as assertEquals } from "node:assert/strict";
import {
  type ErrorSource,
  OTHER_SQLSTATE,
  SqlStateCells,
  sqlStateTableSize,
} from "../../src/observe/sqlstate_cells.ts";

const OFFSET = 16;

function newTable(): { buffer: SharedArrayBuffer; cells: SqlStateCells } {
  const buffer = new SharedArrayBuffer(OFFSET + sqlStateTableSize());
  return { buffer, cells: new SqlStateCells(buffer, OFFSET) };
}

function counts(cells: SqlStateCells): Record<string, number> {
  return Object.fromEntries(
    [...cells.entries()].map((e) => [`${e.source} ${e.sqlState}`, e.count]),
  );
}

/** A well-formed code that no other number gives. */
function code(number: number): string {
  return number.toString(36).toUpperCase().padStart(5, "0");
}

Deno.test("SqlStateCells counts by source and code, to the ends of the alphabet", () => {
  const { buffer, cells } = newTable();
  const codes = ["00000", "ZZZZZ", "23505", "57P01", "XX000", "0000Z", "Z0000"];
  for (const source of ["server", "gateway"] as const) {
    for (const [index, sqlState] of codes.entries()) {
      for (let i = 0; i <= index; i++) cells.add(source, sqlState);
    }
  }
  const expected = Object.fromEntries(
    ["server", "gateway"].flatMap((s) => codes.map((c, index) => [`${s} ${c}`, index + 1])),
  );
  assertEquals(counts(cells), expected);
  assertEquals(counts(new SqlStateCells(buffer, OFFSET)), expected);
  assertEquals([...new Uint8Array(buffer, 0, OFFSET)].every((byte) => byte === 0), true);
});

for (const bad of ["", "2350", "235055", "2350a", "23 05", "é3505", "23505\n", "-1234", "1e+10"]) {
  Deno.test(`SqlStateCells counts ${JSON.stringify(bad)} as "other" of its source`, () => {
    const { cells } = newTable();
    cells.add("gateway", bad);
    assertEquals([...cells.entries()], [
      { source: "gateway", sqlState: OTHER_SQLSTATE, count: 1 },
    ]);
  });
}

for (const source of ["server", "gateway"] as const satisfies readonly ErrorSource[]) {
  Deno.test(`SqlStateCells, full of ${source} codes, counts new ones as "other"`, () => {
    const { cells } = newTable();
    for (let number = 0; number < 1000; number++) cells.add(source, code(number * 7919));
    const other = source === "server" ? "gateway" : "server";
    cells.add(other, "23505");
    cells.add(source, code(0));
    const all = counts(cells);
    assertEquals(all[`${other} ${OTHER_SQLSTATE}`], 1);
    assertEquals(all[`${source} ${code(0)}`], 2);
    // Nothing is lost: 1000 and 2 more, in 254 slots with codes and two with "other".
    assertEquals(Object.keys(all).length, 256);
    assertEquals(Object.values(all).reduce((a, b) => a + b), 1002);
  });
}

Deno.test("SqlStateCells.entries() gives numbers that only grow while codes are added", () => {
  const { cells } = newTable();
  let before: Record<string, number> = {};
  for (let number = 0; number < 600; number++) {
    cells.add("server", code((number * number) % 400));
    const now = counts(cells);
    for (const [key, count] of Object.entries(before)) {
      assertEquals(now[key]! >= count, true, `${key} went backwards`);
    }
    before = now;
  }
});
