/**
 * Which requests a server still has to answer with ReadyForQuery, in order. Counting them is not
 * enough: in copy-in mode PostgreSQL ignores Sync (CopyGetData, copyfromparse.c), so a client that
 * sends its Sync together with the Execute of a COPY FROM STDIN gets one ReadyForQuery for two.
 *
 * A ring of small numbers, so that nothing is allocated for a request.
 *
 * @module
 */

/** Query and FunctionCall are always answered, Sync unless it comes in copy-in mode. */
const PLAIN = 1;
const SYNC = 2;
/** CopyDone or CopyFail: not answered, but the end of copy-in mode for what comes behind it. */
const COPY_END = 3;

/**
 * Further requests of a client that pipelines more are only counted. libpq's pipeline mode
 * fills its buffers long before.
 */
const RING_SIZE = 256;

/** The requests of one session that are on their way. */
export class RequestsDue {
  #ring: Uint8Array | undefined;
  #head = 0;
  #length = 0;
  /** Requests beyond the ring: each is taken to be answered. */
  #beyond = 0;
  /** Requests among those in the ring that will be answered. */
  #due = 0;
  #isCopyIn = false;
  /** The client sent Execute, and no Sync that would have it answered: it may be running. */
  #isUnsynced = false;

  /** True if the server may be at work for the client. */
  get isBusy(): boolean {
    return this.count > 0 || this.#isUnsynced;
  }

  /** How many answers are still to come. */
  get count(): number {
    return this.#due + this.#beyond;
  }

  /** The client sends Query or FunctionCall. */
  addPlain(): void {
    this.#isUnsynced = false;
    this.#push(PLAIN);
  }

  /** The client sends Execute, maybe with Flush behind it instead of Sync. */
  addExecute(): void {
    this.#isUnsynced = true;
  }

  /** The client sends Sync. */
  addSync(): void {
    this.#isUnsynced = false;
    if (!this.#isCopyIn) this.#push(SYNC);
  }

  /** The client sends CopyDone or CopyFail. */
  addCopyEnd(): void {
    if (this.#isCopyIn) this.#isCopyIn = false;
    else if (this.#length > 0) this.#push(COPY_END);
  }

  /** The server sends CopyInResponse: it ignores every Sync up to the end of the copy. */
  onCopyIn(): void {
    let kept = 0;
    let i = 0;
    this.#isCopyIn = true;
    for (; i < this.#length && this.#isCopyIn; i++) {
      const kind = this.#at(i);
      if (kind === COPY_END) this.#isCopyIn = false;
      else if (kind === SYNC) this.#due -= 1;
      else this.#set(kept++, kind);
    }
    for (; i < this.#length; i++) this.#set(kept++, this.#at(i));
    this.#length = kept;
  }

  /** The server sends ErrorResponse: it has left copy-in mode, if it was in it. */
  onError(): void {
    this.#isCopyIn = false;
  }

  /** The server sends ReadyForQuery: the first request is answered. */
  onReadyForQuery(): void {
    this.#isCopyIn = false;
    while (this.#length > 0) {
      const kind = this.#at(0);
      this.#head = (this.#head + 1) % RING_SIZE;
      this.#length -= 1;
      if (kind === COPY_END) continue;
      this.#due -= 1;
      return;
    }
    if (this.#beyond > 0) this.#beyond -= 1;
  }

  #push(kind: number): void {
    if (this.#beyond > 0 || this.#length === RING_SIZE) {
      if (kind !== COPY_END) this.#beyond += 1;
      return;
    }
    this.#ring ??= new Uint8Array(RING_SIZE);
    this.#set(this.#length, kind);
    this.#length += 1;
    if (kind !== COPY_END) this.#due += 1;
  }

  #at(position: number): number {
    return this.#ring![(this.#head + position) % RING_SIZE]!;
  }

  #set(position: number, kind: number): void {
    this.#ring![(this.#head + position) % RING_SIZE] = kind;
  }
}
