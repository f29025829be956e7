/**
 * The copy of one session: a pooled session of its own, with the mirror's servers, that is sent
 * what the real one has taken, and whose answers nobody gets.
 *
 *     new -> open -> finishing -> over
 *
 * `new`: nothing has been copied. `finishing`: the real session is over, and the mirror may answer
 * what it has been sent.
 *
 * Nothing of it runs while the client's bytes are looked at: what is written then holds the client
 * back until it is sent. It runs behind that, and waits by itself for its server's socket.
 *
 * @module
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { READ_BUFFER_SIZE_MAX, type Socket } from "../../net/socket.ts";
import type { MirrorDrop } from "../../observe/facts.ts";
import {
  type PooledEnd,
  type PooledFailure,
  type PooledOwner,
  TERMINATED,
} from "../pooled/pooled_end.ts";
import type { PooledSession } from "../pooled/pooled_session.ts";
import { ProtocolError } from "../wire/errors.ts";
import { type ErrorFields, TERMINATE } from "../wire/messages.ts";
import { ByteQueue } from "./byte_queue.ts";
import type { Comparison } from "./comparison.ts";
import { CopiedMessages } from "./copied_messages.ts";
import { MirrorClient } from "./mirror_client.ts";

/** How long a mirror may take, when the real session is over, for what it has been sent. */
export const FINISH_MS_MAX = 5_000;

/** What each of the session's own reasons to end is counted as. */
const DROP_OF: Readonly<Record<PooledFailure, MirrorDrop>> = {
  "pool exhausted": "pool_exhausted",
  "no server connection": "unreachable",
  "no server could serve": "unreachable",
  "server is down": "lost",
  "server changed its role": "lost",
  "server closed the connection": "lost",
  "server broke the protocol": "lost",
  "parameter refused": "refused",
  "transaction in statement mode": "refused",
  "query timeout": "refused",
  "transaction timeout": "refused",
  "idle transaction timeout": "refused",
  "client idle timeout": "refused",
  "gateway shut down": "refused",
};

/** What became of a copy: all of it was answered, or it ended before. */
export type MirrorEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "dropped"; readonly cause: MirrorDrop; readonly reason: string };

/** Why a mirror has no session; its message is the gateway's. */
export type MirrorRefusal = ErrorFields;

/** What a mirror works with. */
export interface MirrorParts {
  readonly clock: Clock;
  /** Most bytes that may wait for it. */
  readonly bufferMax: number;
  /** As the real session's. */
  readonly messageSizeMax: number;
  /** Undefined if answers are only thrown away. */
  readonly comparison: Comparison | undefined;
  /** Makes its session, which is not started; or says why there is none. */
  readonly open: (client: Socket, owner: PooledOwner) => PooledSession | MirrorRefusal;
  /** Has a server cancel what the session runs on it. */
  readonly cancel: (session: PooledSession) => void;
  /** Called once. */
  readonly onEnd: (end: MirrorEnd) => void;
  /** A defect of the gateway. */
  readonly onDefect: (error: unknown) => void;
}

/** One session's copy. */
export class Mirror implements PooledOwner {
  readonly #parts: MirrorParts;
  readonly #messages: CopiedMessages;
  /** What the mirror's session has not taken. */
  readonly #queue = new ByteQueue();
  #state: "new" | "open" | "finishing" | "over" = "new";
  #session: PooledSession | undefined;
  #isFeedDue = false;
  #isServerFull = false;
  #isCopying = false;
  /** What the mirror's session has taken. */
  #taken = 0;
  #timer: Timer | undefined;

  constructor(parts: MirrorParts) {
    this.#parts = parts;
    this.#messages = new CopiedMessages(parts.messageSizeMax, parts.comparison);
  }

  // What is copied --------------------------------------------------------------------------------

