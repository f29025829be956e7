/**
 * Compares what a server and its mirror answer to the same requests. Requests are numbered as the
 * client sends them; each side's answers are counted, so that one belongs to one whatever overtakes
 * what. Where that is not certain, nothing is compared any more.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import { type Cells, MIRROR_CELL } from "../../observe/counters.ts";
import type { MirrorResult } from "../../observe/facts.ts";
import { MIRROR_RESULTS } from "../../observe/label_values.ts";
import { type Answer, Answers } from "./answers.ts";
import type { RequestListener } from "./copied_messages.ts";

/** Requests that one side has answered and the other one has not; further ones are skipped. */
const PENDING_MAX = 1_000;

/** What a comparison works with. */
export interface ComparisonParts {
  readonly clock: Clock;
  readonly cells: Cells;
  /** The two answers are not the same. */
  readonly onDifference: (result: MirrorResult, real: Answer, mirror: Answer) => void;
}

/** A request as one side sees it. `none`: it is never answered on its own. */
interface Half {
  startMs: number | undefined;
  answer: Answer | "none" | undefined;
  seconds: number;
}

interface Pending {
  readonly isSync: boolean;
  /** Where it ends in the client's bytes. */
  readonly end: number;
  readonly real: Half;
  readonly mirror: Half;
}

/** One side: the number of the request that it answers next. */
interface Side {
  readonly name: "real" | "mirror";
  next: number;
}

/** One session's. */
export class Comparison implements RequestListener {
  readonly #parts: ComparisonParts;
  readonly #pending = new Map<number, Pending>();
  readonly #real: Side = { name: "real", next: 1 };
  readonly #mirror: Side = { name: "mirror", next: 1 };
  /** The newest request. */
  #last = 0;
  /** The first request that the mirror has not taken. */
  #untaken = 1;
  /** Answers of the gateway's own that come before what they answer is known. */
  #early: Answer[] | undefined;
  #isCertain = true;

  /** What the real session writes. */
  readonly realAnswers: Answers;
  /** What the mirror's session writes. */
  readonly mirrorAnswers: Answers;

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
    this.realAnswers = this.#answersOf(this.#real);
    this.mirrorAnswers = this.#answersOf(this.#mirror);
  }

  #answersOf(side: Side): Answers {
    return new Answers({
      onAnswer: (answer) => {
        if (side === this.#real && this.#early !== undefined) this.#early.push(answer);
        else this.#onAnswer(side, answer);
      },
      onCopyIn: () => this.#onCopyIn(side),
      onUncertain: () => this.onUncertain(),
    });
  }

  // What is asked ---------------------------------------------------------------------------------

  /** The real session is going to be shown bytes, which it may answer at once. */
  beforeTaking(): void {
    this.#early = [];
  }

  /** What it has taken of them is known. */
  afterTaking(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const answer of early) this.#onAnswer(this.#real, answer);
  }

  onRequest(isSync: boolean, end: number): void {
    this.#last += 1;
    if (!this.#isCertain || this.#pending.size >= PENDING_MAX) return this.#count("skipped");
    const half = (startMs?: number) => ({ startMs, answer: undefined, seconds: 0 });
    const real = half(this.#parts.clock.nowMs());
    this.#pending.set(this.#last, { isSync, end, real, mirror: half() });
  }

  /** The mirror's session has taken so many bytes in all. */
  onMirrorTook(size: number): void {
    while (this.#untaken <= this.#last) {
      const pending = this.#pending.get(this.#untaken);
      if (pending !== undefined && pending.end > size) return;
      if (pending !== undefined) pending.mirror.startMs = this.#parts.clock.nowMs();
      this.#untaken += 1;
    }
  }

  /** A server that waits for data ignores a Sync: where that was not seen, it is not known when. */
  onCopyData(isBehindSync: boolean): void {
    if (isBehindSync && this.#real.next <= this.#last) this.onUncertain();
  }

  onUncertain(): void {
    this.#isCertain = false;
    this.end();
  }

  /** The copy has ended: what is not answered will not be. */
  end(): void {
    for (const _ of this.#pending) this.#count("skipped");
    this.#pending.clear();
  }

  // What is answered ------------------------------------------------------------------------------

  #onCopyIn(side: Side): void {
    const pending = this.#pending.get(side.next);
    if (pending === undefined) {
      if (side.next <= this.#last) this.onUncertain(); // nobody knows what it was
      return;
    }
    // The answer will be that of the Sync behind the data.
    if (pending.isSync) this.#onAnswer(side, "none");
  }

  #onAnswer(side: Side, answer: Answer | "none"): void {
    const number = side.next;
    side.next += 1;
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    const half = pending[side.name];
    const nowMs = this.#parts.clock.nowMs();
    half.answer = answer;
    half.seconds = (nowMs - (half.startMs ?? nowMs)) / 1000;
    const { real, mirror } = pending;
    if (real.answer === undefined || mirror.answer === undefined) return;
    this.#pending.delete(number);
    if (real.answer === "none" || mirror.answer === "none") return this.#count("skipped");
    this.#compare(real.answer, mirror.answer);
    this.#parts.cells.observe(MIRROR_CELL.realSeconds, real.seconds);
    this.#parts.cells.observe(MIRROR_CELL.mirrorSeconds, mirror.seconds);
  }

  #compare(real: Answer, mirror: Answer): void {
    let result: MirrorResult = "same";
    if (real.sqlState !== mirror.sqlState) result = "other_error";
    else if (real.rows !== mirror.rows) result = "other_rows";
    this.#count(result);
    if (result !== "same") this.#parts.onDifference(result, real, mirror);
  }

  #count(result: MirrorResult): void {
    this.#parts.cells.add(MIRROR_CELL.requests + MIRROR_RESULTS.indexOf(result), 1);
  }
}
