import { deepEqual, equal, throws } from "node:assert/strict";
import { connectionsSize, ConnectionTable } from "../../src/upstream/connection_table.ts";

const MEMBERS = 3;

function tableOf(workers: number): ConnectionTable {
  const memory = new SharedArrayBuffer(connectionsSize(workers, MEMBERS));
  return new ConnectionTable(new Int32Array(memory), MEMBERS);
}

/** Connections to each server: open, and in use. */
function all(table: ConnectionTable): number[][] {
  return [0, 1, 2].map((member) => [table.open(member), table.inUse(member)]);
}

Deno.test("ConnectionTable counts what is there, and what is in use, over all workers", () => {
  const table = tableOf(2);
  const [here, there] = [table.counter(0, 1)!, table.counter(1, 1)!];
  here.move(undefined, "connecting");
  here.move("connecting", "login");
  deepEqual(all(table), [[0, 0], [1, 0], [0, 0]]);
  here.move("login", "idle");
  here.move("idle", "active");
  there.move(undefined, "active");
  deepEqual(all(table), [[0, 0], [2, 2], [0, 0]]);
  here.move("active", "cleaning");
  deepEqual(all(table), [[0, 0], [2, 2], [0, 0]]);
  here.move("cleaning", "idle");
  there.move("active", "closing");
  deepEqual(all(table), [[0, 0], [2, 0], [0, 0]]);
  here.move("idle", undefined);
  there.move("closing", undefined);
  deepEqual(all(table), [[0, 0], [0, 0], [0, 0]]);
});

Deno.test("ConnectionTable.clear() takes out what one worker had, and nothing else", () => {
  const table = tableOf(3);
  for (const worker of [0, 1, 2]) {
    for (const member of [0, 1, 2]) table.counter(worker, member)!.move(undefined, "active");
  }
  table.clear(1);
  deepEqual(all(table), [[2, 2], [2, 2], [2, 2]]);
  table.counter(1, 2)!.move(undefined, "idle");
  deepEqual(all(table), [[2, 2], [2, 2], [3, 2]]);
});

Deno.test("ConnectionTable refuses memory of another size", () => {
  throws(() => new ConnectionTable(new Int32Array(4), MEMBERS), /the table has its size/);
});

Deno.test("ConnectionTable counts nothing for a worker that it has no room for", () => {
  const table = tableOf(1);
  equal(table.counter(1, 0), undefined);
  table.counter(0, 2)!.move(undefined, "active");
  deepEqual(all(table), [[0, 0], [0, 0], [1, 1]]);
});
