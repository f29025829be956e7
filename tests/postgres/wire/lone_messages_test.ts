import { deepEqual, equal } from "node:assert/strict";
import { concat, textOf } from "../../../src/base/bytes.ts";
import {
  isLoneQuery,
  isWholeAnswer,
  isWholeBatchAnswer,
  LoneBatch,
} from "../../../src/postgres/wire/lone_messages.ts";
import { bind, describe, execute, parseNamed } from "../../support/extended_messages.ts";
import {
  complete,
  dataRow,
  error,
  message,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
} from "../../support/messages.ts";

const LIMIT = 1_000;
const ANSWER = concat(ROW_DESCRIPTION, dataRow("1"), dataRow(""), complete("SELECT 2"), ready());

Deno.test("isLoneQuery knows one whole Query, and nothing else", () => {
  const lone = query("SELECT 1");
  equal(isLoneQuery(lone, LIMIT), true);
  equal(isLoneQuery(query(""), LIMIT), true);
  for (let size = 0; size < lone.length; size += 1) {
    equal(isLoneQuery(lone.subarray(0, size), LIMIT), false, `${size} bytes of it`);
  }
  equal(isLoneQuery(concat(lone, lone), LIMIT), false);
  equal(isLoneQuery(concat(lone, Uint8Array.of(0)), LIMIT), false);
  equal(isLoneQuery(message("Q", "SELECT 1"), LIMIT), false, "no NUL");
  equal(isLoneQuery(message("Q"), LIMIT), false);
  equal(isLoneQuery(SYNC, LIMIT), false);
  equal(isLoneQuery(lone, lone.length - 5), true);
  equal(isLoneQuery(lone, lone.length - 6), false, "larger than allowed");
});

Deno.test("isWholeAnswer knows results up to their ReadyForQuery, and nothing else", () => {
  equal(isWholeAnswer(ANSWER, LIMIT), true);
  equal(isWholeAnswer(concat(complete("BEGIN"), ready("T")), LIMIT), true);
  equal(isWholeAnswer(concat(message("I"), ready()), LIMIT), true);
  for (let size = 0; size < ANSWER.length; size += 1) {
    equal(isWholeAnswer(ANSWER.subarray(0, size), LIMIT), false, `${size} bytes of it`);
    equal(isWholeAnswer(ANSWER.subarray(size), LIMIT), isMessageStart(size), `from ${size} on`);
  }
  equal(isWholeAnswer(concat(ANSWER, ANSWER), LIMIT), false, "two answers");
  for (const other of [error("ERROR", "42601", "no"), message("N"), message("S", "a\0b\0"), SYNC]) {
    equal(isWholeAnswer(concat(other, ANSWER), LIMIT), false, "what has to be looked at");
  }
  const broken = ANSWER.slice();
  broken.set([0xff, 0xff, 0xff, 0xff], 1);
  equal(isWholeAnswer(broken, LIMIT), false, "a length below zero");
  equal(isWholeAnswer(ANSWER, ANSWER.length - 1), false, "larger than allowed");
});

Deno.test("isWholeBatchAnswer knows what answers a statement, and nothing else", () => {
  const [parsed, bound, noData] = [message("1"), message("2"), message("n")];
  const portal = concat(bound, ANSWER);
  equal(isWholeBatchAnswer(portal, false, LIMIT), true);
  equal(isWholeBatchAnswer(concat(parsed, portal), true, LIMIT), true);
  equal(isWholeBatchAnswer(concat(bound, noData, complete("SET"), ready()), false, LIMIT), true);
  equal(
    isWholeBatchAnswer(concat(parsed, portal), false, LIMIT),
    false,
    "a Parse that nobody sent",
  );
  equal(isWholeBatchAnswer(portal, true, LIMIT), false, "a Parse that is not answered");
  equal(isWholeBatchAnswer(ANSWER, false, LIMIT), false, "a Bind that is not answered");
  equal(isWholeBatchAnswer(concat(bound, portal), false, LIMIT), false, "two of them");
  equal(isWholeBatchAnswer(concat(parsed, parsed, portal), true, LIMIT), false, "two of them");
  for (let size = 0; size < portal.length; size += 1) {
    equal(isWholeBatchAnswer(portal.subarray(0, size), false, LIMIT), false, `${size} bytes of it`);
  }
  const broken = error("ERROR", "42601", "no");
  for (const other of [broken, message("t"), message("s"), message("S", "a\0b\0"), message("3")]) {
    equal(isWholeBatchAnswer(concat(bound, other, ANSWER), false, LIMIT), false);
    equal(isWholeBatchAnswer(concat(other, portal), false, LIMIT), false);
  }
  equal(isWholeBatchAnswer(concat(bound, message("2", "x"), ready()), false, LIMIT), false);
  equal(isWholeBatchAnswer(portal, false, portal.length - 1), false, "larger than allowed");
});

