/**
 * What plugins want done with messages of a client, as far as it is possible.
 *
 * @module
 */

import { type Capture, type HookEvent, IS, PHASE } from "../../hooks/event.ts";
import { CAN, HOOK } from "../../hooks/hooks.ts";
import { FORWARD, type Verdict } from "../../hooks/verdict.ts";
import { FRONTEND, STATUS_FAILED } from "../wire/tags.ts";
import { CAN_BE } from "./client_kinds.ts";
import { ENTRY, type Entry } from "./entry.ts";
import type { HookCalls } from "./hook_calls.ts";
import type { LocalAnswers } from "./local_answers.ts";
import type { Pipeline } from "./pipeline.ts";
import { countMessages } from "./replacement.ts";
import { ReplyCapture } from "./reply_capture.ts";

/** What becomes of a message. */
export type Decision =
  | { readonly kind: "pass" }
  | { readonly kind: "replace"; readonly bytes: Uint8Array }
  | { readonly kind: "drop" }
  /** It is dropped, and all that was kept back with it; something else goes out, if anything. */
  | { readonly kind: "retract"; readonly bytes?: Uint8Array };

const DROP: Decision = { kind: "drop" };

/** The reply that a plugin wants to have. */
export interface Captured {
  readonly sizeMax: number;
  readonly onDone: (messages: Uint8Array) => void;
}

/** What plugins have said when they were asked about something that may come alone. */
export interface Said {
  readonly verdict: Verdict;
  readonly delayMs: number;
  /** What is in the text's place. */
  readonly payload: Uint8Array | undefined;
  readonly captured: readonly Captured[];
}

/** What is asked of the session. */
export interface ClientMessagesOwner {
  close(plugin: string): void;
  /** A plugin's result cannot be used. */
  refuse(why: string): void;
  /** True once nothing more is passed on. */
  isOver(): boolean;
  /** Whether the next query can be sent elsewhere. */
  canRoute(): boolean;
  /** Sends it there; undefined takes that back. */
  route(proxy: string | undefined, plugin: string): void;
  /** A plugin wants what cannot be now. */
  ignore(plugin: string, why: string): void;
}

/** One session's questions to plugins. */
export class ClientVerdicts {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #answers: LocalAnswers;
  readonly #owner: ClientMessagesOwner;
  #delayMs = 0;
  /** What comes next goes to a proxy that a plugin chose. */
  #isRouted = false;
  #capturing: Entry | undefined;
  /** What has been said of what comes next; undefined is that it may pass as it is. */
  #said: (Said | undefined)[] = [];
  readonly #capture: Capture = (sizeMax, onDone) => this.#startCapture(sizeMax, onDone);

