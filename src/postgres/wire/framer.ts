/**
 * Finds message boundaries in one direction of a connection. It does no I/O, copies nothing and
 * makes no garbage: the caller shows it a view of what has arrived and steps over the messages.
 *
 * Every message after startup looks like this, integers big-endian:
 *
 *     | tag: u8 | length: i32, counts itself but not the tag | body: length - 4 bytes |
 *
 * A message of up to {@linkcode HELD_MESSAGE_SIZE_MAX} bytes is given whole: while it is cut by the
 * end of the view it is left there, to be shown again with more behind it. So between two calls
 * the other side has only ever seen whole messages, and an ErrorResponse can be put between them.
 * A larger message is streamed in pieces as it comes, in the same memory whatever its size:
 *
 *     view 1:  | whole | whole | cut       view 2:  | cut | whole | first piece of a larg
 *     taken:   |---------------|           taken:   |-----------------------------------|
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { ProtocolError, TooLongError } from "./errors.ts";

/** Bytes before the body: one of tag, four of length. */
export const HEADER_SIZE = 5;

/**
 * Largest message that is held back until it is whole, in bytes, header included. Half of the
 * smallest read buffer (`READ_BUFFER_SIZE_MIN` in net/socket.ts), so a held one always fits.
 */
export const HELD_MESSAGE_SIZE_MAX = 8 * 1024;

/**
 * Fewest bytes in the first piece of a message that is streamed, header included: enough to hold
 * the severity and the SQLSTATE of an ErrorResponse, which come first.
 */
const FIRST_PIECE_SIZE_MIN = 64;

const NOTHING = new Uint8Array();

/** Frames one direction of one connection. Not shared: it remembers where it is. */
export class Framer {
  readonly #bodySizeMax: number;
  readonly #isTag: Uint8Array;
  readonly #heldSizeMax: number;
  #view: Uint8Array = NOTHING;
  /** Body bytes still to come of a message that is being streamed. */
  #bodySizeLeft = 0;

  /** Type of the current piece's message, e.g. 0x5a for ReadyForQuery. */
  tag = 0;
  /** Where the current piece begins in the view. */
  start = 0;
  /** Where it ends; also how much of the view has been stepped over. */
  end = 0;
  /** True if the piece begins with the message's header. */
  isFirst = false;
  /** True if the piece ends with the message's last byte. */
  isLast = false;

  /**
   * @param bodySizeMax Largest body accepted, in bytes; a larger one is an attack or a bug.
   * @param isTag 256 bytes: 1 for each tag that may come in this direction.
   * @param heldSizeMax Largest message that is held until it is whole, in bytes, header included;
   * at most what a driver keeps for a handler (`READ_BUFFER_SIZE_MAX` in net/socket.ts).
   */
  constructor(bodySizeMax: number, isTag: Uint8Array, heldSizeMax = HELD_MESSAGE_SIZE_MAX) {
    this.#bodySizeMax = bodySizeMax;
    this.#isTag = isTag;
    this.#heldSizeMax = heldSizeMax;
  }

  /** True unless a message is being streamed: what was stepped over ends with a whole message. */
  get isBetweenMessages(): boolean {
    return this.#bodySizeLeft === 0;
  }

  /** Takes a new view: what was not stepped over in the last one, then newer bytes. */
  begin(view: Uint8Array): void {
    this.#view = view;
    this.start = 0;
    this.end = 0;
  }

  /**
   * Steps to the next message, or piece of a large one.
   *
   * @returns False when nothing more can be taken from this view.
   * @throws {ProtocolError} If a tag is not one of this direction, or a length is out of range;
   * {@linkcode TooLongError} if it is above.
   */
  next(): boolean {
    const start = this.end;
    const sizeLeft = this.#view.length - start;
    if (this.#bodySizeLeft > 0) return this.#continueMessage(start, sizeLeft);
    if (sizeLeft < HEADER_SIZE) {
      if (sizeLeft > 0) this.#checkTag(this.#view[start]!);
      return false;
    }
    const tag = this.#view[start]!;
    this.#checkTag(tag);
    const bodySize = int32At(this.#view, start + 1) - 4;
    if (bodySize < 0 || bodySize > this.#bodySizeMax) this.#refuseLength(tag, bodySize);
    const size = HEADER_SIZE + bodySize;
    const isHeld = size <= this.#heldSizeMax || sizeLeft < FIRST_PIECE_SIZE_MIN;
    if (size > sizeLeft && isHeld) return false;
    this.tag = tag;
    this.start = start;
    this.end = start + Math.min(size, sizeLeft);
    this.#bodySizeLeft = size - (this.end - start);
    this.isFirst = true;
    this.isLast = this.#bodySizeLeft === 0;
    return true;
  }

  #continueMessage(start: number, sizeLeft: number): boolean {
    if (sizeLeft === 0) return false;
    const size = Math.min(this.#bodySizeLeft, sizeLeft);
    this.start = start;
    this.end = start + size;
    this.#bodySizeLeft -= size;
    this.isFirst = false;
    this.isLast = this.#bodySizeLeft === 0;
    return true;
  }

  #checkTag(tag: number): void {
    if (this.#isTag[tag] === 1) return;
    throw new ProtocolError(`invalid message type 0x${tag.toString(16).padStart(2, "0")}`);
  }

  #refuseLength(tag: number, bodySize: number): never {
    const TheError = bodySize < 0 ? ProtocolError : TooLongError;
    throw new TheError(
      `invalid length of message "${String.fromCharCode(tag)}": it must be 4 to ` +
        `${this.#bodySizeMax + 4} bytes, but is ${bodySize + 4}`,
    );
  }
}