  /**
   * Copies what the real session has taken. Never throws.
   *
   * @param taken A view, which is not needed any more when this returns.
   */
  copy(taken: Uint8Array): void {
    if (this.#state === "over" || this.#state === "finishing") return;
    this.#isCopying = true;
    this.guard(() => this.#copy(taken));
    this.#isCopying = false;
  }

  #copy(taken: Uint8Array): void {
    const size = this.#messages.read(taken);
    if (size === 0) return;
    const waiting = this.#queue.size + size;
    const { bufferMax } = this.#parts;
    if (waiting > bufferMax) {
      const rule = `mirror.bufferMax is ${bufferMax} bytes`;
      return this.#drop("behind", `${waiting} bytes would wait for the mirror, and ${rule}`);
    }
    this.#queue.push(size === taken.length ? taken : taken.subarray(0, size));
    if (this.#state === "new") this.#state = "open";
    this.#feedSoon();
  }

  /** The real session is over. */
  finish(): void {
    if (this.#state === "new") return this.#end({ kind: "complete" });
    if (this.#state !== "open") return;
    this.#state = "finishing";
    this.#timer = this.#parts.clock.after(FINISH_MS_MAX, () => this.#onFinishTimeout());
    // In the middle of a message there is no way to end it but the time.
    if (!this.#messages.isBetweenMessages) return;
    this.#queue.push(TERMINATE);
    this.#feedSoon();
  }

  /** The client has said Terminate: what runs would run to its end. */
  #onFinishTimeout(): void {
    if (this.#session !== undefined) this.#parts.cancel(this.#session);
    this.#drop("unfinished", `the mirror had ${FINISH_MS_MAX} ms for what it had been sent`);
  }

  // What it is fed --------------------------------------------------------------------------------

  #feedSoon(): void {
    if (this.#isFeedDue || this.#isServerFull) return;
    this.#isFeedDue = true;
    queueMicrotask(() => {
      this.#isFeedDue = false;
      this.guard(() => this.#feed());
    });
  }

  #feed(): void {
    if (this.#state === "over") return;
    const session = this.#session ?? this.#open();
    // The session may end while it is fed, and then the queue is empty.
    while (session !== undefined && this.#queue.size > 0) {
      const outgoing = session.backend?.outgoing;
      if (outgoing?.isSending === true) return this.#waitFor(outgoing);
      const taken = session.onClientData(this.#queue.view(READ_BUFFER_SIZE_MAX));
      if (taken === 0 || this.#queue.size === 0) return; // it asks for it again
      this.#queue.drop(taken);
      this.#taken += taken;
      this.#parts.comparison?.onMirrorTook(this.#taken);
    }
  }

  /** Outside of a handler nobody but us holds back who writes. */
  #waitFor(outgoing: Pick<Socket, "whenSent">): void {
    this.#isServerFull = true;
    outgoing.whenSent(() => {
      this.#isServerFull = false;
      this.guard(() => this.#feed());
    });
  }

  #open(): PooledSession | undefined {
    const client = new MirrorClient(
      (bytes) => this.#parts.comparison?.mirrorAnswers.read(bytes),
      () => this.#feedSoon(),
    );
    const session = this.#parts.open(client, this);
    if ("sqlState" in session) {
      this.#drop("refused", session.message);
      return undefined;
    }
    this.#session = session;
    session.start();
    return session;
  }

  // What its session says -------------------------------------------------------------------------

  setState(): void {} // nobody counts it as a client

  runLoginTime(): void {} // the queue's limit and the real session's end are enough

  /** Texts may be a server's, and hold what the client keeps there. */
  fail(_fields: ErrorFields, reason: PooledEnd): void {
    this.end(undefined, reason);
  }

  end(_message: Uint8Array | undefined, reason: PooledEnd): void {
    if (reason === TERMINATED) this.#end({ kind: "complete" });
    else this.#drop(DROP_OF[reason], reason);
  }

  onTerminate(): void {}

  onGone(): void {}

  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#onError(error);
    }
  }

  #onError(error: unknown): void {
    if (error instanceof ProtocolError) return this.#drop("refused", "client broke the protocol");
    this.#drop("internal", "a defect of the gateway");
    this.#parts.onDefect(error);
  }

  #drop(cause: MirrorDrop, reason: string): void {
    this.#end({ kind: "dropped", cause, reason });
  }

  #end(end: MirrorEnd): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#timer?.cancel();
    this.#queue.clear();
    this.#parts.comparison?.end();
    this.#parts.onEnd(end);
    if (!this.#isCopying) return this.#session?.release();
    // It may write, and the client's bytes are still looked at.
    queueMicrotask(() => this.guard(() => this.#session?.release()));
  }
}
