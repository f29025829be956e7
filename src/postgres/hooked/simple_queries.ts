/**
 * A client's simple queries: plugins are asked about each, and it goes its way.
 *
 * @module
 */

import { PHASE } from "../../hooks/event.ts";
import { CAN, HOOK } from "../../hooks/hooks.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { FRONTEND } from "../wire/tags.ts";
import { CAN_QUERY } from "./client_kinds.ts";
import type { ClientState, QueryInfo } from "./client_state.ts";
import type { ClientVerdicts, Decision } from "./client_verdicts.ts";
import { ENTRY, Entry } from "./entry.ts";
import type { HookCalls } from "./hook_calls.ts";
import type { LocalAnswers } from "./local_answers.ts";
import type { Pipeline } from "./pipeline.ts";
import { queryWithText } from "./texts.ts";

const PASS: Decision = { kind: "pass" };

/** One session's. */
export class SimpleQueries {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #state: ClientState;
  readonly #answers: LocalAnswers;
  readonly #verdicts: ClientVerdicts;

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
    const can = this.#answers.canAnswerQuery ? CAN_QUERY : CAN_QUERY & ~CAN.respond;
    const event = this.#verdicts.queryEvent(can, text, PHASE.simple, entry);
    this.#calls.describeQuery(event, query);
    const decision = this.#verdicts.ask(event, FRONTEND.query, entry);
    if (decision !== undefined) return decision;
    if (event.payload === text) return this.#pass(entry);
    const bytes = queryWithText(event.payload);
    if (kept !== undefined) {
      entry.query = { ...kept, text: bytes.subarray(HEADER_SIZE, bytes.length - 1) };
    }
    this.#pass(entry);
    return { kind: "replace", bytes };
  }

  #pass(entry: Entry): Decision {
    this.#verdicts.onPassed();
    this.#pipeline.push(entry);
    return PASS;
  }
}
