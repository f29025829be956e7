/**
 * Who is called at which hook, in which order, and what comes of it.
 *
 * - Subscribers are called by priority, lower numbers first; those of one priority by name.
 * - What one puts in the payload's place is what the next one sees; of a query, as its text, too.
 * - respond, reject and close end the chain: those behind are not called. After a route the chain
 *   goes on, and the last route counts.
 *
 * @module
 */

import type { HookEvent } from "./event.ts";
import { HOOK, type HookName, HOOKS } from "./hooks.ts";
import { FORWARD, type Verdict } from "./verdict.ts";

/** Hooks that messages have to be looked at for. */
const TRAFFIC_HOOKS: readonly HookName[] = [
  "onTrafficFromClient",
  "onTrafficToServer",
  "onTrafficFromServer",
  "onTrafficToClient",
  "onQuery",
  "onRow",
  "onError",
  "onQueryEnd",
  "onTransactionEnd",
];

/** One plugin in one worker. */
export interface Subscriber {
  readonly name: string;
  /** Lower is earlier. */
  readonly priority: number;
  /** Numbers of the hooks that it wants to be called for. */
  readonly hooks: readonly number[];
  /**
   * Whether a hook is to be called for messages of a type.
   *
   * @returns 256 bytes, 1 for each type that it wants: all, but for the hooks of messages. Type 0
   * is whatever has none, such as the bytes of another protocol.
   */
  messageTypes(hook: number): Uint8Array;
  /** Whether it may give the verdict respond. */
  readonly mayRespond: boolean;
  /** Never throws: what fails is counted there, and follows the plugin's policy. */
  call(event: HookEvent): Verdict;
}

/** One who is called at a hook, and for which types of messages. */
interface Place {
  readonly subscriber: Subscriber;
  readonly types: Uint8Array;
}

/** All subscribers of one worker, as they are now. Replaced as a whole between two messages. */
export class HookChain {
  /** By a hook's number. */
  readonly #places: readonly (readonly Place[])[];
  /** By a hook's number: 256 bytes, 1 for each type of message that somebody wants. */
  readonly #types: readonly (Uint8Array | undefined)[];
  /** By a hook's number: whether anybody wants it. */
  readonly wants: Uint8Array;
  /** Whether anybody wants to know what passes in sessions. */
  readonly wantsTraffic: boolean;
  /** Whether anybody is told, of what comes later, which query it belongs to. */
  readonly looksBack: boolean;
  /** Whether nobody wants more of what passes in sessions than to be asked about queries. */
  readonly onlyAsks: boolean;
  /** Whether anybody could answer a query in a server's place. */
  readonly mayRespond: boolean;

  constructor(subscribers: readonly Subscriber[]) {
    const inOrder = subscribers.toSorted((a, b) =>
      a.priority - b.priority || compare(a.name, b.name)
    );
    const numbers = [0, ...HOOKS.map(({ number }) => number)];
    this.#places = numbers.map((hook) =>
      inOrder.filter((one) => one.hooks.includes(hook))
        .map((subscriber) => ({ subscriber, types: subscriber.messageTypes(hook) }))
    );
    this.wants = Uint8Array.from(this.#places, ({ length }) => length > 0 ? 1 : 0);
    this.wantsTraffic = TRAFFIC_HOOKS.some((name) => this.wants[HOOK[name]] === 1);
    this.looksBack = TRAFFIC_HOOKS.some((name) => {
      return name !== "onQuery" && name !== "onTrafficFromClient" && this.wants[HOOK[name]] === 1;
    });
    this.onlyAsks = this.wants[HOOK.onQuery] === 1 && !this.looksBack &&
      this.wants[HOOK.onTrafficFromClient] === 0;
    this.mayRespond = this.#places[HOOK.onQuery]!.some(({ subscriber }) => subscriber.mayRespond);
    this.#types = this.#places.map((those) =>
      those.length === 0 ? undefined : union(those.map(({ types }) => types))
    );
  }

  /** Whether anybody wants messages of a type at a hook of messages. */
  wantsType(hook: number, messageType: number): boolean {
    return this.#types[hook]?.[messageType] === 1;
  }

  /** Who wants a hook, in the order of their calls. */
  subscribersOf(hook: number): readonly Subscriber[] {
    return this.#places[hook]!.map(({ subscriber }) => subscriber);
  }

  /** Calls all who want the event. Its payload is, afterwards, what it was replaced with. */
  run(event: HookEvent): Verdict {
    const { hook, messageType } = event;
    let result = FORWARD;
    for (const { subscriber, types } of this.#places[hook]!) {
      if (types[messageType] !== 1) continue;
      const verdict = subscriber.call(event);
      switch (verdict.kind) {
        case "forward":
          break;
        case "replace":
          event.payload = verdict.bytes;
          if (hook === HOOK.onQuery) event.text = verdict.bytes;
          if (result.kind !== "route") result = verdict;
          break;
        case "route":
          result = verdict;
          break;
        default:
          return verdict;
      }
    }
    return result;
  }
}

/** Nobody wants anything. */
export const NO_HOOKS = new HookChain([]);

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function union(tables: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(256);
  for (const table of tables) {
    for (let type = 0; type < 256; type++) all[type]! |= table[type]!;
  }
  return all;
}