function isMessageStart(offset: number): boolean {
  let at = 0;
  while (at < offset) at += 1 + new DataView(ANSWER.buffer).getInt32(at + 1);
  return at === offset;
}

Deno.test("LoneBatch knows one statement with its Sync, and where its parts are", () => {
  const batch = new LoneBatch();
  const parsing = parseNamed("", "select $1", [23]);
  const binding = bind({ values: ["1", null], resultFormats: [1] });
  const named = bind({ statement: "s", values: ["1"] });
  for (const described of [[], [describe("P")]]) {
    const rest = [...described, execute(), SYNC];
    const whole = concat(parsing, binding, ...rest);
    equal(batch.read(whole, LIMIT), true);
    deepEqual([batch.hasParse, batch.hasDescribe, batch.statement], [true, rest.length === 3, ""]);
    equal(textOf(whole.subarray(batch.textStart, batch.textEnd)), "select $1");
    deepEqual(whole.subarray(batch.bindStart, batch.bindEnd), binding);
    const prepared = concat(named, ...rest);
    equal(batch.read(prepared, LIMIT), true);
    deepEqual([batch.hasParse, batch.hasDescribe, batch.statement], [
      false,
      rest.length === 3,
      "s",
    ]);
    deepEqual(prepared.subarray(batch.bindStart, batch.bindEnd), named);
    for (const one of [whole, prepared]) {
      equal(batch.read(one, one.length), true);
      equal(batch.read(one, one.length - 1), false, "larger than allowed");
      equal(batch.read(concat(one, SYNC), LIMIT), false, "one more Sync");
      equal(batch.read(concat(one, one), LIMIT), false, "two of them");
      for (let size = 0; size < one.length; size += 1) {
        equal(batch.read(one.subarray(0, size), LIMIT), false, `${size} bytes of it`);
      }
    }
  }
});

Deno.test("LoneBatch takes nothing else for one", () => {
  const batch = new LoneBatch();
  const [parsing, binding, end] = [parseNamed("", "x"), bind(), concat(execute(), SYNC)];
  const others: Record<string, Uint8Array[]> = {
    "no Bind": [parsing, end],
    "a named statement behind an unnamed Parse": [parsing, bind({ statement: "s" }), end],
    "a named Parse": [parseNamed("s", "x"), binding, end],
    "a named portal": [parsing, bind({ portal: "p" }), end],
    "another portal is executed": [parsing, binding, execute("p"), SYNC],
    "some rows only": [parsing, binding, execute("", 1), SYNC],
    "a statement is described": [parsing, binding, describe("S"), end],
    "another portal is described": [parsing, binding, describe("P", "p"), end],
    "described twice": [parsing, binding, describe("P"), describe("P"), end],
    "a Flush in place of the Sync": [parsing, binding, execute(), message("H")],
    "a Parse without types": [message("P", "\0x\0"), binding, end],
    "a Parse whose text has no end": [message("P", "\0xx"), binding, end],
    "a Bind that is too short": [message("B", "\0\0\0\0\0\0\0"), end],
    "a Bind whose name has no end": [message("B", "\0xxxxxxx"), end],
  };
  for (const [what, messages] of Object.entries(others)) {
    equal(batch.read(concat(...messages), LIMIT), false, what);
  }
  const whole = concat(parsing, binding, end);
  for (const at of [1, parsing.length + 1]) {
    for (const length of [-1, 0, 4, 0x7fffffff]) {
      const broken = whole.slice();
      new DataView(broken.buffer).setInt32(at, length);
      equal(batch.read(broken, LIMIT), false, `length ${length} at ${at}`);
    }
  }
});
