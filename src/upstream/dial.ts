/**
 * Reaches a server: a few attempts with growing pauses, so that a database that restarts costs its
 * clients a moment and not an error.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { ConnectTimeoutError, type Driver, type Socket } from "../net/socket.ts";
import type { ConnectionCounter } from "./connection_table.ts";

/** Longest pause between two attempts, whatever the multiplier makes of it: one minute. */
const BACKOFF_MS_MAX = 60_000;

/** How a server is reached. */
export interface ServerAddress {
  /** The configuration's name of it. */
  readonly name: string;
  readonly address: Address;
  readonly dialTimeoutMs: number;
  /** Further attempts after a failed one. */
  readonly retries: number;
  readonly backoffMs: number;
  readonly backoffMultiplier: number;
  readonly keepAlive: boolean;
  readonly noDelay: boolean;
  /** Where its connections are counted; undefined where nobody asks for it. */
  readonly connections?: ConnectionCounter | undefined;
}

/** One attempt that came to nothing. */
export interface FailedAttempt {
  readonly message: string;
  /** Its number, from 1. */
  readonly attempt: number;
  /** How many there may be. */
  readonly attempts: number;
  /** Whether it is `dialTimeoutMs` that was over. */
  readonly isTimeout: boolean;
}

/** Who wants the connection. One of `onConnected` and `onGivenUp` is called, unless cancelled. */
export interface Dialer {
  onConnected(socket: Socket): void;
  /** There may be another one. */
  onFailedAttempt(failed: FailedAttempt): void;
  /** No attempt is left. `error` is what the last one failed with. */
  onGivenUp(error: Error): void;
}

/** One effort to reach a server. It begins when it is made. */
export class Dial {
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #server: ServerAddress;
  readonly #dialer: Dialer;
  #isCancelled = false;
  /** How many attempts there were. */
  #made = 0;
  #pause: Timer | undefined;

  constructor(driver: Driver, clock: Clock, server: ServerAddress, dialer: Dialer) {
    this.#driver = driver;
    this.#clock = clock;
    this.#server = server;
    this.#dialer = dialer;
    this.#attempt();
  }

  /**
   * What was reached cannot serve yet: if another attempt is left, that one has failed, too.
   *
   * @returns True if there is another one. If not, nothing is called any more.
   */
  again(message: string): boolean {
    if (this.#made >= this.#attempts) return false;
    this.#tellFailure(message, false);
    this.#pauseThenAttempt();
    return true;
  }

  /** Gives up without a word; a connection that still comes is closed. */
  cancel(): void {
    this.#isCancelled = true;
    this.#pause?.cancel();
  }

  #attempt(): void {
    this.#made += 1;
    const { address, dialTimeoutMs: timeoutMs, keepAlive, noDelay } = this.#server;
    this.#driver.connect({ address, timeoutMs, keepAlive, noDelay }).then(
      (socket) => {
        if (this.#isCancelled) socket.destroy();
        else this.#dialer.onConnected(socket);
      },
      (error) => this.#onFailure(error),
    );
  }

  #onFailure(error: Error): void {
    if (this.#isCancelled) return;
    this.#tellFailure(error.message, error instanceof ConnectTimeoutError);
    if (this.#isCancelled) return;
    if (this.#made < this.#attempts) this.#pauseThenAttempt();
    else this.#dialer.onGivenUp(error);
  }

  get #attempts(): number {
    return 1 + this.#server.retries;
  }

  #tellFailure(message: string, isTimeout: boolean): void {
    const [attempt, attempts] = [this.#made, this.#attempts];
    this.#dialer.onFailedAttempt({ message, attempt, attempts, isTimeout });
  }

  #pauseThenAttempt(): void {
    const factor = this.#server.backoffMultiplier ** (this.#made - 1);
    const pauseMs = Math.min(this.#server.backoffMs * factor, BACKOFF_MS_MAX);
    this.#pause = this.#clock.after(pauseMs, () => this.#attempt());
  }
}
