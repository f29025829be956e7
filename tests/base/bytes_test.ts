import { deepEqual, equal } from "node:assert/strict";
import {
  concat,
  copyInto,
  equalInConstantTime,
  int32At,
  isEqual,
  putInt32,
  textOf,
  uint16At,
  utf8,
  zeroAt,
} from "../../src/base/bytes.ts";

Deno.test("putInt32 writes what int32At reads, big-endian and signed", () => {
  for (const value of [0, 1, -1, 255, 256, 65_536, 2_147_483_647, -2_147_483_648]) {
    const bytes = new Uint8Array(6);
    putInt32(bytes, 1, value);
    equal(int32At(bytes, 1), value);
    equal(new DataView(bytes.buffer).getInt32(1), value);
    deepEqual([bytes[0], bytes[5]], [0, 0]);
  }
});

Deno.test("uint16At reads two bytes as a number without a sign", () => {
  equal(uint16At(Uint8Array.of(9, 0xff, 0xfe, 9), 1), 0xfffe);
});

Deno.test("concat joins copies", () => {
  const part = Uint8Array.of(1, 2);
  const joined = concat(part, new Uint8Array(), part.subarray(1));
  part[0] = 9;
  deepEqual(joined, Uint8Array.of(1, 2, 2));
  equal(concat().length, 0);
});

Deno.test("textOf reads what utf8 writes, and replaces what is not UTF-8", () => {
  equal(textOf(utf8("é😀\0x")), "é😀\0x");
  equal(textOf(Uint8Array.of(0x61, 0xff, 0x62)), "a\ufffdb");
});

Deno.test("equalInConstantTime compares every byte", () => {
  const secret = Uint8Array.of(1, 2, 3, 4);
  equal(equalInConstantTime(secret, secret.slice()), true);
  for (let i = 0; i < secret.length; i++) {
    const wrong = secret.map((byte, at) => at === i ? byte ^ 0x80 : byte);
    equal(equalInConstantTime(secret, wrong), false);
  }
  equal(equalInConstantTime(secret, secret.subarray(0, 3)), false);
  equal(equalInConstantTime(new Uint8Array(), new Uint8Array()), true);
});

Deno.test("zeroAt finds the next zero byte, near and far", () => {
  for (const at of [0, 1, 63, 64, 65, 199]) {
    const bytes = new Uint8Array(200).fill(1);
    bytes[at] = 0;
    equal(zeroAt(bytes, 0), at);
    equal(zeroAt(bytes, at), at);
    equal(zeroAt(bytes, at + 1), -1);
  }
  equal(zeroAt(new Uint8Array(), 0), -1);
  equal(zeroAt(Uint8Array.of(0), 5), -1);
});

Deno.test("isEqual compares bytes, and lengths", () => {
  equal(isEqual(utf8("abc"), utf8("abc")), true);
  equal(isEqual(utf8("abc"), utf8("abd")), false);
  equal(isEqual(utf8("abc"), utf8("ab")), false);
  equal(isEqual(utf8(""), utf8("")), true);
});

Deno.test("copyInto copies a part, few bytes and many", () => {
  const source = Uint8Array.from({ length: 300 }, (_, i) => i & 255);
  for (const [start, end] of [[0, 0], [3, 4], [10, 74], [10, 75], [0, 300]] as const) {
    const target = new Uint8Array(400).fill(7);
    copyInto(target, 50, source, start, end);
    const expected = [...Array(50).fill(7), ...source.slice(start, end)];
    deepEqual([...target], [...expected, ...Array(400 - expected.length).fill(7)]);
  }
});
