/**
 * Chance as a number.
 *
 * @module
 */

/** Makes a number from 0 to below 1 of four random bytes. */
export function fractionOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
}
