/**
 * Plugins written in TypeScript, for tests of what sessions do with their verdicts.
 *
 * @module
 */

import { HookChain, type Subscriber } from "../../src/hooks/chain.ts";
import { FIELD, type HookEvent, PHASE } from "../../src/hooks/event.ts";
import type { HookSwitch } from "../../src/hooks/hook_switch.ts";
import { CAN, HOOK, type HookName, HOOKS } from "../../src/hooks/hooks.ts";
import { FORWARD, type Verdict } from "../../src/hooks/verdict.ts";

/** What may differ from one subscriber to another. */
export interface SubscriberOptions {
  readonly name?: string;
  readonly priority?: number;
  readonly mayRespond?: boolean;
  /** Types of messages that it wants to see; all if it is left out. */
  readonly types?: string;
}

/** What a subscriber does at its hooks; what it has no function for is not subscribed to. */
export type Handlers = Partial<Record<HookName, (event: HookEvent) => Verdict | void>>;

/** A plugin with these hooks. */
export function subscriber(handlers: Handlers, options: SubscriberOptions = {}): Subscriber {
  const { name = "p", priority = 100, mayRespond = true, types } = options;
  const table = new Uint8Array(256).fill(types === undefined ? 1 : 0);
  for (const type of types ?? "") table[type.charCodeAt(0)] = 1;
  const all = new Uint8Array(256).fill(1);
  const hooks = (Object.keys(handlers) as HookName[]).map((hook) => HOOK[hook]);
  return {
    name,
    priority,
    hooks,
    mayRespond,
    messageTypes: (hook) => HOOKS[hook - 1]!.name.startsWith("onTraffic") ? table : all,
    call(event) {
      return handlers[HOOKS[event.hook - 1]!.name]!(event) ?? FORWARD;
    },
  };
}

/** Has all sessions call these hooks from now on. */
export function plug(
  hooks: HookSwitch,
  handlers: Handlers,
  options: SubscriberOptions = {},
): void {
  hooks.chain = new HookChain([subscriber(handlers, options)]);
}

/** One field of an event as text; undefined if it is absent. */
export function text(event: HookEvent, field: keyof typeof FIELD): string | undefined {
  const bytes = event.field(FIELD[field]);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Whether a verdict is possible. */
export function can(event: HookEvent, verdict: keyof typeof CAN): boolean {
  return (event.flags & CAN[verdict]) !== 0;
}

/** Whether it is time to answer: a query is about to run. */
export function runs(event: HookEvent): boolean {
  return event.phase === PHASE.simple || event.phase === PHASE.execute;
}

/** An error with the SQLSTATE 42501. */
export function rejects(message: string): Verdict {
  return { kind: "reject", plugin: "p", rejection: { sqlState: "42501", message, hint: "" } };
}

/** Ends the session. */
export const CLOSES: Verdict = { kind: "close", plugin: "p" };

/** One column of type text, and a row for each value. */
export function answers(...values: readonly string[]): Verdict {
  const rows = values.map((value) => [new TextEncoder().encode(value)]);
  const columns = [{ name: "c", typeOid: 25 }];
  return { kind: "respond", plugin: "p", reply: { kind: "result", columns, rows, tag: undefined } };
}

/** Messages that a server might have sent. */
export function replays(bytes: Uint8Array): Verdict {
  return { kind: "respond", plugin: "p", reply: { kind: "messages", bytes } };
}

/** Puts this in the payload's place. */
export function replaces(bytes: Uint8Array | string): Verdict {
  return {
    kind: "replace",
    bytes: typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes,
  };
}

/** Has the next transaction run elsewhere. */
export function routes(proxy: string): Verdict {
  return { kind: "route", proxy, plugin: "p" };
}
