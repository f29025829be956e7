import { deepEqual, equal, throws } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { Framer, HEADER_SIZE, HELD_MESSAGE_SIZE_MAX } from "../../../src/postgres/wire/framer.ts";
import { IS_BACKEND_TAG, IS_FRONTEND_TAG } from "../../../src/postgres/wire/tags.ts";
import { framedPieces } from "../../support/framed_pieces.ts";
import { message, SYNC } from "../../support/messages.ts";

const BODY_MAX = 100_000;

Deno.test("Framer gives messages up to HELD_MESSAGE_SIZE_MAX whole", () => {
  const largest = message("d", new Uint8Array(HELD_MESSAGE_SIZE_MAX - HEADER_SIZE));
  const stream = concat(SYNC, largest, SYNC);
  for (const size of [1, 100, 5_000, 1e6]) {
    const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
    deepEqual(framedPieces(framer, stream, () => size), [
      "S<>5",
      `d<>${HELD_MESSAGE_SIZE_MAX}`,
      "S<>5",
    ]);
    equal(framer.isBetweenMessages, true);
  }
});

Deno.test("Framer streams larger ones in pieces that begin with the header", () => {
  const larger = message("d", new Uint8Array(HELD_MESSAGE_SIZE_MAX - HEADER_SIZE + 1));
  const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
  const found = framedPieces(framer, concat(larger, SYNC), () => 5_000);
  deepEqual(found, ["d<-5000", "d->3193", "S<>5"]);
  const cut = new Framer(BODY_MAX, IS_FRONTEND_TAG);
  // What comes first of a large ErrorResponse says how bad it is, so it is not cut.
  for (const size of [4, 5, 63]) {
    cut.begin(larger.subarray(0, size));
    equal(cut.next(), false);
    equal(cut.isBetweenMessages, true);
  }
  cut.begin(larger.subarray(0, 64));
  equal(cut.next(), true);
  deepEqual([cut.isFirst, cut.isLast, cut.isBetweenMessages], [true, false, false]);
  equal(cut.next(), false);
});

Deno.test("Framer refuses tags as soon as it sees them, and lengths with the header", () => {
  const refused: readonly (readonly [number[], RegExp])[] = [
    [[0x00], /^ProtocolError: invalid message type 0x00$/],
    [[0xff], /0xff/],
    [[0x41], /0x41/], // NotificationResponse, which no client sends
    [[0x51, 0, 0, 0, 3], /invalid length of message "Q": it must be 4 to 100004 bytes, but is 3$/],
    [[0x51, 0x80, 0, 0, 0], /but is -2147483648$/],
    [[0x51, 0, 1, 0x86, 0xa5], /but is 100005$/],
  ];
  for (const [bytes, rule] of refused) {
    const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
    framer.begin(Uint8Array.from(bytes));
    throws(() => framer.next(), rule);
  }
  const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
  framer.begin(Uint8Array.of(0x51, 0x80, 0, 0));
  equal(framer.next(), false);
  const largest = new Uint8Array(64);
  largest.set([0x51, 0, 1, 0x86, 0xa4]);
  framer.begin(largest);
  equal(framer.next(), true);
});

Deno.test("Framer knows the types that each side may send", () => {
  const all = (isTag: Uint8Array) =>
    [...isTag.keys()].filter((tag) => isTag[tag] === 1).map((tag) => String.fromCharCode(tag));
  equal(all(IS_FRONTEND_TAG).sort().join(""), "BCDEFHPQSXcdfp");
  equal(IS_BACKEND_TAG.length, 256);
  for (const tag of "123ACDEGHIKNRSTVWZcdnstv") equal(IS_BACKEND_TAG[tag.charCodeAt(0)], 1, tag);
  for (const tag of [0, 0x0a, 0x20, 0x7f, 0x80, 0xff]) equal(IS_BACKEND_TAG[tag], 0);
});
