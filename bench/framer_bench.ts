/**
 * How fast the framer finds message boundaries: MB a second of small and of large messages, in
 * chunks as they are read.
 *
 *     deno run -A bench/framer_bench.ts
 *
 * @module
 */

import { print } from "../src/cli/terminal.ts";
import { READ_BUFFER_SIZE_MAX } from "../src/net/socket.ts";
import { Framer } from "../src/postgres/wire/framer.ts";
import { IS_BACKEND_TAG } from "../src/postgres/wire/tags.ts";
import { dataRows } from "./messages.ts";
import { spreadOf } from "./statistics.ts";

/** Bytes of messages in one pass, about; the passes before the rounds are for the compiler. */
const STREAM_SIZE = 16 * 1024 * 1024;
const WARM_UP_PASSES = 20;
const ROUNDS = 9;
const PASSES = 4;

/** Bytes of a DataRow's only value: a number, a line of text, a document, a picture. */
const VALUE_SIZES = [8, 200, 4_000, 1_000_000];

/** Header, count of columns, length of the value. */
const DATA_ROW_OVERHEAD = 5 + 2 + 4;

/** Frames a stream as a socket would show it. @returns How many messages there were. */
function frame(stream: Uint8Array): number {
  const framer = new Framer(1 << 30, IS_BACKEND_TAG);
  let messages = 0;
  let start = 0;
  while (start < stream.length) {
    framer.begin(stream.subarray(start, start + READ_BUFFER_SIZE_MAX));
    while (framer.next()) if (framer.isFirst) messages += 1;
    start += framer.end; // a message cut by the end is shown again, as the driver does
  }
  return messages;
}

function measure(valueSize: number): void {
  const count = Math.ceil(STREAM_SIZE / (valueSize + DATA_ROW_OVERHEAD));
  const stream = dataRows(count, valueSize);
  for (let pass = 0; pass < WARM_UP_PASSES; pass += 1) checkCount(frame(stream), count);
  const rates = Array.from({ length: ROUNDS }, () => {
    const startedMs = performance.now();
    for (let pass = 0; pass < PASSES; pass += 1) checkCount(frame(stream), count);
    return PASSES * stream.length / 1e6 / ((performance.now() - startedMs) / 1000);
  });
  const { median, min, max } = spreadOf(rates);
  const nanoseconds = stream.length / count / median * 1000;
  print(
    `values of ${String(valueSize).padStart(7)} bytes: ${median.toFixed(0).padStart(8)} MB/s ` +
      `(${min.toFixed(0)}..${max.toFixed(0)}), ${nanoseconds.toFixed(0)} ns a message\n`,
  );
}

/** A framer that loses messages would be a fast one. */
function checkCount(messages: number, expected: number): void {
  if (messages !== expected) throw new Error(`${messages} of ${expected} messages were found`);
}

if (import.meta.main) { for (const size of VALUE_SIZES) measure(size); }
