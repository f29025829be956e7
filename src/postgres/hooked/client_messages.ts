/**
 * What messages of a client mean to a hooked session: which hooks are told, whether they go to the
 * server, and what is answered in its place.
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { READ_BUFFER_SIZE_MAX } from "../../net/socket.ts";
import { CAN, HOOK } from "../../hooks/hooks.ts";
import { IS, PHASE } from "../../hooks/event.ts";
import { nameAt, readBindNames, readParse } from "../wire/extended_messages.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { FRONTEND } from "../wire/tags.ts";
import { readResultFormats } from "./bound_values.ts";
import type { ClientState, Portal } from "./client_state.ts";
import {
  CAN_EXECUTE,
  CAN_PARSE,
  CAN_QUERY,
  ENTRY_OF,
  HAS_TEXT,
  IS_CONCLUDED_BY_SYNC,
} from "./client_kinds.ts";
import { type ClientMessagesOwner, ClientVerdicts, type Decision } from "./client_verdicts.ts";
import { ENTRY, Entry } from "./entry.ts";
import type { HookCalls } from "./hook_calls.ts";
import { LocalAnswers } from "./local_answers.ts";
import { LoneRequests } from "./lone_requests.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Pipeline } from "./pipeline.ts";
import { ASSEMBLED_SIZE_MAX } from "./assembled.ts";
import { executeNothing, parseWithText, queryWithText } from "./texts.ts";

const PASS: Decision = { kind: "pass" };
const DROP: Decision = { kind: "drop" };

/** One session's messages to servers. */
export class ClientMessages {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #state: ClientState;
  readonly #owner: ClientMessagesOwner;
  readonly #answers: LocalAnswers;
  readonly #verdicts: ClientVerdicts;
  /** What needs none of the rest. */
  readonly lone: LoneRequests;

  constructor(calls: HookCalls, state: ClientState, owner: ClientMessagesOwner) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#state = state;
    this.#owner = owner;
    this.#answers = new LocalAnswers(calls, (why) => owner.refuse(why));
    this.#pipeline.onSkipped = (entry) => this.#onSkipped(entry);
    this.#verdicts = new ClientVerdicts(calls, this.#answers, owner);
    this.lone = new LoneRequests(calls, state, this.#answers, this.#verdicts);
  }

