/**
 * A hash for tables and rings. Fast, well spread, and the same everywhere; it does not stand up to
 * somebody who knows the seed.
 *
 * @module
 */

/**
 * MurmurHash3 for 32 bits, little endian (Austin Appleby, smhasher, MurmurHash3_x86_32).
 *
 * @param size How many of the bytes count, from the first on.
 * @returns A signed integer of 32 bits.
 */
export function murmur3(bytes: Uint8Array, seed: number, size: number = bytes.length): number {
  const whole = size & ~3;
  let hash = seed;
  for (let i = 0; i < whole; i += 4) {
    const block = bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24;
    hash ^= scrambled(block);
    hash = hash << 13 | hash >>> 19;
    hash = Math.imul(hash, 5) + 0xe6546b64 | 0;
  }
  let rest = 0;
  for (let i = size - 1; i >= whole; i--) rest = rest << 8 | bytes[i]!;
  hash ^= scrambled(rest) ^ size;
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return hash ^ hash >>> 16;
}

function scrambled(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul(mixed << 15 | mixed >>> 17, 0x1b873593);
}
