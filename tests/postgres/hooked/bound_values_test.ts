/**
 * What a hooked session reads of a Bind.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { readBound, readResultFormats } from "../../../src/postgres/hooked/bound_values.ts";
import { message } from "../../../src/postgres/wire/messages.ts";
import { FRONTEND } from "../../../src/postgres/wire/tags.ts";

/** A portal of three values: text, binary and NULL; results are text, binary. */
const BIND = message(
  FRONTEND.bind,
  utf8("portal\0statement\0"),
  Uint8Array.of(0, 3, 0, 0, 0, 1, 0, 0),
  Uint8Array.of(0, 3),
  concat(Uint8Array.of(0, 0, 0, 2), utf8("ab")),
  Uint8Array.of(0, 0, 0, 1, 7),
  Uint8Array.of(255, 255, 255, 255),
  Uint8Array.of(0, 2, 0, 0, 0, 1),
);

Deno.test("readResultFormats reads what readBound reads", () => {
  deepEqual(readResultFormats(BIND), Uint8Array.of(0, 1));
  const bound = readBound(BIND)!;
  deepEqual(bound.resultFormats, Uint8Array.of(0, 1));
  deepEqual(
    bound.parameters,
    concat(
      Uint8Array.of(0, 2, 0, 0, 0),
      utf8("ab"),
      Uint8Array.of(1, 1, 0, 0, 0, 7),
      Uint8Array.of(0, 255, 255, 255, 255),
    ),
  );
});

Deno.test("A Bind that is cut short has no formats", () => {
  for (let size = 5; size < BIND.length; size += 1) {
    equal(readResultFormats(BIND.subarray(0, size)), undefined, `${size} bytes`);
    equal(readBound(BIND.subarray(0, size)), undefined, `${size} bytes`);
  }
});
