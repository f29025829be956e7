/**
 * When one server is checked: again and again, with a pause between two checks, and sooner when
 * somebody has a reason. There is one check at a time; one that hangs delays nobody else's.
 *
 * @module
 */

import type { Clock, Timer } from "../../base/clock.ts";
import type { CheckResult, Probe } from "./check.ts";

/** Shortest time between the beginnings of two checks, in milliseconds, whatever the reason. */
const SPACING_MS = 100;

/** What a watch works with. */
export interface MemberWatchOptions {
  readonly clock: Clock;
  /** Pause between the end of a check and the next one, in milliseconds, asked for each time. */
  readonly intervalMs: () => number;
  readonly probe: Probe;
  /** A check begins. @returns The round that it belongs to, if it belongs to one. */
  readonly onBegin: () => number | undefined;
  /** It has ended. @param tookMs How long it took, in milliseconds. */
  readonly onResult: (result: CheckResult, round: number | undefined, tookMs: number) => void;
}

/** One server's. */
export class MemberWatch {
  readonly #options: MemberWatchOptions;
  #state: "idle" | "waiting" | "checking" | "stopped" = "idle";
  #timer: Timer | undefined;
  #beganMs = -SPACING_MS;
  /** Somebody wants another check when this one is over. */
  #isWanted = false;

  constructor(options: MemberWatchOptions) {
    this.#options = options;
  }

  /** Begins with a check. */
  start(): void {
    if (this.#state === "idle") this.#wait(0);
  }

  /** Checks as soon as it may be; if a check is under way, once more after it. */
  checkSoon(): void {
    if (this.#state === "checking") this.#isWanted = true;
    if (this.#state === "waiting") this.#wait(this.#spacing());
  }

  /**
   * Moves the next check to `inMs` from now, earlier or later, if none is under way; but the pause
   * since the last one began stays between a half and one and a half of `paceMs`.
   */
  moveTo(inMs: number, paceMs: number): void {
    if (this.#state !== "waiting") return;
    const ageMs = this.#options.clock.nowMs() - this.#beganMs;
    const pauseMs = Math.min(Math.max(ageMs + inMs, paceMs / 2), paceMs * 1.5);
    this.#wait(Math.max(0, pauseMs - ageMs, this.#spacing()));
  }

  stop(): void {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#options.probe.close();
  }

  #isChecking(): boolean {
    return this.#state === "checking";
  }

  #spacing(): number {
    return Math.max(0, this.#beganMs + SPACING_MS - this.#options.clock.nowMs());
  }

  #wait(ms: number): void {
    this.#state = "waiting";
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, () => this.#check());
  }

  #check(): void {
    const { clock, probe, onBegin, onResult, intervalMs } = this.#options;
    this.#state = "checking";
    this.#isWanted = false;
    const beganMs = clock.nowMs();
    this.#beganMs = beganMs;
    const round = onBegin();
    probe.check((result) => {
      if (this.#state !== "checking") return;
      onResult(result, round, clock.nowMs() - beganMs);
      // Whoever was told may have stopped it.
      if (this.#isChecking()) this.#wait(this.#isWanted ? this.#spacing() : intervalMs());
    });
  }
}
