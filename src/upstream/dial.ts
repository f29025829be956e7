/**
 * Reaches a server: a few attempts with growing pauses, so that a database that restarts costs its
 * clients a moment and not an error.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Driver, Socket } from "../net/socket.ts";

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
}

/** Who wants the connection. One of `onConnected` and `onGivenUp` is called, unless cancelled. */
export interface Dialer {
  onConnected(socket: Socket): void;
  /** Attempt number `attempt` of `attempts` failed; there may be another one. */
  onFailedAttempt(error: Error, attempt: number, attempts: number): void;
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
  #pause: Timer | undefined;

  constructor(driver: Driver, clock: Clock, server: ServerAddress, dialer: Dialer) {
    this.#driver = driver;
    this.#clock = clock;
    this.#server = server;
    this.#dialer = dialer;
    this.#attempt(1);
  }

  /** Gives up without a word; a connection that still comes is closed. */
  cancel(): void {
    this.#isCancelled = true;
    this.#pause?.cancel();
  }

  #attempt(attempt: number): void {
    const { address, dialTimeoutMs: timeoutMs, keepAlive, noDelay } = this.#server;
    this.#driver.connect({ address, timeoutMs, keepAlive, noDelay }).then(
      (socket) => {
        if (this.#isCancelled) socket.destroy();
        else this.#dialer.onConnected(socket);
      },
      (error) => this.#onFailure(attempt, error),
    );
  }

  #onFailure(attempt: number, error: Error): void {
    if (this.#isCancelled) return;
    const attempts = 1 + this.#server.retries;
    this.#dialer.onFailedAttempt(error, attempt, attempts);
    if (this.#isCancelled) return;
    if (attempt >= attempts) return this.#dialer.onGivenUp(error);
    const factor = this.#server.backoffMultiplier ** (attempt - 1);
    const pauseMs = Math.min(this.#server.backoffMs * factor, BACKOFF_MS_MAX);
    this.#pause = this.#clock.after(pauseMs, () => this.#attempt(attempt + 1));
  }
}
