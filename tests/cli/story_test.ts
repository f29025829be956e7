/**
 * The story of `sluice demo`, told to a server without a gateway.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DriverConnection } from "../../src/cli/demo/postgres_driver.ts";
import { tellStory } from "../../src/cli/demo/story.ts";
import { startTestPostgres, TEST_PASSWORD } from "../support/postgres.ts";

/** What the plugin of the demo's gateway answers. */
const HELLO = "Hello from a WebAssembly plugin";

Deno.test("tellStory keeps to 100 columns, and fails if nothing is counted", async () => {
  await using server = await startTestPostgres();
  let queries = 3;
  await using metrics = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    return new Response(`sluice_queries_total{pool="main"} ${queries}\n`);
  });
  const { user, database } = server;
  const credentials = { user, database, password: TEST_PASSWORD };
  {
    await using client = await DriverConnection.open(server, credentials);
    await client.query(
      `create function plugin() returns text language sql as $$ select '${HELLO}' $$`,
    );
  }
  const lines: string[] = [];
  const options = {
    gateway: server,
    direct: server,
    ...credentials,
    metricsUrl: `http://127.0.0.1:${metrics.addr.port}/metrics`,
    write: (line: string) => {
      lines.push(line);
      // The gateway in this test: its counter moves when the story begins.
      queries = 120;
    },
  };
  await tellStory(options);
  const text = lines.join("\n");
  assert.match(text, /SQLSTATE 42P01/);
  assert.match(text, /SQLSTATE 57014/);
  assert.match(text, /grace {3}130/);
  assert.match(text, /sluice_queries_total\{pool="main"\} {2}3 -> 120/);
  for (const line of lines) assert.ok(line.length <= 100 && !line.includes("\n"), line);

  await assert.rejects(
    tellStory({ ...options, metricsTimeoutMs: 500 }),
    /sluice_queries_total .* must grow/,
  );
});
