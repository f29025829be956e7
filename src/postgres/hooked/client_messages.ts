/**
 * What messages of a client mean to a hooked session: which hooks are told, whether they go to the
 * server, and what is answered in its place.
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { CAN, HOOK } from "../../hooks/hooks.ts";
import { type HookEvent, IS, PHASE } from "../../hooks/event.ts";
import type { Verdict } from "../../hooks/verdict.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { FRONTEND, STATUS_FAILED } from "../wire/tags.ts";
import {
  type ClientState,
  type Portal,
  readBindNames,
  readParse,
  stringAt,
} from "./client_state.ts";
import type { HookCalls } from "./hook_calls.ts";
import { LocalAnswers } from "./local_answers.ts";
import type { Outgoing } from "./outgoing.ts";
import { ENTRY, type Entry, type Pipeline } from "./pipeline.ts";
import { countMessages } from "./replacement.ts";
import { ReplyCapture } from "./reply_capture.ts";
import { parseWithText, queryWithText } from "./texts.ts";

/** What becomes of a message. */
export type Decision =
  | { readonly kind: "pass" }
  | { readonly kind: "replace"; readonly bytes: Uint8Array }
  | { readonly kind: "drop" }
  /** It is dropped, and all that was kept back with it; something else goes out, if anything. */
  | { readonly kind: "retract"; readonly bytes?: Uint8Array };

const PASS: Decision = { kind: "pass" };
const DROP: Decision = { kind: "drop" };

/** What is asked of the session. */
export interface ClientMessagesOwner {
  close(plugin: string): void;
  /** A plugin's result cannot be used. */
  refuse(why: string): void;
  /** Whether the next query can be sent elsewhere. */
  readonly canRoute: boolean;
  route(proxy: string, plugin: string): void;
}

/** One session's messages to servers. */
export class ClientMessages {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #state: ClientState;
  readonly #owner: ClientMessagesOwner;
  readonly #answers: LocalAnswers;
  #delayMs = 0;

