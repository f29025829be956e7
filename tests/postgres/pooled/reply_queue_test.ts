import { deepEqual, equal, throws } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { message } from "../../support/messages.ts";
import { ProtocolError } from "../../../src/postgres/wire/errors.ts";
import { REPLY } from "../../../src/postgres/pooled/reply_kinds.ts";
import {
  ENTRIES_MAX,
  isUnasked,
  PASS,
  ReplyQueue,
  SWALLOW,
} from "../../../src/postgres/pooled/reply_queue.ts";

/** Backend messages by what they are called in the manual. */
const TAGS = {
  parseComplete: "1",
  bindComplete: "2",
  closeComplete: "3",
  commandComplete: "C",
  copyIn: "G",
  dataRow: "D",
  emptyQuery: "I",
  error: "E",
  noData: "n",
  notice: "N",
  notification: "A",
  parameterStatus: "S",
  ready: "Z",
  rowDescription: "T",
  suspended: "s",
} as const;

type Kind = keyof typeof REPLY;
type Tag = keyof typeof TAGS;

function queueOf(...kinds: readonly Kind[]): ReplyQueue {
  const queue = new ReplyQueue();
  for (const kind of kinds) queue.push(REPLY[kind]);
  return queue;
}

function hear(queue: ReplyQueue, ...tags: readonly Tag[]): number[] {
  return tags.map((tag) => queue.onMessage(TAGS[tag].charCodeAt(0)));
}

/** What is first, by name. */
function first(queue: ReplyQueue): Kind | undefined {
  return (Object.keys(REPLY) as Kind[]).find((kind) => REPLY[kind] === queue.first);
}

Deno.test("ReplyQueue is empty when every request has had its ReadyForQuery", () => {
  const queue = queueOf("query", "query");
  deepEqual([queue.requestCount, queue.answerCount], [2, 0]);
  hear(queue, "rowDescription", "dataRow", "commandComplete", "ready");
  deepEqual([queue.isEmpty, queue.answerCount], [false, 1]);
  hear(queue, "emptyQuery", "ready");
  deepEqual([queue.isEmpty, queue.answerCount, queue.first], [true, 2, 0]);
});

Deno.test("ReplyQueue takes each answer of the extended protocol for its message", () => {
  const queue = queueOf("parse", "bind", "describe", "execute", "close", "sync");
  const steps: [Tag, Kind | undefined][] = [
    ["notice", "parse"],
    ["parameterStatus", "parse"],
    ["parseComplete", "bind"],
    ["bindComplete", "describe"],
    ["rowDescription", "execute"],
    ["dataRow", "execute"],
    ["suspended", "close"],
    ["closeComplete", "sync"],
    ["ready", undefined],
  ];
  for (const [tag, next] of steps) {
    deepEqual(hear(queue, tag), [PASS]);
    equal(first(queue), next);
  }
  for (const tag of ["commandComplete", "emptyQuery"] as const) {
    const executing = queueOf("execute", "sync");
    hear(executing, tag);
    equal(first(executing), "sync");
  }
  const described = queueOf("describe", "sync");
  hear(described, "noData");
  equal(first(described), "sync");
});

Deno.test("ReplyQueue swallows what answers the gateway's own messages", () => {
  const queue = queueOf("parseInjected", "closeInjected", "bind", "sync");
  deepEqual(hear(queue, "parseComplete", "closeComplete", "bindComplete", "ready"), [
    SWALLOW,
    SWALLOW,
    PASS,
    PASS,
  ]);
  const own = queueOf("own", "query");
  deepEqual(hear(own, "rowDescription", "dataRow", "commandComplete", "error", "notice"), [
    SWALLOW,
    SWALLOW,
    SWALLOW,
    SWALLOW,
    SWALLOW,
  ]);
  deepEqual(hear(own, "parameterStatus", "notification"), [PASS, PASS]);
  deepEqual(hear(own, "ready"), [SWALLOW]);
  equal(first(own), "query");
  deepEqual([own.requestCount, own.answerCount], [1, 0], "it is no request of the client");
});