  #onSkipped(entry: Entry): void {
    const { kind, query, closing, prepares, portal } = entry;
    if (portal !== undefined) this.#state.portalFailed(portal, entry.isMuted);
    if (kind === ENTRY.parse && query !== undefined) this.#state.failed(query);
    if (closing !== undefined) this.#state.failed(closing);
    if (prepares !== undefined) this.#onSkipped(prepares);
    if (!entry.isRefused) this.#answers.onSkipped(entry);
  }

  /** True while the last messages are kept back until their Execute has come. */
  get isUnitOpen(): boolean {
    return this.#answers.unit !== undefined;
  }

  /** True if nothing more may be decided before something is answered. */
  get isHeldBack(): boolean {
    return this.#pipeline.isFull;
  }

  /** Messages that have not been answered. */
  get owed(): number {
    return this.#pipeline.length;
  }

  /** Plugins' answers to the newest of them wait. */
  holdBack(count: number): void {
    this.#pipeline.held = count;
  }

  /** What was kept back is passed on. */
  closeUnit(): void {
    this.#answers.closeUnit();
  }

  /** How long what was decided last has to wait, in milliseconds. */
  takeDelay(): number {
    return this.#verdicts.takeDelay();
  }

  /** The read buffer is going to change. */
  onViewEnd(): void {
    this.#state.keep();
    this.#verdicts.onViewEnd();
  }

  /** True if no server has to get anything that it has not got. */
  get isEmpty(): boolean {
    return !this.#answers.hasLateParse;
  }

  /**
   * Whether the message at an offset can be decided: before the login is done only passwords can,
   * and a Bind not before it is certain which statement it means.
   */
  canDecide(view: Uint8Array, offset: number): boolean {
    const tag = view[offset];
    if (this.#pipeline.status === 0) {
      return tag === undefined || tag === FRONTEND.password || tag === FRONTEND.terminate;
    }
    // Should an answer of before become an error, the server must not have got it.
    if (tag === FRONTEND.query && this.#answers.isAllLocal) {
      return this.#pipeline.isEmpty || this.#answers.discards(tag);
    }
    if (tag === FRONTEND.execute) {
      const portal = nameAt(view, offset + HEADER_SIZE)?.text;
      return portal === undefined || !this.#state.isPortalUncertain(portal, this.#pipeline);
    }
    if (tag !== FRONTEND.bind || this.#state.isCertain) return true;
    const names = readBindNames(view.subarray(offset));
    if (names === undefined) {
      // The framer waits for all of it, if it is short.
      if (view.length - offset < HEADER_SIZE) return true;
      return 1 + int32At(view, offset + 1) <= READ_BUFFER_SIZE_MAX;
    }
    return !this.#state.isUncertain(names.statement, this.#pipeline.cycle);
  }

  /**
   * Whether messages of a type must be whole to be decided, however large they are.
   *
   * @param size Bytes that it will have.
   */
  wantsWhole(tag: number, size: number): boolean {
    if (tag === FRONTEND.password) return false;
    const { chain } = this.#calls;
    const isUnit = tag === FRONTEND.parse || tag === FRONTEND.bind;
    if (isUnit && this.#answers.hasLateParse) return true;
    if (isUnit || tag === FRONTEND.query) {
      if (chain.wants[HOOK.onQuery] === 1) return true;
      // Who is only told of its end is not worth the session.
      if (chain.wants[HOOK.onQueryEnd] === 1 && size <= ASSEMBLED_SIZE_MAX) return true;
    }
    return chain.wantsType(HOOK.onTrafficFromClient, tag) ||
      chain.wantsType(HOOK.onTrafficToServer, tag);
  }

  /**
   * A large message begins that nobody has to see: what was known of what it names is no more.
   *
   * @param start As much of it as there is.
   * @returns Whether it is dropped.
   */
  onLarge(tag: number, start: Uint8Array): boolean {
    if (tag !== FRONTEND.password && this.#answers.discards(tag)) return true;
    if (tag === FRONTEND.query) this.#answers.onQuery();
    else this.#answers.closeUnit();
    const kind = ENTRY_OF[tag];
    if (kind === undefined) return false;
    const entry = this.#entry(kind);
    const { cycle } = this.#pipeline;
    const name = tag === FRONTEND.query ? "" : nameAt(start, HEADER_SIZE)?.text ?? "";
    if (tag === FRONTEND.bind) entry.portal = this.#state.closePortal(name, entry.request, cycle);
    else if (HAS_TEXT.has(tag)) entry.closing = this.#state.close(name, cycle);
    this.#pass(tag, entry);
    return false;
  }

  /** Decides a whole message. `message` is a view. */
  onMessage(tag: number, message: Uint8Array, outgoing: Outgoing): Decision {
    if (tag === FRONTEND.password) return PASS;
    if (this.#answers.discards(tag)) return DROP;
    this.#answers.outgoing = outgoing;
    let bytes = message;
    if (this.#calls.chain.wantsType(HOOK.onTrafficFromClient, tag)) {
      const event = this.#verdicts.trafficEvent(tag, message);
      const decision = this.#verdicts.ask(event, tag, undefined);
      if (decision !== undefined) return decision;
      bytes = this.#verdicts.replacement(event, tag, message);
      if (this.#owner.isOver()) return DROP;
    }
    const decision = this.#decide(tag, bytes, outgoing);
    if (decision.kind === "drop" || decision.kind === "retract") return decision;
    this.#tell(tag, decision.kind === "replace" ? decision.bytes : bytes);
    return decision.kind === "pass" && bytes !== message ? { kind: "replace", bytes } : decision;
  }

  /** What is passed on is told of. */
  #tell(tag: number, bytes: Uint8Array): void {
    if (!this.#calls.chain.wantsType(HOOK.onTrafficToServer, tag)) return;
    const event = this.#calls.event(HOOK.onTrafficToServer, 0, bytes, tag);
    this.#calls.describeEntry(event, this.#pipeline.last);
    this.#calls.run(event);
  }

  #decide(tag: number, message: Uint8Array, outgoing: Outgoing): Decision {
    switch (tag) {
      case FRONTEND.query:
        return this.#onQuery(message);
      case FRONTEND.parse:
        return this.#onParse(message, outgoing);
      case FRONTEND.bind:
        return this.#onBind(message, outgoing);
      case FRONTEND.describe:
        return this.#onDescribe(message, outgoing);
      case FRONTEND.execute:
        return this.#onExecute(message);
      case FRONTEND.close:
        return this.#onClose(message);
      case FRONTEND.sync:
        return this.#answers.onSync() ? DROP : this.#push(tag);
      case FRONTEND.flush:
        this.#answers.closeUnit();
        return this.#answers.isAllLocal ? DROP : PASS;
    }
    this.#answers.closeUnit();
    return this.#push(tag);
  }

  #push(tag: number): Decision {
    const kind = ENTRY_OF[tag];
    return kind === undefined ? PASS : this.#pass(tag, this.#entry(kind));
  }

  #pass(tag: number, entry: Entry): Decision {
    if (IS_CONCLUDED_BY_SYNC[tag] === 1) this.#answers.pass(entry);
    else this.#pipeline.push(entry);
    return PASS;
  }

  #entry(kind: number, query?: Entry["query"]): Entry {
    return new Entry(kind, this.#pipeline.takeNumber(), query, this.#calls.startMs);
  }

  // Queries ---------------------------------------------------------------------------------------

  #onQuery(message: Uint8Array): Decision {
    this.#answers.onQuery();
    const text = this.#calls.keepText(message.subarray(HEADER_SIZE, message.length - 1));
    const query = { text, statementName: "", cycle: this.#pipeline.cycle, columns: undefined };
    const entry = this.#entry(ENTRY.query, this.#calls.chain.looksBack ? query : undefined);
    entry.closing = this.#state.close("", query.cycle);
    let bytes = message;
    if (this.#calls.wants(HOOK.onQuery)) {
      const can = this.#answers.canAnswerQuery ? CAN_QUERY : CAN_QUERY & ~CAN.respond;
      const event = this.#verdicts.queryEvent(can, text, PHASE.simple, entry);
      this.#calls.describeQuery(event, query);
      const decision = this.#verdicts.ask(event, FRONTEND.query, entry);
      if (decision !== undefined) return decision;
      if (event.payload !== text) {
        bytes = queryWithText(event.payload);
        entry.query = { ...query, text: bytes.subarray(HEADER_SIZE, bytes.length - 1) };
      }
    }
    this.#verdicts.onPassed();
    this.#pipeline.push(entry);
    return bytes === message ? PASS : { kind: "replace", bytes };
  }

  #onParse(message: Uint8Array, outgoing: Outgoing): Decision {
    const parsed = readParse(message);
    if (parsed === undefined) return this.#passBroken(FRONTEND.parse);
    const { name, text } = parsed;
    if (name === "") this.#answers.beginUnit(outgoing);
    else this.#answers.closeUnit();
    const query = this.#state.prepare(name, text, this.#pipeline.cycle);
    const entry = this.#entry(ENTRY.parse, query);
    if (query === undefined) return this.#answers.refuseMore("prepared statements", entry);
    let bytes = message;
    if (this.#calls.wants(HOOK.onQuery)) {
      const event = this.#verdicts.queryEvent(CAN_PARSE, query.text, PHASE.parse, entry);
      this.#calls.describeQuery(event, query);
      const decision = this.#verdicts.ask(event, FRONTEND.parse, entry, () => {
        this.#state.failed(query);
        if (name === "") entry.closing = this.#state.close("", query.cycle);
      });
      if (decision !== undefined) {
        if (name === "") this.#answers.dropUnnamed(entry);
        return decision;
      }
      if (event.payload !== query.text) {
        bytes = parseWithText(message, parsed, event.payload);
        this.#state.failed(query);
        entry.query = this.#state.prepare(name, readParse(bytes)!.text, this.#pipeline.cycle);
        if (entry.query === undefined) {
          return this.#answers.refuseMore("prepared statements", entry);
        }
      }
    }
    if (name === "") this.#answers.onUnnamedParse(bytes, entry);
    this.#answers.pass(entry);
    return bytes === message ? PASS : { kind: "replace", bytes };
  }

  #onBind(message: Uint8Array, outgoing: Outgoing): Decision {
    const names = readBindNames(message);
    if (names === undefined) return this.#passBroken(FRONTEND.bind);
    const request = this.#pipeline.takeNumber();
    const at = { request, cycle: this.#pipeline.cycle };
    const portal = this.#state.bind(names.portal, names.statement, message, at);
    const entry = new Entry(ENTRY.bind, request, portal?.query, this.#calls.startMs);
    entry.portal = portal;
    if (portal === undefined) return this.#answers.refuseMore("portals", entry);
    const isUnnamed = names.portal === "";
    if (isUnnamed) this.#answers.beginBind(outgoing, names.statement);
    else this.#answers.closeUnit();
    if (names.statement === "") this.#answers.sendLateParse(outgoing);
    if (isUnnamed) this.#answers.onUnnamedBind(entry);
    this.#answers.pass(entry);
    return PASS;
  }

  #onDescribe(message: Uint8Array, outgoing: Outgoing): Decision {
    const isPortal = message[HEADER_SIZE] === 0x50; // P
    const name = nameAt(message, HEADER_SIZE + 1)?.text;
    if (name === undefined) return this.#passBroken(FRONTEND.describe);
    const query = isPortal ? this.#state.portal(name)?.query : this.#state.statement(name);
    const entry = this.#entry(ENTRY.describe, query);
    if (!isPortal || name !== "") this.#answers.closeUnit();
    if (!isPortal && name === "") this.#answers.sendLateParse(outgoing);
    this.#answers.onDescribe(entry);
    this.#answers.pass(entry);
    return PASS;
  }

  #onExecute(message: Uint8Array): Decision {
    const name = nameAt(message, HEADER_SIZE);
    if (name === undefined || name.end + 4 !== message.length) {
      return this.#passBroken(FRONTEND.execute);
    }
    const portal = this.#state.portal(name.text);
    const entry = this.#entry(ENTRY.execute, portal?.query);
    if (name.text !== "") this.#answers.closeUnit();
    if (this.#calls.wants(HOOK.onQuery)) {
      if (this.#state.mayRunLost(name.text, this.#pipeline.hasFailed)) {
        // What a plugin cannot be told of must not be executed.
        this.#answers.closeUnit();
        this.#answers.pass(entry);
        return { kind: "replace", bytes: executeNothing() };
      }
      const decision = this.#askExecute(entry, portal, int32At(message, name.end) === 0);
      if (decision !== undefined) return decision;
    }
    if (portal !== undefined) {
      this.#keepFormats(portal);
      entry.resultFormats = portal.resultFormats;
      this.#state.executed(portal);
    }
    this.#verdicts.onPassed();
    this.#answers.pass(entry);
    this.#answers.closeUnit();
    return PASS;
  }

  /** Who sees rows has to know their formats. */
  #keepFormats(portal: Portal): void {
    if (portal.bind === undefined || !this.#calls.wants(HOOK.onRow)) return;
    portal.resultFormats = readResultFormats(portal.bind);
  }

  #askExecute(entry: Entry, portal: Portal | undefined, isWhole: boolean): Decision | undefined {
    const can = isWhole ? CAN_EXECUTE : CAN_EXECUTE & ~CAN.respond;
    const text = portal?.query?.text ?? NOTHING;
    const event = this.#verdicts.queryEvent(can, text, PHASE.execute, entry);
    this.#calls.describeQuery(event, portal?.query, portal);
    if (this.#answers.unit?.describe !== undefined) event.flags |= IS.described;
    return this.#verdicts.ask(event, FRONTEND.execute, entry);
  }

  #onClose(message: Uint8Array): Decision {
    const name = nameAt(message, HEADER_SIZE + 1)?.text;
    this.#answers.closeUnit();
    if (name === undefined) return this.#passBroken(FRONTEND.close);
    const entry = this.#entry(ENTRY.close);
    if (message[HEADER_SIZE] === 0x50) { // P
      entry.portal = this.#state.closePortal(name, entry.request, this.#pipeline.cycle);
    } else {
      entry.closing = this.#state.close(name, this.#pipeline.cycle);
      if (name === "") this.#answers.forgetLateParse();
    }
    this.#answers.pass(entry);
    return PASS;
  }

  /** The server says what is wrong with it. */
  #passBroken(tag: number): Decision {
    this.#answers.closeUnit();
    return this.#push(tag);
  }
}

const NOTHING = new Uint8Array();
