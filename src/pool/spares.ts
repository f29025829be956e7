/**
 * The connections of one pool that are there even if nobody waits for them: `minSize`, from the
 * first connection on, and once more than that if the pool is to be filled before anybody asks.
 *
 * @module
 */

import type { Openings } from "./openings.ts";
import type { PlaceClaim } from "./place_claim.ts";
import type { ServerPoolOptions } from "./server_pool_types.ts";

/** What one pool opens without being asked. */
export class Spares<C, F> {
  readonly #options: ServerPoolOptions;
  readonly #claim: PlaceClaim;
  readonly #openings: Openings<C, F>;
  /** How many connections there are to be before the pool is filled; 0: it is. */
  #initialSize = 0;
  #isOver = false;

  constructor(options: ServerPoolOptions, claim: PlaceClaim, openings: Openings<C, F>) {
    this.#options = options;
    this.#claim = claim;
    this.#openings = openings;
  }

  /** How many connections there should be. */
  get count(): number {
    if (this.#isOver) return 0;
    return Math.max(this.#initialSize, this.#openings.hasSucceeded ? this.#options.minSize : 0);
  }

  /** Begins to open connections until there are `count`. It is tried once: see `onFailed`. */
  prefill(count: number, nowMs: number): void {
    this.#initialSize = Math.max(this.#initialSize, Math.min(count, this.#options.size));
    this.open(nowMs);
  }

  /** Opens what is missing, as far as there are places that nobody waits for. */
  open(nowMs: number): void {
    const { count } = this;
    while (this.#claim.inUse < count && this.#openings.mayOpenSpare(nowMs)) {
      if (!this.#claim.takeSpare(count)) return void (this.#initialSize = 0);
      this.#openings.open(nowMs);
    }
    if (this.#claim.inUse >= this.#initialSize) this.#initialSize = 0;
  }

  /** None could be opened: those who need one will try again, and are told if that fails. */
  onFailed(): void {
    this.#initialSize = 0;
  }

  /** None is opened any more. */
  end(): void {
    this.#isOver = true;
  }
}