Deno.test("ReplyQueue says when an answer of the gateway's own is due", () => {
  const queue = queueOf("parse", "parseOmitted", "closeOmitted", "sync");
  equal(queue.takeOmitted(), 0);
  hear(queue, "parseComplete");
  deepEqual([queue.isOmittedFirst, queue.takeOmitted(), queue.takeOmitted()], [
    true,
    REPLY.parseOmitted,
    REPLY.closeOmitted,
  ]);
  deepEqual([queue.takeOmitted(), first(queue)], [0, "sync"]);
});

Deno.test("ReplyQueue is not empty before a Sync concludes what was sent", () => {
  const answers = {
    parse: "parseComplete",
    parseInjected: "parseComplete",
    bind: "bindComplete",
    describe: "noData",
    close: "closeComplete",
  } as const;
  for (const kind of ["parse", "parseInjected", "bind", "describe", "close"] as const) {
    const queue = queueOf(kind);
    hear(queue, answers[kind]);
    throws(() => hear(queue, answers[kind]), ProtocolError, "nobody has asked for it twice");
    deepEqual([queue.first, queue.isEmpty], [0, false], kind);
    queue.push(REPLY.sync);
    hear(queue, "ready");
    equal(queue.isEmpty, true, kind);
  }
  const omitted = queueOf("parseOmitted");
  omitted.takeOmitted();
  equal(omitted.isEmpty, true, "nothing was sent");
  const queried = queueOf("execute", "query");
  hear(queried, "commandComplete", "commandComplete", "ready");
  equal(queried.isEmpty, true, "a Query concludes it as well");
});

Deno.test("ReplyQueue skips up to the next Sync after an error, Query included", () => {
  const queue = queueOf("bind", "execute", "query", "parse", "sync", "query");
  equal(queue.requestCount, 3);
  deepEqual(hear(queue, "error"), [PASS]);
  deepEqual([first(queue), queue.isSkipping], ["sync", false]);
  hear(queue, "ready", "commandComplete", "ready");
  equal(queue.isEmpty, true);
  equal(queue.answerCount, queue.requestCount, "those that were skipped do not stay due");
});

Deno.test("ReplyQueue makes no entries for what is sent while the server skips", () => {
  const queue = queueOf("bind", "execute");
  hear(queue, "error");
  deepEqual([queue.isSkipping, queue.isEmpty, queue.first], [true, false, 0]);
  const undone: boolean[] = [];
  queue.push(REPLY.parse, (hasFailed) => void undone.push(hasFailed));
  queue.push(REPLY.query);
  deepEqual([undone, queue.first], [[false], 0]);
  queue.push(REPLY.sync);
  deepEqual([queue.isSkipping, first(queue)], [false, "sync"]);
  hear(queue, "ready");
  equal(queue.isEmpty, true);
});

Deno.test("ReplyQueue undoes what did not happen, the last first, and tells which one failed", () => {
  const queue = new ReplyQueue();
  const undone: string[] = [];
  const undo = (name: string) => (hasFailed: boolean) => void undone.push(`${name} ${hasFailed}`);
  queue.push(REPLY.parse, undo("done"));
  queue.push(REPLY.bind, undo("failed"));
  queue.push(REPLY.parseOmitted, undo("skipped"));
  queue.push(REPLY.closeInjected, undo("skipped, too"));
  queue.push(REPLY.sync);
  queue.push(REPLY.parse, undo("later"));
  hear(queue, "parseComplete", "error");
  deepEqual(undone, ["skipped, too false", "skipped false", "failed true"]);
  hear(queue, "ready", "parseComplete");
  equal(undone.length, 3);
});

Deno.test("ReplyQueue ends a Query by its own ReadyForQuery, error or not", () => {
  const queue = queueOf("query", "bind", "sync");
  hear(queue, "error");
  deepEqual([first(queue), queue.isSkipping], ["query", false]);
  hear(queue, "ready");
  equal(first(queue), "bind");
});

