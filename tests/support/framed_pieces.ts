/**
 * What a framer makes of a stream that comes in reads of some sizes.
 *
 * @module
 */

import { concat } from "../../src/base/bytes.ts";
import type { Framer } from "../../src/postgres/wire/framer.ts";

/**
 * Steps through a stream as a driver would show it.
 *
 * @param readSizes Gives the size of the next read, in bytes; at least 1.
 * @returns Each piece as tag, marks and size: "D<>12" is a whole message, "D<-5" the first of many.
 */
export function framedPieces(
  framer: Framer,
  stream: Uint8Array,
  readSizes: () => number,
): string[] {
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
