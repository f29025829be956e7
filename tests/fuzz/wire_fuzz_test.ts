/**
 * Throws bytes at what reads the protocol first: the framer and the startup packets. Whatever
 * comes is read, waited for or refused, and cuts change nothing.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { ProtocolError } from "../../src/postgres/wire/errors.ts";
import { Framer } from "../../src/postgres/wire/framer.ts";
import {
  readStartupPacket,
  supportedStartupPacket,
} from "../../src/postgres/wire/startup_packet.ts";
import { IS_BACKEND_TAG, IS_FRONTEND_TAG } from "../../src/postgres/wire/tags.ts";
import { framedPieces } from "../support/framed_pieces.ts";
import { type Bytes, message, packet, query, startup } from "../support/messages.ts";
import { fuzz } from "../support/random.ts";

const BODY_MAX = 100_000;

Deno.test("Framer finds the same messages however the stream is cut", async () => {
  await fuzz(100, (random) => {
    const expected: Bytes[] = Array.from({ length: 1 + random.below(20) }, () => {
      const size = random.oneIn(10) ? random.below(20_000) : random.below(60);
      return random.oneIn(5)
        ? query("x")
        : message(random.pick([..."BCdcfDEHFPpQSX"]), random.bytes(size));
    });
    const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
    const found = framedPieces(framer, concat(...expected), () => 1 + random.below(3_000));
    const sizes: string[] = [];
    let size = 0;
    for (const piece of found) {
      size += Number(piece.slice(3));
      if (piece[1] === "<") equal(size, Number(piece.slice(3)), "a message begins where one ended");
      if (piece[2] !== ">") continue;
      sizes.push(`${piece[0]}${size}`);
      size = 0;
    }
    deepEqual(sizes, expected.map((one) => `${String.fromCharCode(one[0]!)}${one.length}`));
    equal(framer.isBetweenMessages, true);
  });
});

Deno.test("Framer either takes random bytes or refuses them, and never reads beyond", async () => {
  await fuzz(2_000, (random) => {
    const framer = new Framer(1_000, IS_BACKEND_TAG);
    const stream = random.bytes(5 + random.below(100));
    if (random.oneIn(2)) stream.set([0x44, 0, 0, 0, random.below(64)]);
    try {
      for (const piece of framedPieces(framer, stream, () => 1 + random.below(40))) {
        equal(Number(piece.slice(3)) <= stream.length, true);
      }
    } catch (error) {
      ok(error instanceof ProtocolError);
    }
  });
});

Deno.test("readStartupPacket reads, waits or refuses, whatever the bytes", async () => {
  let decoded = 0;
  const { isWhole } = await fuzz(3_000, (random) => {
    const sent = random.oneIn(3)
      ? packet(random.oneIn(2) ? 3 << 16 : random.below(2 ** 31), random.bytes(random.below(40)))
      : startup({ user: "ann", [`k${random.below(9)}`]: "v", "_pq_.x": "1" }, random.below(4));
    for (let i = random.below(3); i > 0; i--) sent[random.below(sent.length)] = random.below(256);
    let read;
    try {
      read = readStartupPacket(sent.subarray(0, random.below(sent.length * 2)), 200);
    } catch (error) {
      ok(error instanceof ProtocolError);
    }
    if (read === undefined) return;
    decoded += 1;
    equal(read.size <= sent.length, true);
    if (read.packet.kind !== "startup") return;
    equal((read.packet.parameters.get("user") ?? "") !== "", true);
    const again = readStartupPacket(supportedStartupPacket(read.packet), 200)!.packet;
    equal(again.kind, "startup");
    if (again.kind !== "startup") return;
    const kept = [...read.packet.parameters].filter(([name]) => !name.startsWith("_pq_."));
    deepEqual([...again.parameters], kept);
  });
  equal(decoded > 0 || !isWhole, true);
});