Deno.test("ReplyQueue takes an error at a Sync for a commit that failed", () => {
  const queue = queueOf("sync", "parse", "sync");
  hear(queue, "error");
  deepEqual([first(queue), queue.isSkipping], ["sync", false]);
  hear(queue, "ready");
  equal(first(queue), "parse");
});

Deno.test("ReplyQueue takes an error that nobody asked for as it is", () => {
  const queue = new ReplyQueue();
  deepEqual(hear(queue, "error"), [PASS]);
  deepEqual([queue.isEmpty, queue.isSkipping], [true, false]);
});

Deno.test("ReplyQueue lets a copy ignore the Syncs before its end", () => {
  const queue = queueOf("execute", "sync", "sync", "copyEnd", "sync");
  hear(queue, "copyIn");
  equal(queue.isCopyIn, false, "its end has been sent");
  hear(queue, "commandComplete", "ready");
  deepEqual([queue.isEmpty, queue.answerCount], [true, queue.requestCount]);
  const late = queueOf("execute", "sync");
  hear(late, "copyIn");
  late.push(REPLY.sync);
  equal(late.isCopyIn, true);
  late.push(REPLY.copyEnd);
  late.push(REPLY.sync);
  equal(late.isCopyIn, false);
  hear(late, "commandComplete", "ready");
  deepEqual([late.isEmpty, late.answerCount], [true, late.requestCount]);
});

Deno.test("ReplyQueue is not certain of a copy that fails with Syncs in it", () => {
  for (const isEnded of [false, true]) {
    const queue = queueOf("execute", "sync");
    hear(queue, "copyIn");
    if (isEnded) {
      queue.push(REPLY.copyEnd);
      queue.push(REPLY.sync);
    }
    hear(queue, "error");
    equal(queue.isUncertain, true, isEnded ? "after its end was sent" : "before");
  }
  const sure = queueOf("execute");
  hear(sure, "copyIn");
  sure.push(REPLY.copyEnd);
  sure.push(REPLY.sync);
  hear(sure, "error", "ready");
  deepEqual([sure.isUncertain, sure.isEmpty], [false, true]);
  const done = queueOf("execute", "sync");
  hear(done, "copyIn");
  done.push(REPLY.copyEnd);
  done.push(REPLY.parse);
  done.push(REPLY.sync);
  hear(done, "commandComplete", "error", "ready");
  deepEqual([done.isUncertain, done.isEmpty], [false, true], "the copy was well");
});

Deno.test("ReplyQueue forgets the end of a copy that never began", () => {
  const queue = queueOf("bind", "execute", "copyEnd", "copyEnd", "sync", "bind", "sync");
  hear(queue, "bindComplete", "error");
  equal(first(queue), "sync");
  hear(queue, "ready");
  equal(first(queue), "bind");
  hear(queue, "bindComplete", "ready");
  deepEqual([queue.isEmpty, queue.answerCount], [true, 2]);
  const query = queueOf("query", "copyEnd", "query");
  hear(query, "error", "ready");
  equal(first(query), "query");
  const nothing = queueOf("copyEnd");
  equal(nothing.isEmpty, true);
});

Deno.test("ReplyQueue keeps its order over any number of entries, and says when it is full", () => {
  const queue = new ReplyQueue();
  let [next, expected] = [0, 0];
  const isParse = (number: number) => number % 3 === 0;
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 7; i++) queue.push(isParse(next++) ? REPLY.parse : REPLY.bind);
    for (let i = 0; i < 5; i++) {
      equal(first(queue), isParse(expected) ? "parse" : "bind");
      hear(queue, isParse(expected++) ? "parseComplete" : "bindComplete");
    }
  }
  const full = new ReplyQueue();
  let count = 0;
  while (!full.isFull) {
    full.push(REPLY.bind);
    count += 1;
  }
  equal(count > ENTRIES_MAX / 2 && count < ENTRIES_MAX, true);
  throws(() => {
    for (;;) full.push(REPLY.bind);
  });
});