  constructor(calls: HookCalls, state: ClientState, owner: ClientMessagesOwner) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#state = state;
    this.#owner = owner;
    this.#answers = new LocalAnswers(calls, (why) => owner.refuse(why));
  }

  /** True while the last messages are kept back until their Execute has come. */
  get isUnitOpen(): boolean {
    return this.#answers.unit !== undefined;
  }

  /** True if nothing more may be decided before something is answered. */
  get isHeldBack(): boolean {
    return this.#pipeline.isFull;
  }

  /** What was kept back is passed on. */
  closeUnit(): void {
    this.#answers.closeUnit();
  }

  /** How long what was decided last has to wait, in milliseconds. */
  takeDelay(): number {
    const delayMs = this.#delayMs;
    this.#delayMs = 0;
    return delayMs;
  }

  /** The read buffer is going to change. */
  onViewEnd(): void {
    this.#state.keep();
  }

  /** Whether messages of a type must be whole to be decided, however large they are. */
  wantsWhole(tag: number): boolean {
    if (tag === FRONTEND.password) return false;
    const { chain } = this.#calls;
    switch (tag) {
      case FRONTEND.query:
      case FRONTEND.parse:
      case FRONTEND.bind:
        if (chain.wants[HOOK.onQuery] === 1 || chain.wants[HOOK.onQueryEnd] === 1) return true;
    }
    return chain.wantsType(HOOK.onTrafficFromClient, tag) ||
      chain.wantsType(HOOK.onTrafficToServer, tag);
  }

  /** The start of a large message that nobody has to see. @returns Whether it is dropped. */
  onLarge(tag: number): boolean {
    if (this.#answers.discards(tag)) return true;
    this.#answers.closeUnit();
    this.#push(tag);
    return false;
  }

  /** Decides a whole message. `message` is a view. */
  onMessage(tag: number, message: Uint8Array, outgoing: Outgoing): Decision {
    if (tag === FRONTEND.password) return PASS;
    if (this.#answers.discards(tag)) return DROP;
    let bytes = message;
    if (this.#calls.chain.wantsType(HOOK.onTrafficFromClient, tag)) {
      const event = this.#trafficEvent(tag, message);
      const decision = this.#ask(event, tag, undefined);
      if (decision !== undefined) return decision;
      bytes = this.#replacement(event, tag, message);
    }
    const decision = this.#decide(tag, bytes, outgoing);
    if (decision.kind === "drop" || decision.kind === "retract") return decision;
    this.#tell(tag, decision.kind === "replace" ? decision.bytes : bytes);
    return decision.kind === "pass" && bytes !== message ? { kind: "replace", bytes } : decision;
  }

  #trafficEvent(tag: number, message: Uint8Array): HookEvent {
    const isQuery = tag === FRONTEND.query;
    const can = CAN.replace | CAN.reject | CAN.close | (isQuery ? CAN.respond : 0);
    const event = this.#calls.event(HOOK.onTrafficFromClient, can, message, tag);
    event.request = this.#pipeline.nextRequest;
    return event;
  }

  #replacement({ payload }: HookEvent, tag: number, message: Uint8Array): Uint8Array {
    if (payload === message || countMessages(payload, tag) === 1) return payload;
    const type = String.fromCharCode(tag);
    this.#owner.refuse(`what a plugin puts in the place of a message of type "${type}" is none`);
    return message;
  }

  /** What is passed on is told of. */
  #tell(tag: number, bytes: Uint8Array): void {
    if (!this.#calls.chain.wantsType(HOOK.onTrafficToServer, tag)) return;
    const event = this.#calls.event(HOOK.onTrafficToServer, 0, bytes, tag);
    this.#calls.describeEntry(event, this.#pipeline.last());
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
    if (kind !== undefined) this.#pipeline.push(this.#entry(kind));
    if (IS_CONCLUDED_BY_SYNC[tag] === 1) this.#answers.onPassed();
    return PASS;
  }

  #entry(kind: number, query?: Entry["query"]): Entry {
    return this.#pipeline.entry(kind, query, this.#calls.nowMs);
  }

  // Queries ---------------------------------------------------------------------------------------

  #onQuery(message: Uint8Array): Decision {
    this.#answers.onQuery();
    const text = message.subarray(HEADER_SIZE, message.length - 1).slice();
    const query = { text, statementName: "", columns: undefined };
    const entry = this.#entry(ENTRY.query, query);
    let bytes = message;
    if (this.#calls.wants(HOOK.onQuery)) {
      const can = CAN.replace | CAN.respond | CAN.reject | CAN.close;
      const event = this.#queryEvent(can, text, PHASE.simple, entry);
      this.#calls.describeQuery(event, query);
      const decision = this.#ask(event, FRONTEND.query, entry);
      if (decision !== undefined) return decision;
      if (event.payload !== text) bytes = queryWithText(event.payload);
    }
    this.#pipeline.push(entry);
    return bytes === message ? PASS : { kind: "replace", bytes };
  }

  #onParse(message: Uint8Array, outgoing: Outgoing): Decision {
    const parsed = readParse(message);
    if (parsed === undefined) return this.#passBroken(FRONTEND.parse);
    const { name, text } = parsed;
    if (name === "") this.#answers.beginUnit(outgoing);
    else this.#answers.closeUnit();
    let bytes = message;
    let query = this.#state.prepare(name, text);
    if (query === undefined) return this.#answers.refuseStatement();
    const entry = this.#entry(ENTRY.parse, query);
    if (this.#calls.wants(HOOK.onQuery)) {
      const event = this.#queryEvent(
        CAN.replace | CAN.reject | CAN.close,
        query.text,
        PHASE.parse,
        entry,
      );
      this.#calls.describeQuery(event, query);
      const decision = this.#ask(event, FRONTEND.parse, entry);
      if (decision !== undefined) return decision;
      if (event.payload !== query.text) {
        bytes = parseWithText(message, parsed, event.payload);
        query = this.#state.prepare(name, event.payload) ?? query;
        entry.query = query;
      }
    }
    this.#pipeline.push(entry);
    if (name === "") this.#answers.onUnnamedParse(bytes, entry);
    this.#answers.onPassed();
    return bytes === message ? PASS : { kind: "replace", bytes };
  }

  #onBind(message: Uint8Array, outgoing: Outgoing): Decision {
    const names = readBindNames(message);
    if (names === undefined) return this.#passBroken(FRONTEND.bind);
    const portal = this.#state.bind(names.portal, names.statement, message);
    const entry = this.#entry(ENTRY.bind, portal.query);
    const isUnnamed = names.portal === "";
    if (isUnnamed) this.#answers.beginBind(outgoing, names.statement);
    else this.#answers.closeUnit();
    if (names.statement === "") this.#answers.sendLateParse(outgoing);
    this.#pipeline.push(entry);
    if (isUnnamed) this.#answers.onUnnamedBind(entry);
    this.#answers.onPassed();
    return PASS;
  }

  #onDescribe(message: Uint8Array, outgoing: Outgoing): Decision {
    const isPortal = message[HEADER_SIZE] === 0x50; // P
    const name = stringAt(message, HEADER_SIZE + 1)?.text;
    if (name === undefined) return this.#passBroken(FRONTEND.describe);
    const query = isPortal ? this.#state.portal(name)?.query : this.#state.statement(name);
    const entry = this.#entry(ENTRY.describe, query);
    if (!isPortal || name !== "") this.#answers.closeUnit();
    if (!isPortal && name === "") this.#answers.sendLateParse(outgoing);
    this.#pipeline.push(entry);
    this.#answers.onDescribe(entry);
    this.#answers.onPassed();
    return PASS;
  }

  #onExecute(message: Uint8Array): Decision {
    const name = stringAt(message, HEADER_SIZE);
    if (name === undefined || name.end + 4 !== message.length) {
      return this.#passBroken(FRONTEND.execute);
    }
    const portal = this.#state.portal(name.text);
    const entry = this.#entry(ENTRY.execute, portal?.query);
    if (name.text !== "") this.#answers.closeUnit();
    if (this.#calls.wants(HOOK.onQuery)) {
      const decision = this.#askExecute(entry, portal, int32At(message, name.end) === 0);
      if (decision !== undefined) return decision;
    }
    if (portal !== undefined) this.#state.executed(portal);
    this.#pipeline.push(entry);
    this.#answers.closeUnit();
    this.#answers.onPassed();
    return PASS;
  }

  #askExecute(entry: Entry, portal: Portal | undefined, isWhole: boolean): Decision | undefined {
    const can = CAN.reject | CAN.close | (isWhole ? CAN.respond : 0);
    const text = portal?.query?.text ?? NOTHING;
    const event = this.#queryEvent(can, text, PHASE.execute, entry);
    this.#calls.describeQuery(event, portal?.query, portal);
    if (this.#answers.unit?.describe !== undefined) event.flags |= IS.described;
    return this.#ask(event, FRONTEND.execute, entry);
  }

  #onClose(message: Uint8Array): Decision {
    const name = stringAt(message, HEADER_SIZE + 1)?.text;
    this.#answers.closeUnit();
    if (name === undefined) return this.#passBroken(FRONTEND.close);
    if (message[HEADER_SIZE] === 0x50) this.#state.forgetPortal(name); // P
    else {
      this.#state.forget(name);
      if (name === "") this.#answers.forgetLateParse();
    }
    return this.#push(FRONTEND.close);
  }

  /** The server says what is wrong with it. */
  #passBroken(tag: number): Decision {
    this.#answers.closeUnit();
    return this.#push(tag);
  }

  // Verdicts --------------------------------------------------------------------------------------

  #queryEvent(can: number, text: Uint8Array, phase: number, entry: Entry): HookEvent {
    const route = this.#owner.canRoute ? CAN.route : 0;
    const isFailed = this.#pipeline.isEmpty && this.#pipeline.status === STATUS_FAILED;
    const possible = isFailed ? can & ~CAN.respond : can;
    const event = this.#calls.event(HOOK.onQuery, possible | route, text, 0);
    event.phase = phase;
    event.request = entry.request;
    if (phase === PHASE.parse) return event;
    event.capture = (sizeMax, onDone) => {
      entry.capture = new ReplyCapture(sizeMax, onDone);
      const describe = this.#answers.unit?.describe;
      if (describe !== undefined) describe.capture = entry.capture;
      return true;
    };
    return event;
  }

  /** @returns What becomes of the message, or undefined if it goes its way. */
  #ask(event: HookEvent, tag: number, entry: Entry | undefined): Decision | undefined {
    const verdict: Verdict = this.#calls.run(event);
    this.#delayMs = Math.max(this.#delayMs, event.delayMs);
    switch (verdict.kind) {
      case "close":
        this.#owner.close(verdict.plugin);
        return DROP;
      case "route":
        this.#owner.route(verdict.proxy, verdict.plugin);
        return undefined;
      case "reject":
        return this.#answers.reject(tag, verdict.plugin, verdict.rejection, entry);
      case "respond":
        return this.#answers.respond(tag, verdict.plugin, verdict.reply, event, entry);
    }
    return undefined;
  }
}

const NOTHING = new Uint8Array();

const IS_CONCLUDED_BY_SYNC = Uint8Array.from({ length: 256 }, (_, tag) => {
  const { parse, bind, describe, execute, close } = FRONTEND;
  return [parse, bind, describe, execute, close].some((one) => one === tag) ? 1 : 0;
});

/** What each message is answered as; those that are not in it are not answered. */
const ENTRY_OF: Readonly<Record<number, number>> = {
  [FRONTEND.query]: ENTRY.query,
  [FRONTEND.functionCall]: ENTRY.functionCall,
  [FRONTEND.sync]: ENTRY.sync,
  [FRONTEND.parse]: ENTRY.parse,
  [FRONTEND.bind]: ENTRY.bind,
  [FRONTEND.describe]: ENTRY.describe,
  [FRONTEND.execute]: ENTRY.execute,
  [FRONTEND.close]: ENTRY.close,
  [FRONTEND.copyDone]: ENTRY.copyEnd,
  [FRONTEND.copyFail]: ENTRY.copyEnd,
};
