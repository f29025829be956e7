/**
 * Python's psycopg through the gateway: pipelines, COPY, cursors, notifications, and
 * cancelling with the keys of protocol 3.2.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findPython } from "../support/python.ts";
import { type Scene, testThroughGateway } from "../support/stories.ts";

const SCRIPT = new URL("./psycopg_client.py", import.meta.url);

/** Functions of the script. */
const STORIES = [
  "parameters_and_rows",
  "pipeline_mode",
  "deep_pipeline",
  "copy_in_and_out",
  "copy_that_fails",
  "notifications",
  "server_side_cursors",
  "cancel_from_another_thread",
  "protocol_3_2",
  "protocol_3_0",
  "many_at_the_same_time",
  "two_phase_commit",
];

const NEEDS_LIBPQ_18 = ["protocol_3_2", "protocol_3_0"];

const python = await findPython();

if ("unavailable" in python) {
  const reason = python.unavailable.split("\n")[0];
  Deno.test({ name: `psycopg through the gateway (${reason})`, ignore: true, fn: () => {} });
} else {
  const { stdout } = await python.run(SCRIPT, ["--libpq"], {});
  const libpq = Number(stdout);
  const told = STORIES.filter((story) => libpq >= 18 || !NEEDS_LIBPQ_18.includes(story));
  await testThroughGateway(`psycopg with libpq ${libpq} through the gateway`, {
    workers: [1, 4],
    programs: [],
    postgres: { settings: { "max_prepared_transactions": "4" } },
  }, {
    ...Object.fromEntries(told.map((story) => [
      story.replaceAll("_", " "),
      async ({ via, major }: Scene) => {
        const { code, stderr } = await python.run(SCRIPT, [story, String(major)], {
          "PGHOST": via.host,
          "PGPORT": String(via.port),
          "PGUSER": via.user,
          "PGPASSWORD": via.password,
          "PGDATABASE": via.database,
        });
        assert.equal(code, 0, stderr);
      },
    ])),

    "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
  });
}