Deno.test("ReplyQueue knows which messages may come without being asked for", () => {
  const unasked = (Object.keys(TAGS) as Tag[]).filter((tag) => isUnasked(TAGS[tag].charCodeAt(0)));
  deepEqual(unasked, ["error", "notice", "notification", "parameterStatus"]);
});

Deno.test("ReplyQueue counts entries as done when they have been answered, not before", () => {
  const queue = queueOf("parse", "bind", "execute", "sync", "sync", "parse");
  const last = queue.entryCount;
  deepEqual([last, queue.doneCount], [6, 0]);
  hear(queue, "parseComplete", "bindComplete");
  equal(queue.doneCount, 2);
  hear(queue, "copyIn"); // which ignores both Syncs
  equal(queue.doneCount < last, true);
  hear(queue, "commandComplete");
  equal(queue.doneCount < last, true);
});

Deno.test("ReplyQueue knows the whole answer to what it owes, and keeps the same books of it", () => {
  const answerOf = (...tags: readonly Tag[]) =>
    concat(
      ...tags.map((tag) => message(TAGS[tag], ...tag === "ready" ? [Uint8Array.of(0x49)] : [])),
    );
  const results = ["rowDescription", "dataRow", "commandComplete", "ready"] as const;
  const cases: [readonly Kind[], readonly Tag[]][] = [
    [["query"], results],
    [["bind", "execute", "sync"], ["bindComplete", "dataRow", "commandComplete", "ready"]],
    [["bind", "describe", "execute", "sync"], ["bindComplete", ...results]],
    [["parse", "bind", "execute", "sync"], [
      "parseComplete",
      "bindComplete",
      "emptyQuery",
      "ready",
    ]],
    [["parse", "bind", "describe", "execute", "sync"], [
      "parseComplete",
      "bindComplete",
      ...results,
    ]],
  ];
  for (const [kinds, tags] of cases) {
    for (const [others] of cases) {
      const isIts = queueOf(...others).isAnsweredBy(answerOf(...tags), 1_000);
      const areAlike = others.includes("parse") === kinds.includes("parse") &&
        others.includes("query") === kinds.includes("query");
      equal(isIts, areAlike, `${others} answered by ${tags}`);
    }
    const [short, long] = [queueOf(...kinds), queueOf(...kinds)];
    hear(short, "ready");
    hear(long, ...tags);
    const books = (
      { isEmpty, doneCount, answerCount, clientAnswerCount, isRequestDue }: ReplyQueue,
    ) => [isEmpty, doneCount, answerCount, clientAnswerCount, isRequestDue];
    deepEqual(books(short), books(long));
    deepEqual([short.mayHaveRun, short.mayBeUnsynced], [long.mayHaveRun, long.mayBeUnsynced]);
  }
});

Deno.test("ReplyQueue takes the long way with everything else", () => {
  const answer = concat(message("2"), message("C"), message("Z", Uint8Array.of(0x49)));
  const isAnswered = (queue: ReplyQueue) => queue.isAnsweredBy(answer, 1_000);
  equal(isAnswered(queueOf("bind", "execute", "sync")), true);
  const others: readonly (readonly Kind[])[] = [
    [],
    ["bind", "execute"],
    ["bind", "sync", "execute"],
    ["bind", "execute", "execute", "sync"],
    ["bind", "execute", "sync", "sync"],
    ["parseInjected", "bind", "execute", "sync"],
    ["parseOmitted", "bind", "execute", "sync"],
    ["describe", "execute", "sync"],
    ["own"],
  ];
  for (const kinds of others) equal(isAnswered(queueOf(...kinds)), false, kinds.join());
  const heard = new ReplyQueue();
  heard.push(REPLY.bind);
  heard.push(REPLY.describe, undefined, () => {});
  heard.push(REPLY.execute);
  heard.push(REPLY.sync);
  equal(isAnswered(heard), false, "somebody wants to hear of the columns");
});
