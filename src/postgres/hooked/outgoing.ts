/**
 * What has been decided of the bytes at the start of a client's read buffer, and has not been taken
 * by whoever serves it: they pass as they are, or something else takes their place. They stay in
 * the client's socket until then, so nothing is kept here but what was changed.
 *
 * @module
 */

interface Segment {
  /** Bytes of the view that it stands for. */
  size: number;
  /** What goes out in their place; undefined for themselves. */
  bytes: Uint8Array | undefined;
}

const NOTHING = new Uint8Array();

/** The decided part of one client's view, from its start. */
export class Outgoing {
  readonly #segments: Segment[] = [];
  /** The segment that was marked: those before it are not joined with what comes. */
  #marked = 0;

  /** Bytes of the view that have been decided. */
  get scanned(): number {
    let scanned = 0;
    for (const { size } of this.#segments) scanned += size;
    return scanned;
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** Remembers this place, instead of another one, to go back to. */
  mark(): void {
    this.#marked = this.#segments.length;
  }

  /** The next bytes pass as they are. */
  pass(size: number): void {
    const last = this.#segments.at(-1);
    const mayJoin = this.#segments.length > this.#marked && last?.bytes === undefined;
    if (mayJoin && last !== undefined) last.size += size;
    else this.#segments.push({ size, bytes: undefined });
  }

  /** Something else goes out in the place of the next bytes. It is kept, not copied. */
  replace(size: number, bytes: Uint8Array): void {
    this.#segments.push({ size, bytes });
  }

  /** Nothing goes out in the place of the next bytes. */
  drop(size: number): void {
    const last = this.#segments.at(-1);
    if (this.#segments.length > this.#marked && last?.bytes === NOTHING) last.size += size;
    else this.#segments.push({ size, bytes: NOTHING });
  }

  /** Drops everything that was decided since the mark, and the next bytes with it. */
  retract(size: number): void {
    const dropped = this.#segments.splice(this.#marked);
    this.drop(dropped.reduce((sum, segment) => sum + segment.size, size));
  }

  /**
   * Offers what has been decided.
   *
   * @param view The unconsumed bytes, from the first one on.
   * @param keepsMarked What was decided since the mark is kept back.
   * @param offer Takes bytes, and returns how many it has taken.
   * @returns How many bytes of the view are done with.
   */
  flush(
    view: Uint8Array,
    keepsMarked: boolean,
    offer: (bytes: Uint8Array) => number,
  ): number {
    let left = keepsMarked ? this.#marked : this.#segments.length;
    let done = 0;
    while (left > 0) {
      const segment = this.#segments[0]!;
      const { size, bytes } = segment;
      if (bytes === undefined) {
        const taken = offer(size === view.length ? view : view.subarray(done, done + size));
        done += taken;
        segment.size -= taken;
        if (segment.size > 0) break;
      } else {
        const taken = bytes.length === 0 ? 0 : offer(bytes);
        if (taken < bytes.length) {
          segment.bytes = bytes.subarray(taken);
          break;
        }
        done += size;
      }
      this.#segments.shift();
      this.#marked = Math.max(0, this.#marked - 1);
      left -= 1;
    }
    return done;
  }
}
