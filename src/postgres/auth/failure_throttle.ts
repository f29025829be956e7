/**
 * Makes guessing of passwords slow: who fails repeatedly waits longer each time, and is refused for
 * a while after too many failures.
 *
 * Failures are counted by address. IPv6 addresses count by their first 64 bits, which is the least
 * that anybody is given. A user who has logged in from an address is from then on counted alone
 * there, so that one program with an old password, or somebody who tries names behind the same
 * address, does not lock out those who know theirs. Only such a user's own failures count against
 * him, and every success takes half of them back: half, so that somebody who guesses the password
 * of a user who logs in all the time is slowed as well. Who has not logged in from the address yet
 * shares its fate, until the ban ends.
 *
 * One worker counts for itself. Logins that run at the same time are counted when they fail: ask
 * again before each password is looked at, and the number that is tried never exceeds the limit.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { parseIpAddress } from "../../base/ip_range.ts";

/** When and for how long. */
export interface FailureThrottleOptions {
  readonly clock: Clock;
  /** So many failures within the window are too many: 1 to 1,000, or 0 to count nothing. */
  readonly failuresMax: number;
  /** Failures count together for so long after the first of them. */
  readonly windowMs: number;
  /** So long is refused who failed too often; the count begins anew afterwards. */
  readonly banMs: number;
  /** Most addresses that are remembered, from 1 on, and most users at their addresses. */
  readonly addressesMax: number;
}

/** Whether a client may try to log in. */
export type ThrottleVerdict =
  /** It may, after waiting. */
  | { readonly kind: "allow"; readonly delayMs: number }
  | { readonly kind: "refuse"; readonly retryAfterMs: number };

/** More failures than this are no limit, and each is a step in the search for whom to forget. */
const FAILURES_LIMIT = 1000;

/** Wait after the first failure; it doubles with each. A typing error costs nobody's patience. */
const DELAY_FIRST_MS = 100;

/** Longest wait: a login has 10 seconds by default, and the honest one must fit in. */
const DELAY_MAX_MS = 5000;

const ALLOWED: ThrottleVerdict = { kind: "allow", delayMs: 0 };

interface Count {
  readonly failures: number;
  /** When the first of them was. */
  readonly sinceMs: number;
  /** 0 if there is no ban. */
  readonly bannedUntilMs: number;
}

/** A user at an address, and by what they are counted. */
interface Who {
  readonly address: string;
  readonly user: string;
  readonly place: string;
  readonly key: string;
}

const NO_FAILURES: Count = { failures: 0, sinceMs: 0, bannedUntilMs: 0 };

/** Counts failures, and says what follows from them. */
export class FailureThrottle {
  readonly #options: FailureThrottleOptions;
  /** By address. */
  readonly #addresses: CountTable;
  /** By address and user, of those who have logged in; the least recently successful goes first. */
  readonly #users = new Map<string, Count>();
  /** Who was asked for last. */
  #last: Who = { address: "", user: "", place: "", key: "\0" };
  /** The last one of those who have logged in. */
  #lastSuccess: string | undefined;

  /** Nobody has failed yet. */
  constructor(options: FailureThrottleOptions) {
    assert(options.failuresMax <= FAILURES_LIMIT, "failuresMax is at most 1000");
    assert(options.addressesMax >= 1, "there is room for an address");
    this.#options = options;
    this.#addresses = new CountTable(options.addressesMax, options.failuresMax);
  }

  /** How many counts are kept: at most twice `addressesMax`. */
  get size(): number {
    return this.#addresses.size + this.#users.size;
  }

  /**
   * Whether somebody may try. It counts nothing, so it may be asked as often as you like.
   *
   * @param address The peer's IP address; any other text is compared as it is.
   */
  check(address: string, user: string): ThrottleVerdict {
    const nowMs = this.#options.clock.nowMs();
    const { place, key } = this.#who(address, user);
    const own = this.#users.get(key);
    const count = own ?? this.#addresses.get(place);
    if (count === undefined || this.#isOver(count, nowMs) || count.failures === 0) return ALLOWED;
    if (count.bannedUntilMs > nowMs) {
      return { kind: "refuse", retryAfterMs: Math.ceil(count.bannedUntilMs - nowMs) };
    }
    const delayMs = Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** (count.failures - 1));
    return { kind: "allow", delayMs };
  }

