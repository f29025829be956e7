/**
 * What one worker knows of servers by using them: how many connections its clients have there, how
 * long answers take, and whether the last attempt to reach one has failed.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { type Placed, PlacedList } from "../base/placed_list.ts";
import { PeakEwma } from "./balancer/peak_ewma.ts";

/** A server that could not be reached is not tried for so long while there is another one. */
const SUSPECT_MS = 1_000;

/** Who wants to know when something of servers has changed. */
export interface NewsWatcher extends Placed {
  /** The lower, the longer it has been watching; set by who is watched. */
  turn: number;
  /** What is known of servers has changed, or it is time to try again. */
  onNews(): void;
}

/** Who has a connection. */
export interface ServerUser extends Placed {
  /**
   * Connections to the server are not to be used any more.
   *
   * @param isDown Nothing more comes from it.
   */
  onServerUnusable(isDown: boolean): void;
}

/** One server, as one worker knows it. */
export class ServerLoad {
  readonly #clock: Clock;
  readonly #latency = new PeakEwma();
  #suspectUntilMs = 0;
  /** Who has a connection of this worker now. */
  readonly users = new PlacedList<ServerUser>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Connections that clients of this worker have now. */
  get connections(): number {
    return this.users.size;
  }

  /** What to expect of an answer, in milliseconds; 0 while nothing is known. */
  get latencyMs(): number {
    return this.#latency.value(this.#clock.nowMs());
  }

  /** Whether it could not be reached a short time ago. */
  get isSuspect(): boolean {
    return this.#suspectUntilMs > 0 && this.#clock.nowMs() < this.#suspectUntilMs;
  }

  /** A request was answered. */
  onAnswered(durationMs: number): void {
    this.#latency.observe(durationMs, this.#clock.nowMs());
  }

  /** It could not be reached. */
  onUnreachable(): void {
    this.#suspectUntilMs = this.#clock.nowMs() + SUSPECT_MS;
  }

  /** There is news of it: what was suspected counts no more. */
  clear(): void {
    this.#suspectUntilMs = 0;
  }
}
