/**
 * Half a gigabyte in one row, a gigabyte out, hundreds of megabytes in: the gateway's memory does
 * not depend on the size of a message, a row or a result. Memory is measured, time is not.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Gateway } from "../support/gateway.ts";
import { clientProgram, connectionEnv, psqlArgs } from "../support/psql.ts";
import { countOutput, runProgram } from "../support/programs.ts";
import { type Target, testThroughGateway } from "../support/stories.ts";

const MEGABYTE = 1_000_000;

/** Buffers of two sockets, and what a garbage collector leaves for later. */
const GROWTH_MAX = 100 * MEGABYTE;

/** Runs `body`, and fails if the gateway's memory ever was much more than before. */
async function withinMemory(gateway: Gateway, body: () => Promise<void>): Promise<void> {
  gateway.resetPeak();
  const before = gateway.residentBytes();
  await body();
  const growth = gateway.peakResidentBytes() - before;
  assert.ok(growth < GROWTH_MAX, `memory grew by ${Math.round(growth / MEGABYTE)} MB`);
}

/** Makes `size` bytes of lines of COPY's text format, a chunk at a time. */
function copyLines(size: number): ReadableStream<Uint8Array> {
  const chunk = new TextEncoder().encode(`${"x".repeat(99)}\n`.repeat(10_000));
  let left = size;
  return new ReadableStream({
    pull(controller) {
      if (left <= 0) return controller.close();
      left -= chunk.length;
      controller.enqueue(chunk);
    },
  });
}

async function psqlOut(target: Target, sql: string): Promise<number> {
  const { bytes, code, stderr } = await countOutput(
    await clientProgram("psql"),
    psqlArgs(target, ["-c", sql]),
    { env: connectionEnv(target) },
  );
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return bytes;
}

await testThroughGateway("large data through the gateway", { workers: [1], newestOnly: true }, {
  "a row of 600 MB": ({ gateway, via }) =>
    withinMemory(gateway, async () => {
      const bytes = await psqlOut(via, "select repeat('x', 600000000)");
      assert.equal(bytes, 600_000_001);
    }),

  "a COPY of 1 GB out": ({ gateway, via }) =>
    withinMemory(gateway, async () => {
      const row = "repeat('y', 99999)";
      const bytes = await psqlOut(
        via,
        `copy (select ${row} from generate_series(1, 10000)) to stdout`,
      );
      assert.equal(bytes, 1_000_000_000);
      const relayed = await gateway.metric(
        'sluice_relayed_bytes_total{direction="server_to_client",pool="default"}',
      );
      assert.ok(relayed > 1_600_000_000, "the bytes that passed are counted");
    }),

  "a COPY of 300 MB in": ({ gateway, via }) =>
    withinMemory(gateway, async () => {
      const { code, stdout, stderr } = await runProgram(
        await clientProgram("psql"),
        psqlArgs(via, [
          "-c",
          "create unlogged table lines (line text)",
          "-c",
          "copy lines from stdin",
          "-c",
          "select count(*), sum(length(line)) from lines",
          "-c",
          "drop table lines",
        ]),
        { env: connectionEnv(via), stdin: copyLines(300 * MEGABYTE) },
      );
      assert.equal(stderr, "");
      assert.equal(stdout, "3000000|297000000\n");
      assert.equal(code, 0);
    }),

  "a parameter of 250 MB in, and back": ({ gateway, via }) =>
    withinMemory(gateway, async () => {
      const { code, stdout, stderr } = await runProgram(
        await clientProgram("psql"),
        psqlArgs(via),
        {
          env: connectionEnv(via),
          stdin: new Blob(["select length('", "z".repeat(250 * MEGABYTE), "');\n"]).stream(),
        },
      );
      assert.equal(stderr, "");
      assert.equal(stdout, "250000000\n");
      assert.equal(code, 0);
    }),
});
