/**
 * Calls the hooks of one session: fills the worker's event, and has the chain run.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import type { HookChain } from "../../hooks/chain.ts";
import { FIELD, type HookEvent } from "../../hooks/event.ts";
import type { HookSwitch } from "../../hooks/hook_switch.ts";
import { HOOK } from "../../hooks/hooks.ts";
import type { Verdict } from "../../hooks/verdict.ts";
import { nameBytes } from "../wire/extended_messages.ts";
import { readBound } from "./bound_values.ts";
import type { Portal, QueryInfo } from "./client_state.ts";
import type { Entry } from "./entry.ts";
import type { Pipeline } from "./pipeline.ts";
import type { HookedFacts } from "./session_facts.ts";

/** In the place of a time that nobody asks for. */
export const NOT_MEASURED = -1;

/** One session's way to the hooks. */
export class HookCalls {
  readonly #hooks: HookSwitch;
  readonly #clock: Clock;
  readonly facts: HookedFacts;
  readonly pipeline: Pipeline;
  #query: QueryInfo | undefined;
  #portal: Pick<Portal, "name" | "bind"> | undefined;
  readonly #more = (field: number) => this.#makeField(field);

  constructor(
    hooks: HookSwitch,
    clock: Clock,
    facts: HookedFacts,
    pipeline: Pipeline,
  ) {
    this.#hooks = hooks;
    this.#clock = clock;
    this.facts = facts;
    this.pipeline = pipeline;
  }

  /** As it is now. */
  get chain(): HookChain {
    return this.#hooks.chain;
  }

  /** A copy of what is needed until it is answered. */
  remember(bytes: Uint8Array): Uint8Array {
    return this.#hooks.slab.copy(bytes);
  }

  /** The same of a query's text, unless nobody looks back: then it is good while a call runs. */
  keepText(text: Uint8Array): Uint8Array {
    return this.#hooks.chain.looksBack ? this.remember(text) : text;
  }

  /** When something begins, if anybody wants to know how long it takes. */
  get startMs(): number {
    const { wants } = this.#hooks.chain;
    const isMeasured = wants[HOOK.onQueryEnd] === 1 || wants[HOOK.onTransactionEnd] === 1;
    return isMeasured ? this.#clock.nowMs() : NOT_MEASURED;
  }

  wants(hook: number): boolean {
    return this.#hooks.chain.wants[hook] === 1;
  }

  /** An event of this session; what is not said here is to be set before it runs. */
  event(hook: number, can: number, payload: Uint8Array, messageType: number): HookEvent {
    const { event } = this.#hooks;
    event.clear(hook, this.facts);
    event.flags = can | this.facts.flags;
    event.payload = payload;
    event.messageType = messageType;
    event.transactionStatus = this.pipeline.status;
    return event;
  }

  run(event: HookEvent): Verdict {
    return this.#hooks.chain.run(event);
  }

  /** Tells of the query that an entry belongs to. */
  describeEntry(event: HookEvent, entry: Entry | undefined): void {
    if (entry === undefined) return;
    event.request = entry.request;
    this.describeQuery(event, entry.query);
    event.columns = entry.columns ?? entry.query?.columns;
    event.resultFormats = entry.resultFormats;
  }

  /** Tells of a query; a portal's values are those of the query that it runs. */
  describeQuery(
    event: HookEvent,
    query: QueryInfo | undefined,
    portal?: Pick<Portal, "name" | "bind">,
  ): void {
    this.#query = query;
    this.#portal = portal;
    event.more = this.#more;
    event.text = query?.text;
  }

  /** Good while the call runs that asks. */
  #makeField(field: number): Uint8Array | undefined {
    switch (field) {
      case FIELD.statementName:
        return this.#query === undefined ? undefined : nameBytes(this.#query.statementName);
      case FIELD.portalName:
        return this.#portal === undefined ? undefined : nameBytes(this.#portal.name);
      case FIELD.parameters:
      case FIELD.resultFormats: {
        const bind = this.#portal?.bind;
        const bound = bind === undefined ? undefined : readBound(bind);
        return field === FIELD.parameters ? bound?.parameters : bound?.resultFormats;
      }
    }
    return undefined;
  }

  /** How long something took that began then, in whole microseconds. */
  durationUs(startedMs: number): number {
    if (startedMs === NOT_MEASURED) return 0;
    return Math.max(0, Math.round((this.#clock.nowMs() - startedMs) * 1_000));
  }
}
