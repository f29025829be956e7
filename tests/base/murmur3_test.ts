import { equal } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { murmur3 } from "../../src/base/murmur3.ts";

// Source: https://en.wikipedia.org/wiki/MurmurHash (table of test vectors), and smhasher's.
const VECTORS: readonly (readonly [text: string, seed: number, hash: number])[] = [
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["a", 0x9747b28c, 0x7fa09ea6],
  ["aa", 0x9747b28c, 0x5d211726],
  ["aaa", 0x9747b28c, 0x283e0130],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["abc", 0, 0xb3dd93fa],
  ["test", 0, 0xba6bd213],
  ["test", 0x9747b28c, 0x704b81dc],
  ["Hello, world!", 0, 0xc0363e43],
  ["Hello, world!", 0x9747b28c, 0x24884cba],
  ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
  ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
];

Deno.test("murmur3 gives the published hashes", () => {
  for (const [text, seed, hash] of VECTORS) {
    equal(murmur3(utf8(text), seed) >>> 0, hash, `${text} with seed ${seed}`);
  }
});

Deno.test("murmur3 hashes the first bytes only, if it is told how many", () => {
  for (let size = 0; size <= 9; size++) {
    const whole = utf8("sluice and more").subarray(0, size);
    equal(murmur3(utf8("sluice and more"), 7, size), murmur3(whole, 7), `${size} bytes`);
  }
});
