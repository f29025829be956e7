/**
 * The way up of a hooked session: frames what the client sends, has each message go through the
 * hooks once, and passes on what has come of it. What has been decided and not been taken stays in
 * the client's socket, so that back-pressure works as without plugins.
 *
 * @module
 */

import { concat, int32At } from "../../base/bytes.ts";
import { READ_BUFFER_SIZE_MAX } from "../../net/socket.ts";
import { Framer } from "../wire/framer.ts";
import { isLoneQuery } from "../wire/lone_messages.ts";
import { FRONTEND, IS_FRONTEND_TAG } from "../wire/tags.ts";
import type { ClientMessages } from "./client_messages.ts";
import type { Decision } from "./client_verdicts.ts";
import { ASSEMBLED_SIZE_MAX } from "./assembled.ts";
import { Outgoing } from "./outgoing.ts";

/** What the way up asks of its session. */
export interface FromClientOwner {
  /** Gives bytes to whoever serves the client. @returns How many it has taken. */
  offer(bytes: Uint8Array): number;
  /** Plugins cannot be shown a message. */
  refuse(why: string): void;
  /** Looks at what has not been consumed again, after that time. */
  wait(ms: number): void;
  /** True once nothing more is passed on. */
  isOver(): boolean;
}

/** One session's way up. */
export class FromClient {
  readonly #messages: ClientMessages;
  readonly #owner: FromClientOwner;
  readonly #messageSizeMax: number;
  readonly #framer: Framer;
  readonly #outgoing = new Outgoing();
  /** Pieces of a message that is assembled: too large for the read buffer. */
  #pieces: Uint8Array[] = [];
  #isAssembling = false;
  /** The rest of a large message is thrown away. */
  #isDropping = false;
  #isWaiting = false;
  #isHeldBack = false;

  constructor(messages: ClientMessages, messageSizeMax: number, owner: FromClientOwner) {
    this.#messages = messages;
    this.#owner = owner;
    this.#messageSizeMax = messageSizeMax;
    this.#framer = new Framer(messageSizeMax, IS_FRONTEND_TAG, READ_BUFFER_SIZE_MAX);
  }

  /** True if nothing is kept here that the server has still to get. */
  get isEmpty(): boolean {
    return this.#framer.isBetweenMessages && this.#outgoing.isEmpty && this.#messages.isEmpty;
  }

  /** True if nothing is kept here, or waits. */
  get isAtRest(): boolean {
    return this.isEmpty && !this.#isWaiting && !this.#isHeldBack;
  }

  /** True if something was not looked at before something else is answered. */
  get isHeldBack(): boolean {
    return this.#isHeldBack;
  }

  /** The time is over that something was to wait. */
  resume(): void {
    this.#isWaiting = false;
    this.#messages.holdBack(0);
  }

