/**
 * A worker's observer: each fact is counted, and logged if it is to be, within a limit.
 *
 * @module
 */

import { NumberMap } from "../base/number_map.ts";
import type { WorkerCounters } from "./counters.ts";
import { FactCounter } from "./fact_counter.ts";
import { levelOf, recordOf, type SessionContext } from "./fact_log.ts";
import type { Fact, Observer } from "./facts.ts";
import { LimitedLog, type LimitedLogOptions } from "./limited_log.ts";

/** What a {@linkcode Recorder} works with. */
export interface RecorderOptions extends LimitedLogOptions {
  /** This worker's region; the recorder writes to it. */
  readonly counters: WorkerCounters;
}

/**
 * A worker's observer. Relies on this order: `client_connected` is a session's first fact and
 * `client_disconnected` its last; each `wait_started` is followed by one `wait_ended`, also when
 * the wait is refused at once; a state moves from where the last fact left it.
 */
export class Recorder implements Observer {
  readonly #options: RecorderOptions;
  readonly #counter: FactCounter;
  /** For what is logged beside facts: it counts towards the same limit. */
  readonly log: LimitedLog;
  /** One entry a connected client, so it is limited where clients are: by their listener. */
  readonly #sessions = new NumberMap<SessionContext>();

  /** @throws {RangeError} If `recordsPerSecondMax` is not a positive integer. */
  constructor(options: RecorderOptions) {
    this.#options = options;
    this.log = new LimitedLog(options);
    this.#counter = new FactCounter(options.counters, options.nowMs);
  }

  /** Counts `fact` and logs it, if it is to be logged. */
  emit(fact: Fact): void {
    this.log.flushIfDue();
    try {
      this.#counter.count(fact);
    } catch (error) {
      // The defect is ours, and the session that reported the fact is not to pay for it. It may
      // come with every fact, so that it is limited as no other error is.
      if (this.log.isAdmitted("error", true)) {
        this.#options.sink.write({
          level: "error",
          message: "cannot count a fact",
          fields: { kind: fact.kind, error: String(error) },
          timeMs: this.#options.nowMs(),
        });
      }
    }
    if (!this.log.isOff) this.#log(fact);
  }

  /** Says how many records were dropped, if any were and it has not been said. */
  flush(): void {
    this.log.flush();
  }

  #log(fact: Fact): void {
    const context = this.#contextOf(fact);
    const level = levelOf(fact, context);
    if (level === undefined || !this.log.isAdmitted(level)) return;
    this.#options.sink.write(recordOf(fact, context, level, this.#options.nowMs()));
  }

  /** What is known of the client that `fact` is about; learns from `fact`, or forgets. */
  #contextOf(fact: Fact): SessionContext | undefined {
    if (!("session" in fact)) return undefined;
    const known = this.#sessions.get(fact.session);
    switch (fact.kind) {
      case "client_connected":
        this.#sessions.set(fact.session, { peer: fact.peer, login: undefined });
        return undefined;
      case "session_ready":
        if (known === undefined) return undefined;
        this.#sessions.set(fact.session, {
          peer: known.peer,
          login: { user: fact.user, database: fact.database },
        });
        return known;
      case "session_connected":
        if (known !== undefined) this.#sessions.set(fact.session, { peer: known.peer, login: {} });
        return known;
      case "client_disconnected":
        this.#sessions.delete(fact.session);
        return known;
      default:
        return known;
    }
  }
}
