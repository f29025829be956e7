/**
 * What plugins see and do in one raw session: its beginning and its end, and what passes, in the
 * pieces in which it comes. There are no messages to speak of, so a piece has no type, and nothing
 * can be answered in the server's place.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import { LateMap } from "../base/late_collections.ts";
import { FIELD, IS, type SessionFacts } from "../hooks/event.ts";
import type { HookSwitch } from "../hooks/hook_switch.ts";
import { CAN, HOOK, HOOKS } from "../hooks/hooks.ts";
import { FORWARD, type Verdict } from "../hooks/verdict.ts";

/** What can be asked for of something that passes; the hooks themselves know of more. */
const CAN_OF_PIECE = CAN.replace | CAN.close;

const NOTHING = new Uint8Array();

/** A plugin wants the session to end. */
export interface ClosedBy {
  readonly plugin: string;
}

/** What the hooks of one session work with. */
export interface SessionHooksParts {
  readonly hooks: HookSwitch;
  readonly number: number;
  readonly listener: string;
  readonly peer: string;
  /** What a plugin wants cannot be done, and the session goes on. */
  readonly onIgnored: (plugin: string, message: string) => void;
}

/** The hooks of one session. */
export class SessionHooks implements SessionFacts {
  readonly #parts: SessionHooksParts;
  readonly values = new LateMap<string, Uint8Array>();
  #place: { readonly proxy: string; readonly server: string } | undefined;
  /** `IS.tls`, or 0. */
  #traits = 0;
  #delayMs = 0;

  constructor(parts: SessionHooksParts) {
    this.#parts = parts;
  }

  // What plugins are told of the session ----------------------------------------------------------

  get number(): number {
    return this.#parts.number;
  }

  field(field: number): Uint8Array | undefined {
    switch (field) {
      case FIELD.listener:
        return utf8(this.#parts.listener);
      case FIELD.clientAddress:
        return utf8(this.#parts.peer);
      case FIELD.proxy:
        return this.#place === undefined ? undefined : utf8(this.#place.proxy);
      case FIELD.serverAddress:
        return this.#place === undefined ? undefined : utf8(this.#place.server);
    }
    return undefined;
  }

  /** A raw protocol has none. */
  parameter(): undefined {
    return undefined;
  }

  // The session's own hooks -----------------------------------------------------------------------

  /** @returns Who does not want the client, if anybody. */
  onOpening(): ClosedBy | undefined {
    const verdict = this.#run(HOOK.onOpening, NOTHING, CAN.close);
    return verdict.kind === "close" ? verdict : undefined;
  }

  /** The client has agreed on TLS. */
  onSecured(): void {
    this.#traits |= IS.tls;
  }

  /** The server is reached: bytes pass from now on. */
  onOpened(place: { readonly proxy: string; readonly server: string }): void {
    this.#place = place;
    this.#run(HOOK.onOpened, NOTHING, 0);
    this.#run(HOOK.onTraffic, NOTHING, 0);
  }

  onClosing(reason: string): void {
    this.#run(HOOK.onClosing, NOTHING, 0, reason);
  }

  onClosed(reason: string, durationMs: number): void {
    this.#run(HOOK.onClosed, NOTHING, 0, reason, durationMs);
  }

  // What passes -----------------------------------------------------------------------------------

  /** @returns What the server gets instead, or who ends the session. */
  onClientData(view: Uint8Array): Uint8Array | ClosedBy {
    return this.#pass(HOOK.onTrafficFromClient, HOOK.onTrafficToServer, view);
  }

  /** @returns What the client gets instead, or who ends the session. */
  onServerData(view: Uint8Array): Uint8Array | ClosedBy {
    return this.#pass(HOOK.onTrafficFromServer, HOOK.onTrafficToClient, view);
  }

  /** How long policies hold back what {@linkcode onClientData} gave last, in milliseconds. */
  get delayMs(): number {
    return this.#delayMs;
  }

  #pass(from: number, to: number, view: Uint8Array): Uint8Array | ClosedBy {
    this.#delayMs = 0;
    if (!this.#wants(from) && !this.#wants(to)) return view;
    const verdict = this.#run(from, view, CAN_OF_PIECE);
    if (verdict.kind === "close") return verdict;
    const { event } = this.#parts.hooks;
    const bytes = this.#wants(from) ? event.payload : view;
    if (this.#wants(from)) this.#delayMs = event.delayMs;
    if (bytes.length > 0) this.#run(to, bytes, 0);
    return bytes;
  }

  #wants(hook: number): boolean {
    return this.#parts.hooks.chain.wants[hook] === 1;
  }

  /** @returns forward, replace or close; what else is asked for is told to be ignored. */
  #run(hook: number, payload: Uint8Array, can: number, message?: string, durationMs = 0): Verdict {
    if (!this.#wants(hook)) return FORWARD;
    const { chain, event } = this.#parts.hooks;
    event.clear(hook, this);
    event.flags = can | this.#traits;
    event.payload = payload;
    event.durationUs = Math.round(durationMs * 1_000);
    if (message !== undefined) event.fields.set(FIELD.message, utf8(message));
    const verdict = chain.run(event);
    const { kind } = verdict;
    if (kind === "forward" || (CAN[kind] & can) !== 0) return verdict;
    if (kind !== "replace") {
      const { name } = HOOKS[hook - 1]!;
      this.#parts.onIgnored(verdict.plugin, `${kind} is not possible at ${name} of a raw session`);
    }
    return FORWARD;
  }
}
