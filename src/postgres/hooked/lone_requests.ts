/**
 * What most clients send, one at a time: a Query that comes alone, or one statement of the extended
 * protocol with its Sync. While nobody wants more than to be asked about queries, plugins are
 * asked, and it passes as it is; nothing is noted of it. If something else happens before it has
 * been answered as a whole, it is noted then, as if it had gone the long way.
 *
 * @module
 */

import { isEqual } from "../../base/bytes.ts";
import type { HookChain } from "../../hooks/chain.ts";
import { type HookEvent, IS, PHASE } from "../../hooks/event.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import {
  isLoneQuery,
  isWholeAnswer,
  isWholeBatchAnswer,
  LoneBatch,
} from "../wire/lone_messages.ts";
import { FRONTEND, STATUS_IDLE } from "../wire/tags.ts";
import type { ClientState, Portal, QueryInfo } from "./client_state.ts";
import type { Captured, ClientVerdicts, Said } from "./client_verdicts.ts";
import { ENTRY, Entry } from "./entry.ts";
import { type HookCalls, NOT_MEASURED } from "./hook_calls.ts";
import type { LocalAnswers } from "./local_answers.ts";
import type { Pipeline } from "./pipeline.ts";
import { CAN_EXECUTE, CAN_PARSE, CAN_QUERY } from "./client_kinds.ts";

const NOTHING = new Uint8Array();

/** Of what nothing is noted, but its text. */
const UNNAMED: QueryInfo = { text: NOTHING, statementName: "", cycle: 0, columns: undefined };

/** Where things are in the view that is being decided: all sessions of a worker take turns. */
const BATCH = new LoneBatch();

/** The portal of a lone statement, while plugins are asked. */
class LonePortal implements Pick<Portal, "name" | "bind"> {
  readonly name = "";
  readonly #view: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  constructor(view: Uint8Array, { bindStart, bindEnd }: LoneBatch) {
    this.#view = view;
    this.#start = bindStart;
    this.#end = bindEnd;
  }

  /** Most plugins do not ask for values. */
  get bind(): Uint8Array {
    return this.#view.subarray(this.#start, this.#end);
  }
}

/** One session's. */
export class LoneRequests {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #state: ClientState;
  readonly #answers: LocalAnswers;
  readonly #verdicts: ClientVerdicts;
  /** The chain with which the session rests: nothing is under way but, maybe, a lone request. */
  #restsWith: HookChain | undefined;
  /** Number of the first message that passed alone and has not been answered, or 0. */
  #first = 0;
  /** What it executes; undefined if it is a Query. */
  #query: QueryInfo | undefined;
  #hasParse = false;
  #hasDescribe = false;
  /** What plugins who are being asked want to have of the reply. */
  #captured: Captured[] | undefined;
  readonly #capture = (sizeMax: number, onDone: (messages: Uint8Array) => void) => {
    (this.#captured ??= []).push({ sizeMax, onDone });
    return true;
  };

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

  /** All that was owed has been answered, and nothing is kept anywhere: the next may be alone. */
  rest(): void {
    const { chain } = this.#calls;
    const rests = chain.onlyAsks && this.#pipeline.isEmpty && this.#pipeline.status !== 0 &&
      this.#answers.isAtRest && this.#state.isCertain;
    this.#restsWith = rests ? chain : undefined;
  }

  /**
   * Whether a view is a request that nothing else is under way with, and that plugins, who have
   * been asked then, let pass as it is. If they have been asked and do not, they are not asked
   * again when it goes the long way, which it has to do at once.
   */
  passes(view: Uint8Array, messageSizeMax: number): boolean {
    if (this.#restsWith !== this.#calls.chain || this.#first !== 0) return false;
    const tag = view[0];
    if (tag === FRONTEND.query) {
      return isLoneQuery(view, messageSizeMax) && this.#passesQuery(view);
    }
    if (tag !== FRONTEND.bind && tag !== FRONTEND.parse) return false;
    // Behind it, there is no portal to know of.
    if (this.#pipeline.status !== STATUS_IDLE) return false;
    return BATCH.read(view, messageSizeMax) && this.#passesBatch(view);
  }

  #passesQuery(view: Uint8Array): boolean {
    const text = view.subarray(HEADER_SIZE, view.length - 1);
    const event = this.#event(CAN_QUERY, text, PHASE.simple, this.#pipeline.nextRequest);
    this.#calls.describeQuery(event, UNNAMED);
    event.text = text;
    const said = this.#ask(event, text);
    if (said !== undefined) return this.#verdicts.expect([said]);
    this.#pass(undefined, 1);
    return true;
  }

  #passesBatch(view: Uint8Array): boolean {
    const { hasParse, hasDescribe, statement } = BATCH;
    const text = hasParse ? view.subarray(BATCH.textStart, BATCH.textEnd) : NOTHING;
    const known = this.#state.statement(statement);
    // What a client says again and again is kept once.
    const query = hasParse && known !== undefined && !isEqual(known.text, text) ? undefined : known;
    if (query === undefined && !(hasParse && this.#state.mayPrepare(text.length))) return false;
    const first = this.#pipeline.nextRequest;
    if (hasParse) {
      const event = this.#event(CAN_PARSE, text, PHASE.parse, first);
      this.#calls.describeQuery(event, UNNAMED);
      event.text = text;
      const said = this.#ask(event, text);
      if (said !== undefined) return this.#verdicts.expect([said]);
    }
    const count = (hasParse ? 3 : 2) + (hasDescribe ? 1 : 0);
    const said = this.#askExecute(view, query?.text ?? text, query ?? UNNAMED, first + count - 1);
    if (said !== undefined) return this.#verdicts.expect(hasParse ? [undefined, said] : [said]);
    const { cycle } = this.#pipeline;
    this.#pass(query ?? this.#state.prepare("", text, cycle), count + 1);
    this.#hasParse = hasParse;
    this.#hasDescribe = hasDescribe;
    return true;
  }

  #askExecute(
    view: Uint8Array,
    text: Uint8Array,
    query: QueryInfo,
    request: number,
  ): Said | undefined {
    const { mayRespond } = this.#calls.chain;
    const event = this.#event(CAN_EXECUTE, text, PHASE.execute, request);
    this.#calls.describeQuery(event, query, new LonePortal(view, BATCH));
    event.text = text;
    // Only what may be answered here is kept back until it is decided.
    if (mayRespond && BATCH.hasDescribe) event.flags |= IS.described;
    if (!mayRespond) event.capture = refuseCapture;
    return this.#ask(event, text);
  }

  #event(can: number, text: Uint8Array, phase: number, request: number): HookEvent {
    const event = this.#verdicts.loneEvent(can, text, phase, request);
    if (phase !== PHASE.parse) event.capture = this.#capture;
    return event;
  }

