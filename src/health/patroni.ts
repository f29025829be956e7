/**
 * Who is what in a group that Patroni manages, from its REST API: `GET /cluster` of one address
 * after the other, until one answers.
 *
 * Source: https://patroni.readthedocs.io/en/latest/rest_api.html#cluster-status-endpoint
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import { concat, textOf } from "../base/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { ManagedState } from "../upstream/health/group_health.ts";
import type { Member } from "../upstream/members.ts";

/** As the global `fetch`, for text addresses. */
export type PatroniFetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * How long the last answer holds when no more comes: Patroni's default `ttl`, after which a leader
 * that cannot renew its key is none any more.
 */
export const HELD_MS = 30_000;

/** An answer has some 300 bytes for each member. */
const ANSWER_SIZE_MAX = 1_048_576;

/** Shortest time between two rounds, in milliseconds, whatever the reason. */
const SPACING_MS = 100;

/** What a source works with. */
export interface PatroniOptions {
  /** Base addresses, without a slash at the end. Never empty. */
  readonly urls: readonly string[];
  /** Pause between the end of a round and the next, in milliseconds, asked for each time. */
  readonly intervalMs: () => number;
  /** For each address. */
  readonly timeoutMs: number;
  readonly members: readonly Member[];
  readonly clock: Clock;
  readonly fetch: PatroniFetch;
  /** What an answer says; undefined when the last one holds no more. */
  readonly onStates: (states: ReadonlyMap<Member, ManagedState> | undefined) => void;
  /** The leader is another one, and not among the members. */
  readonly onUnknownLeader: (address: string) => void;
  /** No address answers any more. @param heldMs How long the last answer still holds. */
  readonly onSilent: (error: string, heldMs: number) => void;
  readonly onForgotten: () => void;
  readonly onBack: () => void;
  /** A round of asking is over, whatever came of it. */
  readonly onRound: () => void;
}

/** One member as Patroni shows it; what is not as documented is undefined. */
interface Shown {
  readonly address: string;
  readonly role: string;
  readonly state: string;
  readonly timeline: number;
  readonly lag: number | undefined;
}

/** One group's. */
export class PatroniSource {
  readonly #options: PatroniOptions;
  #state: "idle" | "waiting" | "asking" | "stopped" = "idle";
  #timer: Timer | undefined;
  #beganMs = -SPACING_MS;
  /** Somebody wants another round when this one is over. */
  #isWanted = false;
  readonly #stopped = new AbortController();
  /** Which address answered last. */
  #preferred = 0;
  /** When it answered last; undefined before. */
  #answeredMs: number | undefined;
  #isSilent = false;
  #isForgotten = false;
  #unknownLeader = "";
  /** Whether a first round of asking is over. */
  hasBegun = false;

  constructor(options: PatroniOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#state === "idle") this.#wait(0);
  }

  /** Asks as soon as it may be. */
  askSoon(): void {
    if (this.#state === "asking") this.#isWanted = true;
    if (this.#state === "waiting") this.#wait(this.#spacing());
  }

  stop(): void {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#stopped.abort();
  }

  #spacing(): number {
    return Math.max(0, this.#beganMs + SPACING_MS - this.#options.clock.nowMs());
  }

  #wait(ms: number): void {
    this.#state = "waiting";
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, () => void this.#round());
  }

  /** Never throws. */
  async #round(): Promise<void> {
    const { clock, urls, intervalMs, onRound } = this.#options;
    this.#state = "asking";
    this.#isWanted = false;
    this.#beganMs = clock.nowMs();
    const problems: string[] = [];
    for (let tried = 0; tried < urls.length; tried++) {
      const index = (this.#preferred + tried) % urls.length;
      try {
        const shown = await this.#ask(urls[index]!);
        if (this.#isStopped()) return;
        this.#preferred = index;
        this.#onAnswer(shown);
        break;
      } catch (error) {
        if (this.#isStopped()) return;
        problems.push(`${urls[index]}: ${messageOf(error)}`);
      }
    }
    if (problems.length === urls.length) this.#onSilence(problems.join("; "));
    this.hasBegun = true;
    onRound();
    if (!this.#isStopped()) this.#wait(this.#isWanted ? this.#spacing() : intervalMs());
  }

  #isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** @throws {Error} If there is no answer that can be used. */
  async #ask(url: string): Promise<readonly Shown[]> {
    const { clock, fetch, timeoutMs } = this.#options;
    const timeout = new AbortController();
    const timer = clock.after(timeoutMs, () => timeout.abort());
    try {
      const signal = AbortSignal.any([timeout.signal, this.#stopped.signal]);
      const response = await fetch(`${url}/cluster`, { signal, redirect: "error" });
      if (!response.ok) {
        await response.body?.cancel();
        throw new Error(`it answers with status ${response.status}`);
      }
      return membersIn(await bodyOf(response));
    } catch (error) {
      if (timeout.signal.aborted) throw new Error(`no answer within ${timeoutMs} ms`);
      throw error;
    } finally {
      timer.cancel();
    }
  }

  #onAnswer(shown: readonly Shown[]): void {
    const { members, clock, onStates, onBack, onUnknownLeader } = this.#options;
    this.#answeredMs = clock.nowMs();
    if (this.#isSilent) onBack();
    this.#isSilent = false;
    this.#isForgotten = false;
    const states = new Map<Member, ManagedState>();
    let unknownLeader = "";
    for (const { address, role, state, timeline, lag } of shown) {
      const member = members.find((one) => addressText(one.address) === address);
      const isLeader = role === "leader" || role === "master";
      if (member === undefined) {
        if (isLeader) unknownLeader = address;
        continue;
      }
      if (!RUNNING.includes(state)) continue;
      states.set(member, { isLeader, timeline, lagSize: isLeader ? 0 : lag });
    }
    if (unknownLeader !== "" && unknownLeader !== this.#unknownLeader) {
      onUnknownLeader(unknownLeader);
    }
    this.#unknownLeader = unknownLeader;
    onStates(states);
  }

  #onSilence(error: string): void {
    const { clock, onSilent, onForgotten, onStates } = this.#options;
    const heldMs = this.#answeredMs === undefined
      ? 0
      : Math.max(0, this.#answeredMs + HELD_MS - clock.nowMs());
    if (!this.#isSilent) onSilent(error, Math.round(heldMs));
    this.#isSilent = true;
    if (heldMs > 0 || this.#isForgotten) return;
    this.#isForgotten = true;
    if (this.#answeredMs !== undefined) onForgotten();
    onStates(undefined);
  }
}

/** States of a member whose server serves. */
const RUNNING = ["running", "streaming", "in archive recovery"];

/** @throws {Error} If it is too long. */
async function bodyOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > ANSWER_SIZE_MAX) {
      throw new Error(`its answer has more than ${ANSWER_SIZE_MAX} bytes`);
    }
    parts.push(part);
  }
  return textOf(concat(...parts));
}

/** @throws {Error} If it is no answer of Patroni's. */
function membersIn(text: string): readonly Shown[] {
  const answer = fieldsOf(parsed(text));
  const { members } = answer;
  if (!Array.isArray(members)) throw new Error("its answer has no list of members");
  return members.map((member) => {
    const { host, port, role, state, timeline, lag } = fieldsOf(member);
    return {
      address: addressText({ kind: "tcp", host: String(host), port: Number(port) }),
      role: String(role),
      state: String(state),
      timeline: Number.isInteger(timeline) ? Number(timeline) : 0,
      lag: typeof lag === "number" && lag >= 0 ? lag : undefined, // or "unknown"
    };
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("its answer is no JSON");
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
