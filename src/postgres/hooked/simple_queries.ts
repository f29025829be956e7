/**
 * A client's simple queries: plugins are asked about each, and it goes its way.
 *
 * Most come alone and are answered as a whole. While nobody wants more than to be asked, nothing is
 * noted of such a one; if something else happens before it is answered, it is noted then.
 *
 * @module
 */

import type { HookChain } from "../../hooks/chain.ts";
import { type HookEvent, PHASE } from "../../hooks/event.ts";
import { CAN, HOOK } from "../../hooks/hooks.ts";
import type { Verdict } from "../../hooks/verdict.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { isLoneQuery } from "../wire/lone_messages.ts";
import { FRONTEND } from "../wire/tags.ts";
import type { ClientState, QueryInfo } from "./client_state.ts";
import type { ClientVerdicts, Decision } from "./client_verdicts.ts";
import { ENTRY, Entry } from "./entry.ts";
import { type HookCalls, NOT_MEASURED } from "./hook_calls.ts";
import type { LocalAnswers } from "./local_answers.ts";
import type { Pipeline } from "./pipeline.ts";
import { queryWithText } from "./texts.ts";

const PASS: Decision = { kind: "pass" };
const CAN_ALL = CAN.replace | CAN.respond | CAN.reject | CAN.close;
const NOTHING = new Uint8Array();

/** Of a Query of which nothing is noted, but its text. */
const LONE: QueryInfo = { text: NOTHING, statementName: "", cycle: 0, columns: undefined };

/** One session's. */
export class SimpleQueries {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #state: ClientState;
  readonly #answers: LocalAnswers;
  readonly #verdicts: ClientVerdicts;
  /** The chain with which the session rests: nothing is under way but, maybe, a lone Query. */
  #restsWith: HookChain | undefined;
  /** The number of the Query that passed alone and has not been answered, or 0. */
  #lone = 0;
  /** That of the one that plugins are being asked about, or 0. */
  #asked = 0;
  /** The same, once somebody wants its reply. */
  #captured: Entry | undefined;

  constructor(
    calls: HookCalls,
    state: ClientState,
    answers: LocalAnswers,
    verdicts: ClientVerdicts,
  ) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#state = state;
    this.#answers = answers;
    this.#verdicts = verdicts;
    verdicts.onLoneCaptured = () => {
      return this.#asked === 0 ? undefined : this.#captured ??= this.#entry(this.#asked);
    };
  }

  /** What becomes of a whole Query. */
  onMessage(message: Uint8Array): Decision {
    this.#answers.onQuery();
    const text = this.#calls.keepText(message.subarray(HEADER_SIZE, message.length - 1));
    const { cycle } = this.#pipeline;
    const query: QueryInfo = { text, statementName: "", cycle, columns: undefined };
    const kept = this.#calls.chain.looksBack ? query : undefined;
    const request = this.#pipeline.takeNumber();
    const entry = new Entry(ENTRY.query, request, kept, this.#calls.startMs);
    entry.closing = this.#state.close("", cycle);
    if (!this.#calls.wants(HOOK.onQuery)) return this.#pass(entry);
    const can = this.#answers.canAnswerQuery ? CAN_ALL : CAN_ALL & ~CAN.respond;
    const event = this.#verdicts.queryEvent(can, text, PHASE.simple, entry);
    this.#calls.describeQuery(event, query);
    return this.#follow(this.#calls.run(event), event, entry, text);
  }

  #follow(verdict: Verdict, event: HookEvent, entry: Entry, text: Uint8Array): Decision {
    const decision = this.#verdicts.follow(verdict, event, FRONTEND.query, entry);
    if (decision !== undefined) return decision;
    if (event.payload === text) return this.#pass(entry);
    const bytes = queryWithText(event.payload);
    if (entry.query !== undefined) {
      const text = bytes.subarray(HEADER_SIZE, bytes.length - 1);
      entry.query = { ...entry.query, text };
    }
    this.#pass(entry);
    return { kind: "replace", bytes };
  }

  #pass(entry: Entry): Decision {
    this.#verdicts.onPassed();
    this.#pipeline.push(entry);
    return PASS;
  }

  // Alone -----------------------------------------------------------------------------------------

  /** All that was owed has been answered, and nothing is kept anywhere: the next may be alone. */
  rest(): void {
    const { chain } = this.#calls;
    const rests = chain.onlyAsks && this.#pipeline.isEmpty && this.#pipeline.status !== 0 &&
      this.#answers.isAtRest;
    this.#restsWith = rests ? chain : undefined;
  }

  /** Whether a view is a Query that nothing else is under way with. */
  isAlone(view: Uint8Array, messageSizeMax: number): boolean {
    return this.#restsWith === this.#calls.chain && this.#lone === 0 &&
      isLoneQuery(view, messageSizeMax);
  }

  /**
   * Asks plugins about such a one.
   *
   * @returns Undefined if it passes: then {@linkcode SimpleQueries.lone} is its number.
   */
  ask(view: Uint8Array): Decision | undefined {
    const text = view.subarray(HEADER_SIZE, view.length - 1);
    const request = this.#asked = this.#pipeline.takeNumber();
    const event = this.#verdicts.loneEvent(CAN_ALL, text, request);
    this.#calls.describeQuery(event, LONE);
    event.text = text;
    const verdict = this.#calls.run(event);
    this.#asked = 0;
    if (verdict.kind === "forward" && event.delayMs === 0 && this.#captured === undefined) {
      this.#lone = request;
      this.#verdicts.onPassed();
      return undefined;
    }
    const entry = this.#captured ?? this.#entry(request);
    this.#forgetLone();
    return this.#follow(verdict, event, entry, text);
  }

  /** The number of a Query that passed alone and has not been answered, or 0. */
  get lone(): number {
    return this.#restsWith === this.#calls.chain ? this.#lone : 0;
  }

  /** It has been answered, as a whole. */
  onLoneAnswered(): void {
    this.#lone = 0;
  }

  /** Something else happens: what has passed alone is one of those that are under way. */
  note(): void {
    if (this.#restsWith === undefined) return;
    const request = this.#lone;
    this.#forgetLone();
    if (request !== 0) this.#pipeline.push(this.#entry(request));
  }

  #forgetLone(): void {
    this.#restsWith = this.#captured = undefined;
    this.#lone = 0;
  }

  #entry(request: number): Entry {
    return new Entry(ENTRY.query, request, undefined, NOT_MEASURED);
  }
}
