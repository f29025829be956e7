/**
 * Reading and joining bytes. Integers are big-endian, as on the wire.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Text as UTF-8. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** UTF-8 as text; what is not UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Up to here a loop is done sooner than `indexOf` or `set`, which are calls out of the engine. */
const NEAR_SIZE = 64;

/** Where the next zero byte is, from an offset on; -1 if there is none. Fast where it is near. */
export function zeroAt(bytes: Uint8Array, offset: number): number {
  const near = Math.min(bytes.length, offset + NEAR_SIZE);
  for (let i = offset; i < near; i += 1) {
    if (bytes[i] === 0) return i;
  }
  return near === bytes.length ? -1 : bytes.indexOf(0, near);
}

/** Whether two are the same. Takes longer the more of their first bytes are: not for secrets. */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/** A signed 32-bit integer. The four bytes must be there. */
export function int32At(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) |
    bytes[offset + 3]!;
}

/** A 16-bit unsigned integer. The two bytes must be there. */
export function uint16At(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

/** Writes a 32-bit integer; the four bytes must be there. */
export function putInt32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** Copies bytes from `start` to `end` to an offset of others. Fast where they are few. */
export function copyInto(
  target: Uint8Array,
  offset: number,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start > NEAR_SIZE) return target.set(source.subarray(start, end), offset);
  for (let at = start; at < end; at += 1) target[offset + at - start] = source[at]!;
}

/** One new array with the bytes of all. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Whether two secrets are equal, in a time that depends on their lengths only, so that an
 * attacker learns nothing from how long a wrong guess took.
 */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
