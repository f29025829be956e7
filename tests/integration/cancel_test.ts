/**
 * Query cancel: the request comes on a connection of its own, which any worker may accept.
 *
 * @module
 */

import assert from "node:assert/strict";
import { cancelRequest } from "../../src/postgres/wire/startup_packet.ts";
import { HeldClient } from "../support/clients.ts";
import { untilSleeping } from "../support/observe.ts";
import { queryOnce } from "../support/postgres.ts";
import { interruptPsql } from "../support/psql.ts";
import { testThroughGateway } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

/** Enough that requests land on other workers than the sessions they are for. */
const ROUNDS = 8;

function cancels(outcome: string): string {
  return `sluice_cancel_requests_total{listener="default",outcome="${outcome}"}`;
}

await testThroughGateway("cancel through the gateway", { workers: [1, 4] }, {
  "Ctrl-C in psql ends the query, whichever worker hears of it": async ({ via, direct }) => {
    for (let i = 0; i < ROUNDS; i++) {
      const { stderr } = await interruptPsql(via, direct);
      assert.match(stderr, /57014: canceling statement due to user request/);
    }
  },

  "a cancel ends that session's query and no other's": async ({ via, direct, gateway }) => {
    await using other = await HeldClient.connect(via);
    await other.query("select pg_advisory_lock(1)");
    const waiting = HeldClient.connect(via).then(async (client) => {
      await client.query("select pg_advisory_lock(1)");
      await client.end();
      return "got the lock";
    });
    const before = await gateway.metric(cancels("forwarded"));
    const { stderr } = await interruptPsql(via, direct);
    assert.match(stderr, /57014/);
    assert.equal(await gateway.metric(cancels("forwarded")), before + 1);
    await other.query("select pg_advisory_unlock(1)");
    assert.equal(await waiting, "got the lock");
  },

  "a wrong key is ignored, and counted": async ({ via, direct, gateway }) => {
    await using client = await HeldClient.connect(via);
    const sleeping = client.query("select pg_sleep(300)").then(() => "slept", ({ code }) => code);
    await untilSleeping(direct);
    const { host: hostname, port } = via;
    for (const size of [4, 32, 256]) {
      const conn = await Deno.connect({ hostname, port });
      await conn.write(cancelRequest(client.processId, new Uint8Array(size)));
      assert.equal(await conn.read(new Uint8Array(1)), null, "the answer is to close");
      conn.close();
    }
    await eventually(
      "three are counted",
      async () => await gateway.metric(cancels("unknown")) === 3,
    );
    await untilSleeping(direct, 1);
    await queryOnce(
      direct,
      "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'",
    );
    assert.equal(await sleeping, "57014");
  },

  "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
});
