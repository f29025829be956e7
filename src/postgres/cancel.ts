/**
 * Query cancel. A client gets a key of the gateway's own; its CancelRequest, which comes on another
 * connection and maybe to another worker, is mapped to the server that works for the client now.
 *
 * The process id that a client sees says which worker knows it:
 *
 *     | 0 | worker: 7 bits | number within the worker: 24 bits |
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import { assert } from "../base/assert.ts";
import { equalInConstantTime } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { NumberMap } from "../base/number_map.ts";
import type { Driver, Socket } from "../net/socket.ts";
import type { CancelOutcome } from "../observe/facts.ts";
import type { ServerAddress } from "../upstream/dial.ts";
import { isTlsOptional, ServerDial, type ServerTls } from "./server_dial.ts";
import { nameBytes } from "./wire/extended_messages.ts";
import { cancelRequest } from "./wire/startup_packet.ts";

const NUMBER_BITS = 24;
const NUMBER_MASK = (1 << NUMBER_BITS) - 1;

/** Key sizes in bytes: PostgreSQL 18 makes 32 for protocol 3.2; before, a key was an i32. */
const KEY_SIZE = 4;
const LONG_KEY_SIZE = 32;

/** A storm of CancelRequests must not become a storm of connections to the servers. */
const CANCELS_IN_FLIGHT_MAX = 64;

/** A server answers a CancelRequest by closing; PgBouncer's cancel_wait_timeout is 10 s as well. */
const CANCEL_TIMEOUT_MS = 10_000;

/** Longest that a cancel can take: connecting, TLS included, then the answer. */
export const CANCEL_MS_MAX = 2 * CANCEL_TIMEOUT_MS;

/** Most workers that a process id can tell apart. */
export const CANCEL_WORKERS_MAX = 128;

/** A server's own key, and how to reach that server. */
export interface CancelTarget {
  readonly server: ServerAddress;
  /**
   * How TLS is spoken to it now; undefined if the key itself came without. A key that was given
   * inside of TLS is never sent outside of it.
   */
  readonly tls: (() => ServerTls | undefined) | undefined;
  readonly processId: number;
  readonly key: Uint8Array;
}

/** Whom a key cancels: the server that works for its owner may change. */
export interface CancelSubject {
  /** The server that works for the owner now, if any does. */
  target(): CancelTarget | undefined;
  /** Keeps that server with its owner until what is returned is told what became of the cancel. */
  hold(): (result: CancelResult) => void;
}

/** What a client is given to cancel with. */
export interface CancelKey {
  readonly processId: number;
  readonly key: Uint8Array;
}

/** What became of a cancel, and why if it failed. */
export interface CancelResult {
  readonly outcome: CancelOutcome;
  readonly message?: string;
  /** It was sent, but the server has not taken note: it may do so at any time to come. */
  readonly mayStillHit?: boolean;
}

/** Which worker gave out a process id. */
export function workerOf(processId: number): number {
  return processId >>> NUMBER_BITS;
}

/** The keys that one worker gave out. */
export class CancelKeys {
  readonly #worker: number;
  readonly #randomBytes: (size: number) => Uint8Array;
  /** Keys one character a byte: an array of its own would take 300 bytes for four of them. */
  readonly #issued = new NumberMap<{ readonly key: string; readonly subject: CancelSubject }>();
  #lastNumber: number;

  /** @param worker 0 to {@linkcode CANCEL_WORKERS_MAX} - 1. */
  constructor(worker: number, randomBytes: (size: number) => Uint8Array) {
    assert(worker < CANCEL_WORKERS_MAX, "a process id has room for the worker's index");
    this.#worker = worker;
    this.#randomBytes = randomBytes;
    // Not from zero, so that a key from before a restart finds nobody even by chance.
    const [a, b, c] = randomBytes(3);
    this.#lastNumber = a! << 16 | b! << 8 | c!;
  }

  /** How many keys are good now. */
  get size(): number {
    return this.#issued.size;
  }

  /** Makes a key for a session, good until it is revoked. */
  issue(subject: CancelSubject, minorVersion: number): CancelKey {
    do this.#lastNumber = (this.#lastNumber + 1) & NUMBER_MASK; while (
      this.#lastNumber === 0 || this.#issued.has(this.#lastNumber)
    );
    const key = this.#randomBytes(minorVersion >= 2 ? LONG_KEY_SIZE : KEY_SIZE);
    this.#issued.set(this.#lastNumber, { key: String.fromCharCode(...key), subject });
    return { processId: this.#worker << NUMBER_BITS | this.#lastNumber, key };
  }

