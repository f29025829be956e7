import { equal, ok, rejects } from "node:assert/strict";
import { boundedText } from "../../src/base/bounded_text.ts";

/** A stream of these chunks, and whether it was cancelled. */
function streamOf(...chunks: readonly number[][]) {
  const state = { isCancelled: false };
  const left = chunks.map((chunk) => Uint8Array.from(chunk));
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = left.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    cancel: () => void (state.isCancelled = true),
  }, { highWaterMark: 0 });
  return { state, stream };
}

Deno.test("boundedText reads text that is cut anywhere", async () => {
  equal(await boundedText(streamOf([0x61, 0xc3], [0xa9]).stream, 3), "aé");
  equal(await boundedText(null, 0), "");
});

Deno.test("boundedText reads no further than it may", async () => {
  const { state, stream } = streamOf([1, 2], [3, 4], [5, 6]);
  await rejects(boundedText(stream, 3), { name: "RangeError", message: /larger than 3 bytes/ });
  ok(state.isCancelled);
});

Deno.test("boundedText refuses what is no UTF-8, also at its end", async () => {
  await rejects(boundedText(streamOf([0xff]).stream, 9), TypeError);
  await rejects(boundedText(streamOf([0xc3]).stream, 9), TypeError);
});
