/**
 * What the clients of a load share: what has become of their transactions.
 *
 * @module
 */

/** Numbers that one load gives out at most; it ends then. */
const NUMBERS_MAX = 500_000;

/** Violations and kinds of failures that are kept in words: the first ones say enough. */
const WORDS_MAX = 20;

/** The kind of an outcome that did not come in time. */
export const TIMEOUT = "timeout";

/** What has become of a load. */
export interface LoadReport {
  /**
   * How often each kind of outcome was met: "ok" for a transaction, a SQLSTATE, a code of the
   * system's such as "ECONNREFUSED", "closed" for a connection that ended without a word,
   * "timeout", "other".
   */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The first message of each kind of failure. */
  readonly messages: ReadonlyMap<string, string>;
  /** Numbers whose insertion was acknowledged, in the order of the acknowledgements. */
  readonly acknowledged: readonly number[];
  /** All numbers that were given out are below. */
  readonly numbersEnd: number;
  /** Between two successes of any of the clients, start and end of the load included. */
  readonly longestGapMs: { readonly writes: number; readonly reads: number };
  /** Reads of a value older than what the same connection had been acknowledged. */
  readonly staleReads: number;
  /** The same where the write was on an earlier connection of that client. */
  readonly staleReadsAfterReconnect: number;
  /** Increments that began from a value older than what was acknowledged: a write was lost. */
  readonly lostIncrements: number;
  /** Stale reads and lost increments in words, the first ones. */
  readonly violations: readonly string[];
}

/** Counts for all clients of one load. */
export class LoadTally {
  /** True once the clients must come to their end. */
  isStopping = false;
  readonly #outcomes = new Map<string, number>();
  readonly #messages = new Map<string, string>();
  readonly #acknowledged: number[] = [];
  readonly #writes: number[];
  readonly #writeGap = new Gap();
  readonly #readGap = new Gap();
  readonly #violations: string[] = [];
  #nextNumber = 0;
  #staleReads = 0;
  #staleReadsAfterReconnect = 0;
  #lostIncrements = 0;

  constructor(clients: number) {
    this.#writes = Array.from({ length: clients }, () => 0);
  }

  /** How many writes of each client were acknowledged. */
  get writes(): readonly number[] {
    return [...this.#writes];
  }

  /** A number that no client had. */
  nextNumber(): number {
    if (this.#nextNumber === NUMBERS_MAX - 1) this.isStopping = true;
    return this.#nextNumber++;
  }

  /** A number is in the database, they say. */
  acknowledged(client: number, number: number): void {
    this.#acknowledged.push(number);
    this.wrote(client);
  }

  /** A write was acknowledged. */
  wrote(client: number): void {
    this.#writes[client]! += 1;
    this.#writeGap.end();
    this.#count("ok");
  }

  /** A read was answered. */
  read(): void {
    this.#readGap.end();
    this.#count("ok");
  }

  /** Something failed. @returns Its kind, as in {@linkcode LoadReport.outcomes}. */
  failed(error: unknown): string {
    const kind = kindOf(error);
    this.#count(kind);
    if (!this.#messages.has(kind)) this.#messages.set(kind, String(error));
    return kind;
  }

  staleRead(client: number, value: number, counter: number, isOfSession: boolean): void {
    if (isOfSession) this.#staleReads += 1;
    else this.#staleReadsAfterReconnect += 1;
    const where = isOfSession ? "" : " on an earlier connection";
    this.#violate(`client ${client} read ${value} after ${counter} was acknowledged${where}`);
  }

  lostIncrement(client: number, value: number, counter: number): void {
    this.#lostIncrements += 1;
    this.#violate(`client ${client} incremented to ${value} after ${counter} was acknowledged`);
  }

  /** All of it, as of now. */
  report(): LoadReport {
    return {
      outcomes: new Map(this.#outcomes),
      messages: new Map(this.#messages),
      acknowledged: [...this.#acknowledged],
      numbersEnd: this.#nextNumber,
      longestGapMs: { writes: this.#writeGap.longestMs, reads: this.#readGap.longestMs },
      staleReads: this.#staleReads,
      staleReadsAfterReconnect: this.#staleReadsAfterReconnect,
      lostIncrements: this.#lostIncrements,
      violations: [...this.#violations],
    };
  }

  #count(kind: string): void {
    this.#outcomes.set(kind, (this.#outcomes.get(kind) ?? 0) + 1);
  }

  #violate(words: string): void {
    if (this.#violations.length < WORDS_MAX) this.#violations.push(words);
  }
}

/** The longest time between two events. */
class Gap {
  #beginMs = performance.now();
  #longestMs = 0;

  /** With the one that has not ended yet. */
  get longestMs(): number {
    return Math.max(this.#longestMs, performance.now() - this.#beginMs);
  }

  /** One gap ends here, and the next one begins. */
  end(): void {
    this.#longestMs = this.longestMs;
    this.#beginMs = performance.now();
  }
}

function kindOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  // A SQLSTATE, or a code of the system's.
  if (typeof code === "string" && /^(?:[0-9A-Z]{5}|E[A-Z]+)$/.test(code)) return code;
  if (typeof message !== "string") return "other";
  // As npm:pg words them.
  if (/timeout/i.test(message)) return TIMEOUT;
  return /terminated|ended|not queryable|closed/i.test(message) ? "closed" : "other";
}
