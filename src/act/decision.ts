/**
 * What all policies that matched together make of the plugin's verdict. The strongest counts, in
 * whatever order they came:
 *
 * 1. reject and terminate: the first of them. A terminate leaves an end that the plugin made.
 * 2. respond, reject and close of the plugin.
 * 3. route: the first.
 * 4. delay: the longest.
 *
 * What the plugin put in the payload's place stays there in any case.
 *
 * @module
 */

import type { HookEvent } from "../hooks/event.ts";
import { CAN, HOOK } from "../hooks/hooks.ts";
import type { Rejection, Verdict } from "../hooks/verdict.ts";
import type { RefusalOptions } from "./options.ts";

/** Longest time that policies hold back a request, in milliseconds. */
export const DELAY_MAX_MS = 60_000;

/** Hooks at which sessions look at an event's delay: what clients send waits, nothing else does. */
const HELD_BACK: readonly number[] = [HOOK.onQuery, HOOK.onTrafficFromClient];

/** What something is refused with when nobody says more. */
const REFUSALS = {
  // syntax_error_or_access_rule_violation, and the text: as GatewayD's action terminate has it.
  terminate: { sqlState: "42000", message: "Request terminated" },
  // insufficient_privilege: as a plugin's own verdict reject has it.
  reject: { sqlState: "42501", message: "Request rejected by a policy" },
  // configuration_limit_exceeded.
  "rate-limit": { sqlState: "53400", message: "Too many requests" },
} as const;

/** Why something is refused. */
export type RefusalKind = keyof typeof REFUSALS;

/** Returns what the client is told. */
function rejectionOf(kind: RefusalKind, options?: RefusalOptions): Rejection {
  const { sqlState, message } = REFUSALS[kind];
  return {
    sqlState: options?.sqlState || sqlState,
    message: options?.message || message,
    hint: options?.hint ?? "",
  };
}

/** Who asked for something, and what. */
interface Asked<What> {
  /** Number of the policy. */
  readonly policy: number;
  readonly what: What;
}

/** An end of a request. */
interface Ending {
  readonly rejection: Rejection;
  /** Whether an end that the plugin made itself goes before it. */
  readonly yields: boolean;
}

/** What the policies want of one call. */
export class Decision {
  #ending: Asked<Ending> | undefined;
  #route: Asked<string> | undefined;
  #delay: Asked<number> | undefined;

  /** Whether the request is to be ended. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Ends the request. */
  end(policy: number, kind: RefusalKind, options?: RefusalOptions): void {
    const what = { rejection: rejectionOf(kind, options), yields: kind === "terminate" };
    this.#ending ??= { policy, what };
  }

  /** Sends it to another proxy. */
  route(policy: number, proxy: string): void {
    this.#route ??= { policy, what: proxy };
  }

  /** Holds it back. */
  delay(policy: number, ms: number): void {
    if (this.#delay === undefined || ms > this.#delay.what) this.#delay = { policy, what: ms };
  }

  /**
   * Returns what becomes of the plugin's verdict, and sets the event's delay.
   *
   * @param onImpossible Gets the number of each policy whose action the hook cannot do.
   */
  verdict(
    plugin: string,
    event: HookEvent,
    verdict: Verdict,
    onImpossible: (policy: number) => void,
  ): Verdict {
    const { kind } = verdict;
    const isEnded = kind === "respond" || kind === "reject" || kind === "close";
    if (this.#ending !== undefined) {
      const { policy, what: { rejection, yields } } = this.#ending;
      if (isEnded && yields) return verdict;
      if ((event.flags & CAN.reject) !== 0) return { kind: "reject", rejection, plugin };
      if ((event.flags & CAN.close) !== 0) return { kind: "close", plugin };
      onImpossible(policy);
    }
    if (isEnded) return verdict;
    this.#holdBack(event, onImpossible);
    return this.#routed(plugin, event, verdict, onImpossible);
  }

  #holdBack(event: HookEvent, onImpossible: (policy: number) => void): void {
    if (this.#delay === undefined) return;
    const { policy, what } = this.#delay;
    if (!HELD_BACK.includes(event.hook)) onImpossible(policy);
    else event.delayMs = Math.min(DELAY_MAX_MS, Math.max(event.delayMs, what));
  }

  #routed(
    plugin: string,
    event: HookEvent,
    verdict: Verdict,
    onImpossible: (policy: number) => void,
  ): Verdict {
    if (this.#route === undefined) return verdict;
    const { policy, what: proxy } = this.#route;
    if ((event.flags & CAN.route) === 0) {
      onImpossible(policy);
      return verdict;
    }
    // A route has no payload of its own: what the plugin put in its place goes along.
    if (verdict.kind === "replace") event.payload = verdict.bytes;
    return { kind: "route", proxy, plugin };
  }
}
