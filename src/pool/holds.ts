/**
 * What somebody holds of what others wait for, and gives back all at once.
 *
 * @module
 */

/** One holder's. */
export class Holds implements Disposable {
  /** Mostly one. */
  #only: Disposable | undefined;
  #others: Disposable[] | undefined;

  /** Holds one more. */
  add(held: Disposable): void {
    if (this.#only === undefined) this.#only = held;
    else (this.#others ??= []).push(held);
  }

  /** Gives all of it back. A second time it does nothing. */
  [Symbol.dispose](): void {
    const [only, others] = [this.#only, this.#others];
    this.#only = this.#others = undefined;
    only?.[Symbol.dispose]();
    for (const held of others ?? []) held[Symbol.dispose]();
  }
}
