/**
 * Checks what plugins put in the place of messages: a client must never get half of one.
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { BACKEND } from "../wire/tags.ts";

/**
 * Counts messages.
 *
 * @returns How many there are, or -1 if they are not all whole and of the type.
 */
export function countMessages(bytes: Uint8Array, tag: number): number {
  let count = 0;
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes[offset] !== tag || offset + HEADER_SIZE > bytes.length) return -1;
    const size = 1 + int32At(bytes, offset + 1);
    if (size < HEADER_SIZE || offset + size > bytes.length) return -1;
    offset += size;
    count += 1;
  }
  return count;
}

/** Shows each of several whole messages. */
export function eachMessage(bytes: Uint8Array, show: (message: Uint8Array) => void): void {
  for (let offset = 0; offset < bytes.length;) {
    const end = offset + 1 + int32At(bytes, offset + 1);
    show(bytes.subarray(offset, end));
    offset = end;
  }
}

/** Whether bytes may stand for a message of a server. */
export function mayReplace(tag: number, bytes: Uint8Array): boolean {
  const count = countMessages(bytes, tag);
  switch (tag) {
    case BACKEND.dataRow:
    case BACKEND.noticeResponse:
    case BACKEND.notificationResponse:
    case BACKEND.copyData: // "d" in both directions
      return count >= 0;
  }
  return count === 1;
}