  /** @returns What plugins have said, if it is more than that it may pass. */
  #ask(event: HookEvent, text: Uint8Array): Said | undefined {
    this.#captured = undefined;
    const verdict = this.#calls.run(event);
    const { delayMs, payload } = event;
    if (verdict.kind === "forward" && delayMs === 0 && this.#captured === undefined) {
      return undefined;
    }
    const captured = this.#captured ?? [];
    return { verdict, delayMs, captured, payload: payload === text ? undefined : payload };
  }

  #pass(query: QueryInfo | undefined, count: number): void {
    this.#first = this.#pipeline.nextRequest;
    for (let left = count; left > 0; left -= 1) this.#pipeline.takeNumber();
    this.#query = query;
    this.#verdicts.onPassed();
  }

  /** Whether bytes are the whole answer to what has passed alone. */
  isAnsweredBy(bytes: Uint8Array): boolean {
    if (this.#first === 0 || this.#restsWith !== this.#calls.chain) return false;
    const size = bytes.length;
    if (this.#query === undefined) return isWholeAnswer(bytes, size);
    return bytes[size - 1] === STATUS_IDLE && isWholeBatchAnswer(bytes, this.#hasParse, size);
  }

  /** It has been answered, as a whole. @returns The number of the last of its messages. */
  onAnswered(): number {
    const query = this.#query;
    if (query === undefined) this.#state.forgetUnnamed(); // a Query ends it
    else if (this.#hasParse) this.#state.prepared(query);
    this.#first = 0;
    this.#query = undefined;
    return this.#pipeline.nextRequest - 1;
  }

  /** Something else happens: what has passed alone is one of those that are under way. */
  note(): void {
    if (this.#restsWith === undefined) return;
    const [first, query] = [this.#first, this.#query];
    this.#restsWith = this.#query = undefined;
    this.#first = 0;
    if (first === 0) return;
    if (query === undefined) this.#noteQuery(first);
    else this.#noteBatch(first, query);
  }

  #noteQuery(request: number): void {
    const entry = newEntry(ENTRY.query, request, undefined);
    entry.closing = this.#state.close("", this.#pipeline.cycle);
    this.#pipeline.push(entry);
  }

  #noteBatch(first: number, query: QueryInfo): void {
    const pipeline = this.#pipeline;
    const { cycle } = pipeline;
    let request = first;
    if (this.#hasParse) {
      const isNew = !this.#state.isCertain;
      const prepared = isNew ? query : this.#state.prepare("", query.text, cycle) ?? query;
      pipeline.push(newEntry(ENTRY.parse, request++, prepared));
    }
    const { statementName } = query;
    const bind = newEntry(ENTRY.bind, request, query);
    bind.portal = this.#state.bind("", statementName, NOTHING, { request: request++, cycle });
    if (bind.portal !== undefined) this.#state.executed(bind.portal);
    pipeline.push(bind);
    if (this.#hasDescribe) pipeline.push(newEntry(ENTRY.describe, request++, query));
    pipeline.push(newEntry(ENTRY.execute, request++, query));
    pipeline.push(newEntry(ENTRY.sync, request, undefined));
  }
}

function newEntry(kind: number, request: number, query: QueryInfo | undefined): Entry {
  return new Entry(kind, request, query, NOT_MEASURED);
}

function refuseCapture(): boolean {
  return false;
}
