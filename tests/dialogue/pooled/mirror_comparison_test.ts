/**
 * What is found when the answers of a mirror are compared with the real ones, request by request.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { GatewayMetrics } from "../../../src/observe/metrics.ts";
import type { Actor, World } from "../../support/dialogue.ts";
import { execute } from "../../support/extended_messages.ts";
import {
  BIND,
  complete,
  COPY_DONE,
  copyData,
  dataRow,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
  TERMINATE,
} from "../../support/messages.ts";
import { mirrorCounts, mirroredClient } from "../../support/mirror_world.ts";
import { admits } from "../../support/pooled_world.ts";

const COPY_IN = message("G", "\0\0\0");
const PARSED = message("1");
const BOUND = message("2");
const SUSPENDED = message("s");

/** A client whose first request has been answered in the same way. */
async function comparing(): Promise<{
  readonly world: World;
  readonly client: Actor;
  readonly server: Actor;
  readonly mirror: Actor;
}> {
  const { world, client, server } = await mirroredClient({ compare: true }, {
    pool: { mode: "session" },
  });
  await client.says(query("select 0"));
  const mirror = await admits(world, {}, 1);
  for (const one of [server, mirror]) {
    await one.hears(query("select 0"));
    await one.says(complete("SELECT 1"), ready());
  }
  await client.hears(complete("SELECT 1"), ready());
  deepEqual(mirrorCounts(world), { same: 1 });
  return { world, client, server, mirror };
}

/** What is counted beside the first request, if both answer what the client says. */
async function counted(
  said: readonly Uint8Array[],
  real: readonly Uint8Array[],
  mirrored: readonly Uint8Array[],
): Promise<Readonly<Record<string, number>>> {
  const { world, client, server, mirror } = await comparing();
  await client.says(...said);
  await server.says(...real);
  await mirror.says(...mirrored);
  const answered = client.peer.take();
  equal(answered.length, concat(...real).length);
  const { same = 0, ...others } = mirrorCounts(world);
  return same > 1 ? { ...others, same: same - 1 } : others;
}

const CASES: readonly {
  readonly name: string;
  readonly says?: readonly Uint8Array[];
  readonly real: readonly Uint8Array[];
  readonly mirror: readonly Uint8Array[];
  readonly expected: Readonly<Record<string, number>>;
}[] = [
  {
    name: "the same rows, whatever is in them",
    real: [ROW_DESCRIPTION, dataRow("a"), complete("SELECT 1"), ready()],
    mirror: [ROW_DESCRIPTION, dataRow("bcd"), complete("SELECT 1"), ready()],
    expected: { same: 1 },
  },
  {
    name: "an error in the mirror only",
    real: [complete("SELECT 1"), ready()],
    mirror: [error("ERROR", "42P01", "no"), ready()],
    expected: { "other_error": 1 },
  },
  {
    name: "an error in the real server only",
    real: [error("ERROR", "42P01", "no"), ready()],
    mirror: [complete("SELECT 1"), ready()],
    expected: { "other_error": 1 },
  },
  {
    name: "two errors",
    real: [error("ERROR", "42P01", "no"), ready()],
    mirror: [error("ERROR", "23505", "no"), ready()],
    expected: { "other_error": 1 },
  },
  {
    name: "one error with two texts",
    real: [error("ERROR", "42P01", "no"), ready()],
    mirror: [error("ERROR", "42P01", "nein"), ready()],
    expected: { same: 1 },
  },
  {
    name: "fewer rows",
    real: [complete("INSERT 0 3"), ready()],
    mirror: [complete("INSERT 0 2"), ready()],
    expected: { "other_rows": 1 },
  },
  {
    name: "as many rows in another statement of the text",
    real: [complete("UPDATE 1"), complete("SELECT 2"), ready()],
    mirror: [complete("UPDATE 2"), complete("SELECT 1"), ready()],
    expected: { same: 1 },
  },
  {
    name: "rows of a portal that is suspended",
    says: [parse("x"), BIND, execute("", 2), SYNC],
    real: [PARSED, BOUND, dataRow("a"), dataRow("b"), SUSPENDED, ready()],
    mirror: [PARSED, BOUND, dataRow("a"), complete("SELECT 1"), ready()],
    expected: { "other_rows": 1 },
  },
  {
    name: "an error that skips the rest of a group",
    says: [parse("x"), BIND, EXECUTE, SYNC, query("y")],
    real: [PARSED, BOUND, complete("SELECT 1"), ready(), complete("SELECT 2"), ready()],
    mirror: [error("ERROR", "42P01", "no"), ready(), complete("SELECT 2"), ready()],
    expected: { "other_error": 1, same: 1 },
  },
  {
    name: "requests of which the mirror answers none",
    says: [query("x"), query("y")],
    real: [complete("SELECT 1"), ready(), complete("SELECT 2"), ready()],
    mirror: [],
    expected: {},
  },
  {
    name: "a large row",
    real: [dataRow("a".repeat(100_000)), complete("SELECT 1"), ready()],
    mirror: [dataRow("b".repeat(90_000)), complete("SELECT 1"), ready()],
    expected: { same: 1 },
  },
  {
    name: "a Query in the middle of a group",
    says: [parse("x"), query("y"), SYNC, query("z")],
    real: [error("ERROR", "42P01", "no"), ready(), complete("SELECT 1"), ready()],
    mirror: [PARSED, complete("SELECT 1"), ready(), ready(), complete("SELECT 1"), ready()],
    expected: { skipped: 3 },
  },
];

