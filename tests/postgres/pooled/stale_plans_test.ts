import { deepEqual, equal } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { StalePlans } from "../../../src/postgres/pooled/stale_plans.ts";
import { SharedStatements, type Statement } from "../../../src/postgres/pooled/statements.ts";
import { QueryScanner } from "../../../src/postgres/sql/query_scanner.ts";
import { bind, close, describe, parseNamed } from "../../support/extended_messages.ts";
import { type Bytes, EXECUTE, FLUSH, query, SYNC } from "../../support/messages.ts";

const STALE = new Map([["R", "RevalidateCachedQuery"]]);
const OTHER = new Map([["C", "0A000"], ["R", "ExecInitFunc"]]);

const PARSE = parseNamed("b", "select 2");
const BIND = bind({ statement: "a" });
const DESCRIBE = describe("P", "");
const BATCH = [BIND, DESCRIBE, EXECUTE, SYNC];

const shared = new SharedStatements(() => 0, new QueryScanner());
const STATEMENT = shared.find(utf8("select 1\0\0\0"));
const ANOTHER = shared.find(utf8("select 2\0\0\0"));

/** Plans of a client that has sent these messages, and what was forgotten of them. */
function sent(...messages: readonly Bytes[]) {
  const forgotten: Statement[] = [];
  const toBeTold: Statement[] = [];
  const plans = new StalePlans(
    { forget: (it) => forgotten.push(it) },
    { forgetColumns: (it) => toBeTold.push(it) },
  );
  const keep = (message: Bytes, isWhole = true) => {
    // As it is in a buffer, between others.
    const view = concat(SYNC, message, SYNC);
    const start = SYNC.length;
    plans.keep(message[0]!, { view, start, end: start + message.length, isWhole });
  };
  plans.begin(7);
  for (const message of messages) keep(message);
  plans.use(STATEMENT);
  return { plans, keep, forgotten, toBeTold };
}

/** Whether a client that sent these, and was answered `answers` before the error, is told of it. */
function isTold(messages: readonly Bytes[], answers = 0, isInTransaction = false): boolean {
  const { plans, forgotten, toBeTold } = sent(...messages);
  const batch = plans.retries(STALE, 7 + answers, isInTransaction);
  deepEqual(forgotten, [STATEMENT]); // preparing it once more helps in any case
  deepEqual(toBeTold, batch === undefined ? [] : [STATEMENT]);
  return batch === undefined;
}

Deno.test("StalePlans send a batch again that describes what it executes", () => {
  const { plans, forgotten, toBeTold } = sent(...BATCH);
  const batch = plans.retries(STALE, 7, false);
  deepEqual(batch, { bytes: concat(...BATCH), statements: [STATEMENT] });
  deepEqual([forgotten, toBeTold], [[STATEMENT], [STATEMENT]]);
});

Deno.test("StalePlans send nothing again for another error", () => {
  const { plans, forgotten } = sent(...BATCH);
  equal(plans.retries(OTHER, 7, false), undefined);
  deepEqual(forgotten, []);
});

Deno.test("StalePlans tell a client of the error that has been answered something, or is in a transaction", () => {
  equal(isTold(BATCH), false);
  equal(isTold(BATCH, 1), true);
  equal(isTold(BATCH, 0, true), true);
});

Deno.test("StalePlans tell a client of the error that does not learn of the columns", () => {
  equal(isTold([BIND, EXECUTE, SYNC]), true);
});

Deno.test("StalePlans tell a client of the error whose batch has not ended, or another has begun", () => {
  equal(isTold(BATCH.slice(0, -1)), true);
  equal(isTold([...BATCH, BIND]), true);
  equal(isTold([...BATCH, SYNC]), true);
  equal(isTold([...BATCH, query("select 1")]), true);
});

Deno.test("StalePlans tell a client of the error whose batch holds what cannot be said twice", () => {
  for (const message of [close("S", "a"), query("select 1")]) {
    equal(isTold([BIND, DESCRIBE, EXECUTE, message, SYNC]), true);
    equal(isTold([message, ...BATCH]), true);
  }
});

Deno.test("StalePlans tell a client of the error whose message came in pieces", () => {
  const { plans, keep } = sent(BIND);
  keep(DESCRIBE, false);
  for (const message of [EXECUTE, SYNC]) keep(message);
  equal(plans.retries(STALE, 7, false), undefined);
});

Deno.test("StalePlans keep batches of up to 8 KiB", () => {
  const sizeOf = (messages: readonly Bytes[]) => concat(...messages).length;
  const padded = (size: number) => {
    const name = "p".repeat(size - sizeOf(BATCH));
    return [bind({ portal: name, statement: "a" }), DESCRIBE, EXECUTE, SYNC];
  };
  equal(sizeOf(padded(8192)), 8192);
  equal(isTold(padded(8192)), false);
  equal(isTold(padded(8193)), true);
});

Deno.test("StalePlans leave out what has been prepared before anything could fail", () => {
  const { plans } = sent(PARSE, FLUSH, PARSE, BIND, PARSE, DESCRIBE, FLUSH, EXECUTE, SYNC);
  const again = concat(BIND, PARSE, DESCRIBE, FLUSH, EXECUTE, SYNC);
  deepEqual(plans.retries(STALE, 7, false)?.bytes, again);
});

Deno.test("StalePlans send the same once", () => {
  const { plans } = sent(...BATCH);
  equal(plans.retries(STALE, 7, false) === undefined, false);
  equal(plans.retries(STALE, 7, false), undefined);
});

Deno.test("StalePlans begin anew with each batch", () => {
  const { plans, keep } = sent(close("S", "b"), ...BATCH, BIND);
  plans.begin(9);
  plans.use(ANOTHER);
  for (const message of BATCH) keep(message);
  const bytes = concat(...BATCH);
  deepEqual(plans.retries(STALE, 9, false), { bytes, statements: [ANOTHER] });
  plans.begin(9);
  for (const message of BATCH) keep(message);
  equal(plans.retries(STALE, 9, false), undefined); // which executes nothing that is known
});
