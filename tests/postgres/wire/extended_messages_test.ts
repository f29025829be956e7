/**
 * Names as they are read of messages.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { nameBytes, nameOf } from "../../../src/postgres/wire/extended_messages.ts";

Deno.test("nameOf tells names apart that share a place among the recent ones", () => {
  // Equal in length, first and last byte.
  const names = ["s_1_x", "s_2_x", "s_3_x"];
  for (let round = 0; round < 3; round += 1) {
    for (const name of names) equal(nameOf(utf8(name)), name);
  }
});

Deno.test("nameOf keeps every byte, whatever the encoding and the length", () => {
  const all = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
  for (const bytes of [all, all.subarray(0, 64), all.subarray(0, 65), Uint8Array.of(0xff, 0xc3)]) {
    for (let round = 0; round < 2; round += 1) deepEqual(nameBytes(nameOf(bytes)), bytes);
    const around = concat(utf8("ab"), bytes, utf8("c"));
    equal(nameOf(around, 2, 2 + bytes.length), nameOf(bytes));
  }
  equal(nameOf(new Uint8Array()), "");
});