  /** Somebody has failed to log in: a wrong password, or a certificate for somebody else. */
  onFailure(address: string, user: string): void {
    if (this.#options.failuresMax === 0) return;
    const nowMs = this.#options.clock.nowMs();
    const { place, key } = this.#who(address, user);
    const own = this.#users.get(key);
    if (own !== undefined) {
      this.#users.set(key, this.#withFailure(own, nowMs)); // keeps its place in the queue
      return;
    }
    const count = this.#withFailure(this.#addresses.get(place) ?? NO_FAILURES, nowMs);
    this.#addresses.set(place, count, (other) => this.#isOver(other, nowMs));
  }

  /** Somebody has logged in: counted alone from now on, with half of his own failures. */
  onSuccess(address: string, user: string): void {
    if (this.#options.failuresMax === 0) return;
    const { key } = this.#who(address, user);
    const own = this.#users.get(key) ?? NO_FAILURES;
    if (own.failures === 0 && key === this.#lastSuccess) return;
    this.#lastSuccess = key;
    this.#users.delete(key);
    this.#users.set(key, { ...own, failures: Math.floor(own.failures / 2) });
    if (this.#users.size > this.#options.addressesMax) {
      this.#users.delete(this.#users.keys().next().value!);
    }
  }

  /** Most clients are of one application: who came last comes again. */
  #who(address: string, user: string): Who {
    if (this.#last.address === address && this.#last.user === user) return this.#last;
    const place = placeOf(address);
    return this.#last = { address, user, place, key: `${place}\0${user}` };
  }

  #withFailure(count: Count, nowMs: number): Count {
    const { failuresMax, banMs } = this.#options;
    const isNew = count.failures === 0 || this.#isOver(count, nowMs);
    // Logins that began before the ban may fail during it: they neither lengthen nor shorten it.
    if (!isNew && count.bannedUntilMs > 0) return count;
    const failures = isNew ? 1 : count.failures + 1;
    return {
      failures,
      sinceMs: isNew ? nowMs : count.sinceMs,
      bannedUntilMs: failures >= failuresMax ? nowMs + banMs : 0,
    };
  }

  #isOver(count: Count, nowMs: number): boolean {
    return count.bannedUntilMs > 0
      ? nowMs >= count.bannedUntilMs
      : nowMs - count.sinceMs >= this.#options.windowMs;
  }
}

/**
 * A bounded table of counts. When it is full it forgets what is over, else whoever has failed the
 * least: to make it forget a ban, an attacker needs as many failures from every other address in
 * the table.
 */
class CountTable {
  readonly #sizeMax: number;
  readonly #counts = new Map<string, Count>();
  /** Addresses by their number of failures, the longest known first. */
  readonly #levels: readonly Set<string>[];

  constructor(sizeMax: number, failuresMax: number) {
    this.#sizeMax = sizeMax;
    this.#levels = Array.from({ length: failuresMax + 1 }, () => new Set());
  }

  get size(): number {
    return this.#counts.size;
  }

  get(place: string): Count | undefined {
    return this.#counts.get(place);
  }

  set(place: string, count: Count, isOver: (count: Count) => boolean): void {
    const before = this.#counts.get(place);
    if (before !== undefined) this.#levels[before.failures]!.delete(place);
    else if (this.#counts.size >= this.#sizeMax) this.#forgetOne(isOver);
    this.#counts.set(place, count);
    this.#levels[count.failures]!.add(place);
  }

  #forgetOne(isOver: (count: Count) => boolean): void {
    const oldest = this.#levels.flatMap((level) => [...level.values().take(1)]);
    const place = oldest.find((candidate) => isOver(this.#counts.get(candidate)!)) ?? oldest[0]!;
    this.#levels[this.#counts.get(place)!.failures]!.delete(place);
    this.#counts.delete(place);
  }
}

/** What of an address counts: all of an IPv4 address, half of an IPv6 one. */
function placeOf(address: string): string {
  const words = parseIpAddress(address.includes("%") ? address.replace(/%.*$/s, "") : address);
  if (words === undefined) return address;
  return words.length === 1 ? String(words[0]) : `${words[0]}.${words[1]}`;
}
