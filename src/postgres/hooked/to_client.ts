/**
 * The way down of a hooked session: frames what goes to the client, calls the hooks of what
 * somebody wants to see, and puts plugins' answers between the server's where they are due. What
 * nobody wants passes as it came; a large message that is wanted is assembled, and no other is.
 *
 * @module
 */

import { concat, int32At } from "../../base/bytes.ts";
import type { HookChain } from "../../hooks/chain.ts";
import { HOOK } from "../../hooks/hooks.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { isWholeAnswer } from "../wire/lone_messages.ts";
import { BACKEND } from "../wire/tags.ts";
import type { HookCalls } from "./hook_calls.ts";
import { ASSEMBLED_SIZE_MAX } from "./assembled.ts";
import type { Entry } from "./entry.ts";
import type { LoneRequests } from "./lone_requests.ts";
import type { Pipeline } from "./pipeline.ts";
import type { ServerMessages } from "./server_messages.ts";

const NOTHING = new Uint8Array();

/** Of what a whole answer may be made: see `isWholeAnswer`. */
const ANSWERS: readonly number[] = [
  BACKEND.rowDescription,
  BACKEND.dataRow,
  BACKEND.commandComplete,
  BACKEND.emptyQueryResponse,
  BACKEND.readyForQuery,
];

/** What the way down asks of its session. */
export interface ToClientOwner {
  /** A plugin cannot be followed, or must not be passed by. */
  refuse(why: string): void;
  /** Something has been answered. */
  onAnswered(): void;
  /** All that was owed has been answered. */
  onAllAnswered(): void;
}

/** One session's way down. */
export class ToClient {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #messages: ServerMessages;
  readonly #lone: LoneRequests;
  readonly #owner: ToClientOwner;
  /** The chain that `#isWanted` was made for. */
  #chain: HookChain | undefined;
  /** Types of which a message is assembled if it comes in pieces. */
  #isWanted = new Uint8Array(256);
  /** Types of which a whole message is looked into. */
  #isSeen = new Uint8Array(256);
  /** Any of the messages is looked into that queries are answered with. */
  #seesAnswers = false;
  /** Rows are looked at one by one, and not together. */
  #wantsSingleRows = false;
  #send: (bytes: Uint8Array) => void = () => {};
  /** What is being walked through, and up to where it has been sent. */
  #bytes: Uint8Array = NOTHING;
  #sent = 0;
  /** Bytes still to come of a message that passes as it is, and the entry that it answers. */
  #left = 0;
  #passing: Entry | undefined;
  #isHidden = false;
  /** Pieces of a message that is assembled, and bytes still to come of it. */
  #pieces: Uint8Array[] = [];
  #piecesLeft = 0;
  /** The start of a header that was cut. */
  #cut: Uint8Array = NOTHING;
  #isClosed = false;

