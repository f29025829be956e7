/**
 * What tests of the store put into it: keys by number, and values that are pieces of one long
 * pattern, so that a wrong byte is noticed anywhere.
 *
 * @module
 */

import { utf8 } from "../../src/base/bytes.ts";
import { Random } from "../support/random.ts";

/** Bytes of the longest value here. */
export const VALUE_SIZE_MAX = 256 * 1024;

const PATTERN_SIZE = 2 * VALUE_SIZE_MAX;
const PATTERN = new Random(1).bytes(PATTERN_SIZE);

/** A key of 5 to 60 bytes, another one for every number. */
export function keyOf(number: number): Uint8Array<ArrayBuffer> {
  return utf8(`${number}:`.padEnd(5 + number * 7 % 56, "k"));
}

/** A value of so many bytes. */
export function valueOf(random: Random, size: number): Uint8Array<ArrayBuffer> {
  const start = random.below(PATTERN_SIZE - size);
  return PATTERN.subarray(start, start + size);
}

/** A value that says itself what it is: 4 bytes say which piece of the pattern follows. */
export function provableValueOf(random: Random, size: number): Uint8Array<ArrayBuffer> {
  const start = random.below(PATTERN_SIZE - size);
  const value = PATTERN.slice(start, start + size);
  new DataView(value.buffer).setUint32(0, start);
  return value;
}

/** Whether a value is one of {@linkcode provableValueOf}, every byte of it. */
export function isProven(value: Uint8Array): boolean {
  const start = new DataView(value.buffer, value.byteOffset).getUint32(0);
  return areEqual(value.subarray(4), PATTERN.subarray(start + 4, start + value.length));
}

/** A size from 1 to so many bytes: as many below 1,000 as above, roughly. */
export function sizeBelow(random: Random, sizeMax: number): number {
  return Math.max(1, Math.floor(Math.exp(random.below(10_001) / 10_000 * Math.log(sizeMax))));
}

/** Whether both have the same bytes. */
export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