for (const { name, says = [query("x")], real, mirror, expected } of CASES) {
  Deno.test(`Comparison of ${name}`, async () => {
    deepEqual(await counted(says, real, mirror), expected);
  });
}

Deno.test("Comparison does not depend on who answers first, or how the answer is cut", async () => {
  const { world, client, server, mirror } = await comparing();
  const answer = concat(error("ERROR", "42P01", "no"), ready(), complete("SELECT 7"), ready());
  await client.says(query("x"), query("y"));
  for (let at = 0; at < answer.length; at++) await mirror.says(answer.subarray(at, at + 1));
  deepEqual(mirrorCounts(world), { same: 1 });
  await server.says(error("ERROR", "42P01", "no"), ready(), complete("SELECT 8"), ready());
  deepEqual(mirrorCounts(world), { same: 2, "other_rows": 1 });
  await client.says(SYNC, query("z"));
  await server.says(ready(), complete("SELECT 1"), ready());
  await mirror.says(ready(), complete("SELECT 1"), ready());
  deepEqual(mirrorCounts(world), { same: 4, "other_rows": 1 });
});

Deno.test("Comparison follows a COPY of the extended protocol, whose first Sync is ignored", async () => {
  const { world, client, server, mirror } = await comparing();
  await client.says(parse("copy t from stdin"), BIND, EXECUTE, SYNC);
  await server.says(PARSED, BOUND, COPY_IN);
  await mirror.says(error("ERROR", "42P01", "no"), ready());
  await client.says(copyData("a"), COPY_DONE, SYNC);
  await server.says(complete("COPY 1"), ready());
  await mirror.says(ready());
  // The first Sync has one answer only; the second one's are the COPY's and none at all.
  deepEqual(mirrorCounts(world), { same: 1, skipped: 1, "other_rows": 1 });
  await client.says(query("x"));
  for (const one of [server, mirror]) await one.says(complete("SELECT 1"), ready());
  deepEqual(mirrorCounts(world), { same: 2, skipped: 1, "other_rows": 1 });
});

Deno.test("Comparison is given up where a Sync comes after the server has asked for data", async () => {
  const { world, client, server, mirror } = await comparing();
  await client.says(parse("copy t from stdin"), BIND, EXECUTE);
  await server.says(PARSED, BOUND, COPY_IN);
  await client.says(SYNC, copyData("a"), COPY_DONE, SYNC);
  await mirror.says(PARSED, BOUND, COPY_IN);
  for (const one of [server, mirror]) await one.says(complete("COPY 1"), ready());
  for (const rows of [1, 2, 3]) {
    await client.says(query("x"));
    for (const one of [server, mirror]) await one.says(complete(`SELECT ${rows}`), ready());
  }
  deepEqual(mirrorCounts(world), { same: 1, skipped: 5 });
});