  constructor(calls: HookCalls, answers: LocalAnswers, owner: ClientMessagesOwner) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#answers = answers;
    this.#owner = owner;
  }

  /** How long what was decided last has to wait, in milliseconds. */
  takeDelay(): number {
    const delayMs = this.#delayMs;
    this.#delayMs = 0;
    return delayMs;
  }

  /** What was asked about goes to a server: a route has been taken. */
  onPassed(): void {
    this.#isRouted = false;
  }

  /** Whether a transaction is known to have failed: only the server says what that means. */
  get isFailed(): boolean {
    return this.#pipeline.isSettled && this.#pipeline.status === STATUS_FAILED;
  }

  /** The event of a message as the client has sent it. */
  trafficEvent(tag: number, message: Uint8Array): HookEvent {
    const isOpen = this.#answers.unit !== undefined || !this.#answers.canAnswerQuery;
    const canRespond = tag === FRONTEND.query && !isOpen && !this.isFailed;
    const can = (CAN_BE[tag] ?? CAN.close) | (canRespond ? CAN.respond : 0);
    const event = this.#calls.event(HOOK.onTrafficFromClient, can, message, tag);
    event.request = this.#pipeline.nextRequest;
    return event;
  }

  /** The event of a query, which may be answered. */
  queryEvent(can: number, text: Uint8Array, phase: number, entry: Entry): HookEvent {
    const { isSettled } = this.#pipeline;
    const route = isSettled && this.#owner.canRoute() ? CAN.route : 0;
    const possible = this.isFailed ? can & ~CAN.respond : can;
    const event = this.#calls.event(HOOK.onQuery, possible | route, text, 0);
    if (!isSettled || this.#answers.hasExecuted) event.flags |= IS.pipelined;
    event.phase = phase;
    event.request = entry.request;
    if (phase === PHASE.parse) return event;
    this.#capturing = entry;
    event.capture = this.#capture;
    return event;
  }

  /** The event of a query that comes alone: see `LoneRequests`. */
  loneEvent(can: number, text: Uint8Array, phase: number, request: number): HookEvent {
    const route = this.#owner.canRoute() ? CAN.route : 0;
    const possible = this.#pipeline.status === STATUS_FAILED ? can & ~CAN.respond : can;
    const event = this.#calls.event(HOOK.onQuery, possible | route, text, 0);
    event.phase = phase;
    event.request = request;
    return event;
  }

  /** Plugins have said this of what is decided next: they are not asked again. @returns False. */
  expect(said: (Said | undefined)[]): false {
    this.#said = said;
    return false;
  }

  /** All that came has been decided. */
  onViewEnd(): void {
    if (this.#said.length > 0) this.#said = [];
  }

  /** Asks plugins, unless they have been asked. */
  #run(event: HookEvent): Verdict {
    if (this.#said.length === 0) return this.#calls.run(event);
    const said = this.#said.shift();
    if (said === undefined) return FORWARD;
    event.delayMs = said.delayMs;
    if (said.payload !== undefined) event.payload = event.text = said.payload;
    for (const { sizeMax, onDone } of said.captured) this.#startCapture(sizeMax, onDone);
    return said.verdict;
  }

  #startCapture(sizeMax: number, onDone: (messages: Uint8Array) => void): boolean {
    const entry = this.#capturing;
    if (entry === undefined) return false;
    const { unit } = this.#answers;
    // A server that has its Bind may have taken its snapshot: nobody knows before what else.
    if (entry.kind === ENTRY.execute && unit?.bind === undefined) return false;
    entry.capture = new ReplyCapture(sizeMax, onDone, entry.capture);
    if (unit?.describe !== undefined) unit.describe.capture = entry.capture;
    return true;
  }

  /** @returns What is in a message's place, behind {@linkcode ClientVerdicts.ask}. */
  replacement(event: HookEvent, tag: number, message: Uint8Array): Uint8Array {
    const { payload } = event;
    if ((event.flags & CAN.replace) === 0) return message;
    if (payload === message || countMessages(payload, tag) === 1) return payload;
    const type = String.fromCharCode(tag);
    this.#owner.refuse(`what a plugin puts in the place of a message of type "${type}" is none`);
    return message;
  }

  /** @returns What becomes of the message, or undefined if it goes its way. */
  ask(
    event: HookEvent,
    tag: number,
    entry: Entry | undefined,
    onReject = () => {},
  ): Decision | undefined {
    return this.#follow(this.#run(event), event, tag, entry, onReject);
  }

  #follow(
    verdict: Verdict,
    event: HookEvent,
    tag: number,
    entry: Entry | undefined,
    onReject = () => {},
  ): Decision | undefined {
    this.#capturing = undefined;
    this.#delayMs = Math.max(this.#delayMs, event.delayMs);
    const { kind } = verdict;
    if (kind === "forward" || kind === "replace") return undefined;
    if (kind === "close") {
      this.#owner.close(verdict.plugin);
      return DROP;
    }
    if ((event.flags & CAN[kind]) === 0) {
      this.#owner.ignore(verdict.plugin, `the verdict ${kind} is not possible now`);
      return undefined;
    }
    if (kind === "route") {
      this.#isRouted = true;
      this.#owner.route(verdict.proxy, verdict.plugin);
      return undefined;
    }
    if (kind === "reject") onReject();
    const decision = kind === "reject"
      ? this.#answers.reject(tag, verdict.plugin, verdict.rejection, entry)
      : this.#answers.respond(tag, verdict.plugin, verdict.reply, event, entry);
    if (this.#isRouted && decision !== undefined) {
      this.#isRouted = false;
      this.#owner.route(undefined, verdict.plugin);
    }
    return decision;
  }
}