  constructor(
    calls: HookCalls,
    messages: ServerMessages,
    lone: LoneRequests,
    owner: ToClientOwner,
  ) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#messages = messages;
    this.#lone = lone;
    this.#owner = owner;
  }

  /** False while a message is under way: nothing else may be sent to the client. */
  get isBetweenMessages(): boolean {
    return this.#left === 0 || this.#isHidden;
  }

  /** True if nothing is kept here that the client has still to get. */
  get isEmpty(): boolean {
    return this.#left === 0 && this.#piecesLeft === 0 && this.#cut.length === 0;
  }

  /** The session ends: nothing more is sent. */
  close(): void {
    this.#isClosed = true;
  }

  /** Bytes of a server, or of the gateway in its place. `send` is used during the call only. */
  write(bytes: Uint8Array, send: (bytes: Uint8Array) => void): void {
    const lone = this.#lone;
    if (!this.#isClosed && lone.isAnsweredBy(bytes)) {
      this.#messages.onLoneAnswer(lone.onAnswered(), bytes[bytes.length - 1]!);
      return send(bytes);
    }
    lone.note();
    this.#look();
    if (this.#isUnseen(bytes)) {
      this.#messages.onUnseenAnswer(bytes[bytes.length - 1]!);
      send(bytes);
      this.#owner.onAnswered();
      return this.#owner.onAllAnswered();
    }
    this.#send = send;
    this.#bytes = this.#cut.length === 0 ? bytes : concat(this.#cut, bytes);
    this.#cut = NOTHING;
    this.#sent = 0;
    let offset = 0;
    if (this.#left === 0 && this.#piecesLeft === 0) this.#sendLocals(0);
    while (offset < this.#bytes.length && !this.#isClosed) offset = this.#step(offset);
    if (!this.#isClosed) this.#flush(offset);
    this.#bytes = NOTHING;
    if (!this.#isClosed && this.isEmpty && this.#pipeline.isEmpty) this.#owner.onAllAnswered();
  }

  /** Whether bytes are the whole answer to all that is owed, and nobody wants to look into it. */
  #isUnseen(bytes: Uint8Array): boolean {
    return !this.#seesAnswers && this.#pipeline.owesPlainAnswer && this.isEmpty &&
      !this.#isClosed && isWholeAnswer(bytes, bytes.length);
  }

  /** Sends what plugins have answered, as far as it is due. */
  answer(send: (bytes: Uint8Array) => void): void {
    if (this.#isClosed || !this.isEmpty) return;
    this.#send = send;
    this.#bytes = NOTHING;
    this.#sent = 0;
    if (this.#sendLocals(0)) this.#owner.onAnswered();
  }

  /** Finds out anew what is wanted, if plugins have changed. */
  #look(): void {
    const { chain } = this.#calls;
    if (chain === this.#chain) return;
    this.#chain = chain;
    this.#isWanted = Uint8Array.from({ length: 256 }, (_, tag) => isWanted(chain, tag) ? 1 : 0);
    this.#isSeen = Uint8Array.from({ length: 256 }, (_, tag) => isSeen(chain, tag) ? 1 : 0);
    this.#seesAnswers = ANSWERS.some((tag) => this.#isSeen[tag] === 1);
    this.#wantsSingleRows = chain.wantsType(HOOK.onTrafficFromServer, BACKEND.dataRow) ||
      chain.wantsType(HOOK.onTrafficToClient, BACKEND.dataRow);
  }

  /** Takes what begins at an offset. @returns Where the next begins. */
  #step(offset: number): number {
    const available = this.#bytes.length - offset;
    if (this.#left > 0) return this.#pass(offset, Math.min(this.#left, available));
    if (this.#piecesLeft > 0) return this.#assemble(offset, Math.min(this.#piecesLeft, available));
    if (available < HEADER_SIZE) {
      this.#flush(offset);
      this.#cut = this.#bytes.slice(offset);
      return this.#sent = this.#bytes.length;
    }
    const tag = this.#bytes[offset]!;
    const size = 1 + int32At(this.#bytes, offset + 1);
    if (size <= available) return this.#whole(tag, offset, size);
    if (this.#isWanted[tag] === 1) {
      if (size > ASSEMBLED_SIZE_MAX) this.#refuseSize(tag, size, offset);
      else this.#piecesLeft = size;
    } else {
      this.#left = size;
      this.#passing = this.#pipeline.find(tag);
      this.#isHidden = this.#messages.onPassed(tag, this.#passing);
    }
    return offset;
  }

  /** A piece of a message that nobody wants to see. */
  #pass(offset: number, size: number): number {
    this.#left -= size;
    const end = offset + size;
    this.#passing?.capture?.add(this.#bytes.subarray(offset, end));
    if (this.#isHidden) {
      this.#flush(offset);
      this.#sent = end;
    }
    if (this.#left === 0) this.#onAnswered(end);
    return end;
  }

  #assemble(offset: number, size: number): number {
    this.#flush(offset);
    const end = this.#sent = offset + size;
    this.#pieces.push(this.#bytes.slice(offset, end));
    this.#piecesLeft -= size;
    if (this.#piecesLeft > 0) return end;
    const message = concat(...this.#pieces);
    this.#pieces = [];
    const replacement = this.#messages.onMessage(message[0]!, message, 1);
    if (this.#isClosed) return end;
    const bytes = replacement ?? message;
    if (bytes.length > 0) this.#send(bytes);
    this.#onAnswered(end);
    return end;
  }

  /** A message that is there as a whole; rows come together, as many as there are. */
  #whole(tag: number, offset: number, size: number): number {
    let end = offset + size;
    let count = 1;
    if (tag === BACKEND.dataRow && !this.#wantsSingleRows) {
      for (let next = this.#rowEnd(end); next > end; next = this.#rowEnd(end)) {
        end = next;
        count += 1;
      }
    }
    const replacement = this.#replacementOf(tag, offset, end, count);
    if (this.#isClosed) {
      this.#flush(offset);
      return this.#sent = end;
    }
    if (replacement !== undefined) {
      this.#flush(offset);
      this.#sent = end;
      if (replacement.length > 0) this.#send(replacement);
    }
    this.#onAnswered(end);
    return end;
  }

  /** What the client gets in place of whole messages; undefined for themselves. */
  #replacementOf(tag: number, offset: number, end: number, count: number): Uint8Array | undefined {
    if (this.#isSeen[tag] === 0) {
      const status = tag === BACKEND.readyForQuery ? this.#bytes[offset + HEADER_SIZE]! : 0;
      const isShown = this.#messages.onUnseen(tag, count, status);
      if (isShown !== undefined) return isShown ? undefined : NOTHING;
    }
    return this.#messages.onMessage(tag, this.#bytes.subarray(offset, end), count);
  }

  /** Where the whole DataRow ends that begins at an offset; the offset if there is none. */
  #rowEnd(offset: number): number {
    if (this.#bytes[offset] !== BACKEND.dataRow) return offset;
    if (offset + HEADER_SIZE > this.#bytes.length) return offset;
    const end = offset + 1 + int32At(this.#bytes, offset + 1);
    return end > this.#bytes.length ? offset : end;
  }

  /** Something has been answered, up to there. */
  #onAnswered(end: number): void {
    this.#sendLocals(end);
    this.#owner.onAnswered();
  }

  /**
   * What plugins answer is sent behind what has been walked through.
   *
   * @returns Whether there was anything.
   */
  #sendLocals(end: number): boolean {
    let isAny = false;
    for (
      let entry = this.#pipeline.takeLocal();
      entry !== undefined;
      entry = this.#pipeline.takeLocal()
    ) {
      isAny = true;
      this.#flush(end);
      const bytes = this.#messages.onLocal(entry);
      if (this.#isClosed) break;
      if (bytes.length > 0) this.#send(bytes);
    }
    return isAny;
  }

  #flush(end: number): void {
    const start = this.#sent;
    if (end <= start) return;
    this.#sent = end;
    const isAll = end - start === this.#bytes.length;
    this.#send(isAll ? this.#bytes : this.#bytes.subarray(start, end));
  }

  #refuseSize(tag: number, size: number, offset: number): void {
    this.#flush(offset);
    const type = String.fromCharCode(tag);
    this.#owner.refuse(
      `a message of type "${type}" has ${size} bytes; plugins are shown at most ` +
        `${ASSEMBLED_SIZE_MAX}`,
    );
    this.#isClosed = true;
  }
}

/** Whether messages of a type must be whole: what ends requests always has to. */
function isWanted(chain: HookChain, tag: number): boolean {
  return tag === BACKEND.readyForQuery || tag === BACKEND.commandComplete || isSeen(chain, tag);
}

/** Whether what messages of a type hold matters. */
function isSeen(chain: HookChain, tag: number): boolean {
  switch (tag) {
    case BACKEND.errorResponse:
    case BACKEND.parameterStatus:
      return true;
    case BACKEND.authentication:
    case BACKEND.backendKeyData:
      return false;
    case BACKEND.rowDescription:
    case BACKEND.dataRow:
      if (chain.wants[HOOK.onRow] === 1) return true;
      break;
    case BACKEND.commandComplete:
      if (chain.wants[HOOK.onQueryEnd] === 1) return true;
  }
  return chain.wantsType(HOOK.onTrafficFromServer, tag) ||
    chain.wantsType(HOOK.onTrafficToClient, tag);
}