  /** Ends a key. */
  revoke(processId: number): void {
    this.#issued.delete(processId & NUMBER_MASK);
  }

  /** Whom a key that came in a CancelRequest cancels, if it is one. */
  find(processId: number, key: Uint8Array): CancelSubject | undefined {
    const issued = this.#issued.get(processId & NUMBER_MASK);
    if (issued === undefined) return undefined;
    return equalInConstantTime(nameBytes(issued.key), key) ? issued.subject : undefined;
  }
}

/** Sends CancelRequests to servers, a bounded number at a time. */
export class Canceller {
  readonly #driver: Driver;
  readonly #clock: Clock;
  #inFlight = 0;
  /** Cancels that must not be refused; each belongs to a session that still holds its place. */
  readonly #queue: (() => void)[] = [];

  constructor(driver: Driver, clock: Clock) {
    this.#driver = driver;
    this.#clock = clock;
  }

  /** Asks a server to cancel. Resolves when the server has taken note; never rejects. */
  cancel(target: CancelTarget): Promise<CancelResult> {
    if (this.#inFlight >= CANCELS_IN_FLIGHT_MAX) {
      const message = `at most ${CANCELS_IN_FLIGHT_MAX} cancels may be on their way in a worker`;
      return Promise.resolve({ outcome: "refused", message });
    }
    return this.#start(target);
  }

  /** As `cancel`, but waits instead of being refused. */
  cancelQueued(target: CancelTarget): Promise<CancelResult> {
    if (this.#inFlight < CANCELS_IN_FLIGHT_MAX) return this.#start(target);
    const { promise, resolve } = Promise.withResolvers<CancelResult>();
    this.#queue.push(() => void this.#start(target).then(resolve));
    return promise;
  }

  async #start(target: CancelTarget): Promise<CancelResult> {
    this.#inFlight += 1;
    try {
      return await this.#run(target);
    } catch (error) {
      return { outcome: "failed", message: messageOf(error) };
    } finally {
      this.#inFlight -= 1;
      this.#queue.shift()?.();
    }
  }

  #run(target: CancelTarget): Promise<CancelResult> {
    const { promise, resolve } = Promise.withResolvers<CancelResult>();
    const fail = (message: string) => resolve({ outcome: "failed", message });
    const tls = requiredTls(target);
    const dialTimeoutMs = Math.min(target.server.dialTimeoutMs, CANCEL_TIMEOUT_MS);
    const server = { ...target.server, dialTimeoutMs, retries: 0 };
    const parts = { driver: this.#driver, clock: this.#clock };
    const dial = new ServerDial(server, tls, tls !== undefined, parts, {
      onConnected: (socket) => {
        timer.cancel();
        this.#send(socket, cancelRequest(target.processId, target.key), resolve);
      },
      onFailedAttempt() {},
      onFailed: ({ message }) => {
        timer.cancel();
        fail(message);
      },
    });
    // To be reached and to agree on TLS have a time each; the two together have this one.
    const timer = this.#clock.after(CANCEL_TIMEOUT_MS, () => {
      dial.cancel();
      fail(`there was no connection within ${CANCEL_TIMEOUT_MS} ms`);
    });
    return promise;
  }

  #send(socket: Socket, request: Uint8Array, resolve: (result: CancelResult) => void): void {
    const timer = this.#clock.after(CANCEL_TIMEOUT_MS, () => socket.destroy());
    let hasAnswered = false;
    socket.setHandler({
      onData: (view) => view.length,
      onEnd() {
        hasAnswered = true;
        socket.end();
      },
      onClose(error) {
        timer.cancel();
        if (hasAnswered) return resolve({ outcome: "forwarded" });
        const message = error?.message ?? `the server took longer than ${CANCEL_TIMEOUT_MS} ms`;
        // It may wait in the server's backlog, closed or not.
        resolve({ outcome: "failed", message, mayStillHit: true });
      },
    });
    socket.write(request);
  }
}

/** @throws {Error} If TLS is needed and is not spoken any more, or its files are broken now. */
function requiredTls({ server, tls }: CancelTarget): ServerTls | undefined {
  if (tls === undefined) return undefined;
  const now = tls();
  if (now === undefined) {
    const rule = "its key was given inside of TLS, which is not spoken to it any more";
    throw new Error(`Cannot send a cancel to ${addressText(server.address)}: ${rule}`);
  }
  return isTlsOptional(now.mode) ? { ...now, mode: "require" } : now;
}