Deno.test("Comparison knows answers that the gateway gives by itself, at once", async () => {
  const { world, client, server } = await mirroredClient({ compare: true });
  await client.says(SYNC);
  const mirror = await admits(world, {}, 1);
  await client.hears(ready());
  deepEqual(mirrorCounts(world), { same: 1 });
  for (const rows of [1, 2, 3]) {
    await client.says(SYNC, query("x"));
    for (const one of [server, mirror]) {
      await one.hears(query("x"));
      await one.says(complete(`SELECT ${rows}`), ready());
    }
    await client.hears(ready(), complete(`SELECT ${rows}`), ready());
  }
  deepEqual(mirrorCounts(world), { same: 7 });
  await client.says(SYNC, TERMINATE);
  deepEqual(mirrorCounts(world), { same: 8, complete: 1 });
});

Deno.test("Comparison of a Sync in the middle of data is given up", async () => {
  const { world, client, server, mirror } = await comparing();
  await client.says(query("copy t from stdin"));
  for (const one of [server, mirror]) await one.says(COPY_IN);
  await client.says(copyData("a"), SYNC, COPY_DONE);
  for (const one of [server, mirror]) await one.says(complete("COPY 1"), ready());
  await client.says(query("x"));
  for (const one of [server, mirror]) await one.says(complete("SELECT 1"), ready());
  deepEqual(mirrorCounts(world), { same: 1, skipped: 3 });
});

Deno.test("Comparison counts what a copy that ends has not answered as skipped", async () => {
  const { world, client, server, mirror } = await comparing();
  await client.says(query("x"), query("y"));
  await server.says(complete("SELECT 1"), ready());
  await mirror.breaks();
  deepEqual(mirrorCounts(world), { same: 1, skipped: 2, lost: 1 });
});

Deno.test("Comparison keeps a limited number of requests that are not answered", async () => {
  const { world, client } = await comparing();
  for (let i = 0; i < 1_100; i++) await client.says(query("x"));
  deepEqual(mirrorCounts(world), { same: 1, skipped: 100 });
  await client.says(TERMINATE);
});

Deno.test("Comparison logs what differs once a second, and nothing of the query", async () => {
  const { world, client, server, mirror } = await comparing();
  for (let i = 0; i < 5; i++) {
    await client.says(query("select 'a secret'"));
    await server.says(complete("SELECT 2"), ready());
    await mirror.says(error("ERROR", "42P01", "a secret"), ready());
    await world.pass(300);
  }
  const said = world.logged("mirror has answered otherwise").map(({ fields }) => fields);
  deepEqual(said.map(({ count }) => count), [1, 4]);
  const { sqlState, mirrorSqlState, rows, mirrorRows, result, proxy, user } = said[0]!;
  deepEqual([sqlState, mirrorSqlState, rows, mirrorRows], ["00000", "42P01", 2, 0]);
  deepEqual([result, proxy, user], ["other_error", "db0", "ann"]);
  deepEqual(world.log.filter((record) => JSON.stringify(record).includes("secret")), []);
});

Deno.test("Comparison measures both sides, from when each has been asked", async () => {
  const { world, client, server, mirror } = await comparing();
  await client.says(query("x"));
  await world.pass(200);
  await server.says(complete("SELECT 1"), ready());
  await world.pass(300);
  await mirror.says(complete("SELECT 1"), ready());
  await client.leaves();
  const metrics = new GatewayMetrics({
    layout: { listeners: ["main"], pools: ["db0", "db1"], mirrors: ["db0"] },
    workers: () => world.counters,
    pools: new Map(),
    version: "1",
  });
  const text = await metrics.text();
  const value = (series: string) =>
    Number(text.split("\n").find((line) => line.startsWith(series))?.split(" ").at(-1));
  equal(value('sluice_mirror_seconds_sum{proxy="db0",side="real"}').toFixed(3), "0.200");
  equal(value('sluice_mirror_seconds_sum{proxy="db0",side="mirror"}').toFixed(3), "0.500");
  equal(value('sluice_mirror_seconds_count{proxy="db0",side="mirror"}'), 2);
  equal(value('sluice_mirror_requests_total{proxy="db0",result="same"}'), 2);
  equal(value('sluice_mirror_sessions_total{proxy="db0",result="complete"}'), 1);
  equal(value('sluice_mirror_sessions_total{proxy="db0",result="dropped"}'), 0);
  match(text, /sluice_mirror_dropped_total\{proxy="db0",reason="pool_exhausted"\} 0/);
});
