import { deepEqual, equal, throws } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { Framer, HEADER_SIZE, HELD_MESSAGE_SIZE_MAX } from "../../../src/postgres/wire/framer.ts";
import { IS_BACKEND_TAG, IS_FRONTEND_TAG } from "../../../src/postgres/wire/tags.ts";
import { type Bytes, message, query, SYNC } from "../../support/messages.ts";
import { fuzz } from "../../support/random.ts";

const BODY_MAX = 100_000;

/** Steps through a stream as a driver would show it, and gives back each piece with its marks. */
function pieces(framer: Framer, stream: Uint8Array, readSizes: () => number): string[] {
  const found: string[] = [];
  let kept = new Uint8Array();
  for (let at = 0; at < stream.length;) {
    const size = readSizes();
    const view: Uint8Array = concat(kept, stream.subarray(at, at + size));
    at += size;
    framer.begin(view);
    while (framer.next()) {
      const { tag, start, end, isFirst, isLast } = framer;
      const marks = `${isFirst ? "<" : "-"}${isLast ? ">" : "-"}`;
      found.push(`${String.fromCharCode(tag)}${marks}${end - start}`);
    }
    kept = view.slice(framer.end);
  }
  return found;
}

Deno.test("Framer gives messages up to HELD_MESSAGE_SIZE_MAX whole", () => {
  const largest = message("d", new Uint8Array(HELD_MESSAGE_SIZE_MAX - HEADER_SIZE));
  const stream = concat(SYNC, largest, SYNC);
  for (const size of [1, 100, 5_000, 1e6]) {
    const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
    deepEqual(pieces(framer, stream, () => size), ["S<>5", `d<>${HELD_MESSAGE_SIZE_MAX}`, "S<>5"]);
    equal(framer.isBetweenMessages, true);
  }
});

Deno.test("Framer streams larger ones in pieces that begin with the header", () => {
  const larger = message("d", new Uint8Array(HELD_MESSAGE_SIZE_MAX - HEADER_SIZE + 1));
  const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
  const found = pieces(framer, concat(larger, SYNC), () => 5_000);
  deepEqual(found, ["d<-5000", "d->3193", "S<>5"]);
  const cut = new Framer(BODY_MAX, IS_FRONTEND_TAG);
  cut.begin(larger.subarray(0, 4));
  equal(cut.next(), false);
  equal(cut.isBetweenMessages, true);
  cut.begin(larger.subarray(0, 5));
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
  framer.begin(Uint8Array.of(0x51, 0, 1, 0x86, 0xa4));
  equal(framer.next(), true); // exactly the largest
});

Deno.test("Framer knows the types that each side may send", () => {
  const all = (isTag: Uint8Array) =>
    [...isTag.keys()].filter((tag) => isTag[tag] === 1).map((tag) => String.fromCharCode(tag));
  equal(all(IS_FRONTEND_TAG).sort().join(""), "BCDEFHPQSXcdfp");
  equal(IS_BACKEND_TAG.length, 256);
  for (const tag of "123ACDEGHIKNRSTVWZcdnstv") equal(IS_BACKEND_TAG[tag.charCodeAt(0)], 1, tag);
  for (const tag of [0, 0x0a, 0x20, 0x7f, 0x80, 0xff]) equal(IS_BACKEND_TAG[tag], 0);
});

Deno.test("Framer finds the same messages however the stream is cut", async () => {
  await fuzz(100, (random) => {
    const expected: Bytes[] = Array.from({ length: 1 + random.below(20) }, () => {
      const size = random.oneIn(10) ? random.below(BODY_MAX) : random.below(60);
      return random.oneIn(5)
        ? query("x")
        : message(random.pick([..."BCdcfDEHFPpQSX"]), random.bytes(size));
    });
    const framer = new Framer(BODY_MAX, IS_FRONTEND_TAG);
    const found = pieces(framer, concat(...expected), () => 1 + random.below(3_000));
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
      for (const piece of pieces(framer, stream, () => 1 + random.below(40))) {
        equal(Number(piece.slice(3)) <= stream.length, true);
      }
    } catch (error) {
      equal((error as Error).name, "ProtocolError");
    }
  });
});
