import { deepEqual, equal } from "node:assert/strict";
import { RequestsDue } from "../../src/postgres/requests_due.ts";

/** What either side says: the client in capitals' meaning of the protocol, the server in words. */
type Word = "Q" | "S" | "c" | "copyIn" | "error" | "ready";

/** How many answers are due after each word. */
function counts(...words: readonly Word[]): number[] {
  const requests = new RequestsDue();
  return words.map((word) => {
    switch (word) {
      case "Q":
        requests.addPlain();
        break;
      case "S":
        requests.addSync();
        break;
      case "c":
        requests.addCopyEnd();
        break;
      case "copyIn":
        requests.onCopyIn();
        break;
      case "error":
        requests.onError();
        break;
      case "ready":
        requests.onReadyForQuery();
    }
    return requests.count;
  });
}

Deno.test("RequestsDue counts what is sent and answered", () => {
  deepEqual(counts("Q", "S", "Q", "ready", "ready", "ready"), [1, 2, 3, 2, 1, 0]);
});

Deno.test("RequestsDue never counts below zero", () => {
  deepEqual(counts("ready", "Q", "ready", "ready"), [0, 1, 0, 0]);
});

Deno.test("RequestsDue counts one for a simple COPY FROM STDIN", () => {
  deepEqual(counts("Q", "copyIn", "c", "ready"), [1, 1, 1, 0]);
  deepEqual(counts("Q", "c", "copyIn", "ready"), [1, 1, 1, 0]);
});

Deno.test("RequestsDue forgets a Sync that comes in copy-in mode, whoever is faster", () => {
  deepEqual(counts("S", "copyIn", "c", "S", "ready"), [1, 0, 0, 1, 0]);
  deepEqual(counts("copyIn", "S", "c", "S", "ready"), [0, 0, 0, 1, 0]);
  deepEqual(counts("S", "c", "S", "copyIn", "ready"), [1, 1, 2, 1, 0]);
});

Deno.test("RequestsDue counts again after a copy that ended with an error", () => {
  deepEqual(counts("S", "copyIn", "error", "c", "S", "ready", "Q"), [1, 0, 0, 0, 1, 0, 1]);
  deepEqual(counts("Q", "copyIn", "error", "ready", "S"), [1, 1, 1, 0, 1]);
});

Deno.test("RequestsDue keeps the order of a query before a copy", () => {
  const words: Word[] = ["Q", "S", "ready", "copyIn", "c", "S", "ready", "Q", "ready"];
  deepEqual(counts(...words), [1, 2, 1, 0, 0, 1, 0, 1, 0]);
});

Deno.test("RequestsDue counts any number of requests in the same memory", () => {
  const requests = new RequestsDue();
  for (let i = 0; i < 100_000; i++) requests.addSync();
  equal(requests.count, 100_000);
  for (let i = 0; i < 99_999; i++) requests.onReadyForQuery();
  equal(requests.count, 1);
  requests.addPlain();
  requests.onReadyForQuery();
  requests.onReadyForQuery();
  equal(requests.count, 0);
  requests.addSync();
  requests.onCopyIn();
  equal(requests.count, 0);
});

Deno.test("RequestsDue is busy with an Execute until a Sync for it is answered", () => {
  const requests = new RequestsDue();
  equal(requests.isBusy, false);
  requests.addExecute();
  requests.addExecute();
  deepEqual([requests.isBusy, requests.count], [true, 0]);
  requests.addSync();
  deepEqual([requests.isBusy, requests.count], [true, 1]);
  requests.onReadyForQuery();
  equal(requests.isBusy, false);
});

Deno.test("RequestsDue is busy with an Execute whatever else is answered before", () => {
  const requests = new RequestsDue();
  requests.addPlain();
  requests.addExecute();
  requests.onReadyForQuery();
  deepEqual([requests.isBusy, requests.count], [true, 0]);
  requests.onError();
  equal(requests.isBusy, true); // up to the Sync, which the client still owes
});

Deno.test("RequestsDue is busy with an Execute no longer than with a Query behind it", () => {
  const requests = new RequestsDue();
  requests.addExecute();
  requests.addPlain();
  equal(requests.isBusy, true);
  requests.onReadyForQuery();
  equal(requests.isBusy, false);
});