  /** @returns How many bytes are done with; the others are shown again. */
  onData(view: Uint8Array): number {
    this.#isHeldBack = false;
    if (this.#isLone(view)) return this.#onLone(view);
    if (this.#isWaiting) return this.#flush(view, true);
    const done = this.#flush(view, false);
    const isStuck = !this.#outgoing.isEmpty && !this.#messages.isUnitOpen;
    if (isStuck || this.#isWaiting) return done;
    const unseen = from(view, done + this.#outgoing.scanned);
    this.#framer.begin(unseen);
    try {
      while (!this.#isStopped(unseen) && this.#framer.next()) this.#onPiece(unseen);
    } catch (error) {
      this.#messages.closeUnit();
      this.#flush(view.subarray(done), false); // what came before a broken message is served
      throw error;
    }
    return done + this.#passOn(from(view, done));
  }

  /** Whether a view is one Query, which nothing comes before that has not been passed on. */
  #isLone(view: Uint8Array): boolean {
    return isLoneQuery(view, this.#messageSizeMax) && this.#outgoing.isEmpty && !this.#isWaiting &&
      this.#framer.isBetweenMessages && !this.#owner.isOver() && !this.#messages.isHeldBack &&
      this.#messages.canDecide(view, 0);
  }

  /** What most clients send needs no framing, and nothing is kept of it if it is taken at once. */
  #onLone(view: Uint8Array): number {
    const decision = this.#decide(FRONTEND.query, view);
    if (decision.kind !== "pass" || this.#isWaiting) {
      this.#apply(decision, view, view.length, false);
      return this.#passOn(view);
    }
    const taken = this.#owner.offer(view);
    if (taken < view.length) this.onLeft(view.length - taken);
    this.#messages.onViewEnd();
    return taken;
  }

  /** The last bytes of a message have not been taken that is passed on: they are shown again. */
  onLeft(size: number): void {
    this.#outgoing.pass(size);
  }

  #isStopped(view: Uint8Array): boolean {
    if (this.#isWaiting || this.#owner.isOver()) return true;
    const { end, isBetweenMessages } = this.#framer;
    this.#isHeldBack = this.#messages.isHeldBack ||
      (isBetweenMessages && !this.#messages.canDecide(view, end));
    return this.#isHeldBack;
  }

  #passOn(rest: Uint8Array): number {
    // What is kept back must leave room for what it waits for.
    const keepsUnit = this.#messages.isUnitOpen && rest.length < READ_BUFFER_SIZE_MAX / 2;
    if (this.#messages.isUnitOpen && !keepsUnit) this.#messages.closeUnit();
    const done = this.#flush(rest, keepsUnit || this.#isWaiting);
    this.#messages.onViewEnd();
    return done;
  }

  #flush(view: Uint8Array, keepsUnit: boolean): number {
    const keepsMarked = keepsUnit || this.#messages.isUnitOpen;
    return this.#outgoing.flush(view, keepsMarked, (bytes) => this.#owner.offer(bytes));
  }

  #onPiece(view: Uint8Array): void {
    const { tag, start, end, isFirst, isLast } = this.#framer;
    const size = end - start;
    if (isFirst && !isLast) {
      const wholeSize = 1 + int32At(view, start + 1);
      this.#isAssembling = this.#messages.wantsWhole(tag, wholeSize);
      if (this.#isAssembling && wholeSize > ASSEMBLED_SIZE_MAX) return this.#refuseSize(tag);
    }
    if (this.#isAssembling) return this.#assemble(view.subarray(start, end), tag, isLast);
    if (!isFirst) return this.#isDropping ? this.#outgoing.drop(size) : this.#outgoing.pass(size);
    if (!isLast) {
      this.#isDropping = this.#messages.onLarge(tag, view.subarray(start, end));
      return this.#isDropping ? this.#outgoing.drop(size) : this.#outgoing.pass(size);
    }
    const message = size === view.length ? view : view.subarray(start, end);
    this.#apply(this.#decide(tag, message), message, size, false);
  }

  /** A message that does not fit in the read buffer is taken out of it piece by piece. */
  #assemble(piece: Uint8Array, tag: number, isLast: boolean): void {
    this.#pieces.push(piece.slice());
    if (!isLast) return this.#outgoing.drop(piece.length);
    const message = concat(...this.#pieces);
    this.#pieces = [];
    this.#isAssembling = false;
    this.#apply(this.#decide(tag, message), message, piece.length, true);
  }

  #refuseSize(tag: number): void {
    const type = String.fromCharCode(tag);
    const limit = `plugins are shown messages of at most ${ASSEMBLED_SIZE_MAX} bytes`;
    this.#owner.refuse(`${limit}, and one of type "${type}" is larger`);
  }

  #decide(tag: number, message: Uint8Array): Decision {
    const { isUnitOpen, owed } = this.#messages;
    const decision = this.#messages.onMessage(tag, message, this.#outgoing);
    this.#delay(isUnitOpen, owed);
    return decision;
  }

  /** What has just been decided waits, if plugins want that. The rest is as it was before. */
  #delay(isUnitOpen: boolean, owed: number): void {
    const delayMs = this.#messages.takeDelay();
    if (delayMs === 0) return;
    // What came before is not held back, but a unit is as a whole: it is marked already.
    if (!isUnitOpen) this.#outgoing.mark();
    this.#messages.holdBack(this.#messages.owed - owed);
    this.#isWaiting = true;
    this.#owner.wait(delayMs);
  }

  #apply(decision: Decision, message: Uint8Array, size: number, isOwn: boolean): void {
    switch (decision.kind) {
      case "pass":
        if (isOwn) this.#outgoing.replace(size, message);
        else this.#outgoing.pass(size);
        return;
      case "replace":
        return this.#outgoing.replace(size, decision.bytes);
      case "drop":
        return this.#outgoing.drop(size);
      case "retract":
        this.#outgoing.retract(size);
        if (decision.bytes !== undefined) this.#outgoing.replace(0, decision.bytes);
    }
  }
}

/** All from an offset on. A view of a view costs more than a look at it. */
function from(view: Uint8Array, offset: number): Uint8Array {
  return offset === 0 ? view : view.subarray(offset);
}
