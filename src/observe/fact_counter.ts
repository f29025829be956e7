/**
 * Where facts become numbers: which cells each kind of fact moves, and nothing else does but what
 * is too frequent to be a fact (bytes, queries, transactions, states of pooled connections).
 *
 * @module
 */

import { type Cells, LISTENER_CELL, POOL_CELL, type WorkerCounters } from "./counters.ts";
import type { CancelOutcome, Fact, SessionTimeout } from "./facts.ts";
import {
  AUTHENTICATION_FAILURES,
  CLOSE_REASONS,
  indexIn,
  PIN_REASONS,
  SERVER_LOGIN_FAILURES,
  TLS_VERSIONS,
} from "./label_values.ts";
import { WaitingSessions } from "./oldest_waits.ts";
import { CLIENT_STATE_CELL, SERVER_STATE_CELL } from "./state_cells.ts";

type ListenerFact = Extract<Fact, { readonly listener: string }>;
type PoolFact = Extract<Fact, { readonly pool: string }>;

const TIMEOUT_CELL: Readonly<Record<SessionTimeout, number>> = {
  "query": POOL_CELL.queryTimeouts,
  "transaction": POOL_CELL.transactionTimeouts,
  "idle_transaction": POOL_CELL.idleTransactionTimeouts,
  "client_idle": POOL_CELL.clientIdleTimeouts,
};

const CANCEL_CELL: Readonly<Record<CancelOutcome, number>> = {
  forwarded: LISTENER_CELL.cancelsForwarded,
  idle: LISTENER_CELL.cancelsIdle,
  unknown: LISTENER_CELL.cancelsUnknown,
  failed: LISTENER_CELL.cancelsFailed,
  refused: LISTENER_CELL.cancelsRefused,
};

/** The cells of one pool, and who waits for it. */
interface PoolCounts {
  readonly cells: Cells;
  readonly waiting: WaitingSessions;
}

/** Counts one worker's facts. */
export class FactCounter {
  readonly #counters: WorkerCounters;
  readonly #nowMs: () => number;
  readonly #listeners = new Map<string, Cells>();
  readonly #pools = new Map<string, PoolCounts>();

  /**
   * @param counters The worker's own region: it is written to.
   * @param nowMs Milliseconds since 1970.
   */
  constructor(counters: WorkerCounters, nowMs: () => number) {
    this.#counters = counters;
    this.#nowMs = nowMs;
  }

  /** @throws {RangeError} If the fact is about a listener or a pool that has no cells. */
  count(fact: Fact): void {
    if ("pool" in fact) return this.#countOfPool(fact);
    if ("listener" in fact) return this.#countOfListener(fact);
    switch (fact.kind) {
      case "error_reported":
        return this.#counters.sqlStates.add(fact.source, fact.sqlState);
      case "internal_error":
      case "verdict_ignored": // counted as what the plugin asked for
      case "plugin_failed":
      case "plugin_switched_off":
      case "plugin_said":
      case "mirror_dropped": // counted one by one, and so are differences
      case "mirror_differed":
        return;
      default:
        fact satisfies never;
    }
  }

  #countOfListener(fact: ListenerFact): void {
    const cells = this.#listener(fact.listener);
    switch (fact.kind) {
      case "client_connected":
        return cells.add(LISTENER_CELL.clientsAccepted, 1);
      case "client_refused":
        return cells.add(LISTENER_CELL.clientsRefused, 1);
      case "client_state":
        if (fact.from !== undefined) cells.add(CLIENT_STATE_CELL[fact.from], -1);
        if (fact.to !== undefined) cells.add(CLIENT_STATE_CELL[fact.to], 1);
        return;
      case "login_timeout":
        return cells.add(LISTENER_CELL.loginTimeouts, 1);
      case "authentication_failed": {
        const index = AUTHENTICATION_FAILURES.indexOf(fact.cause);
        return cells.add(LISTENER_CELL.authenticationFailures + index, 1);
      }
      case "tls_accepted":
        return cells.add(LISTENER_CELL.tlsAccepted + indexIn(TLS_VERSIONS, fact.version), 1);
      case "tls_failed":
        return cells.add(LISTENER_CELL.tlsFailures, 1);
      case "cancel":
        return cells.add(CANCEL_CELL[fact.outcome], 1);
      case "client_disconnected":
      case "accept_failed":
      case "rule_failed":
        return;
      default:
        fact satisfies never;
    }
  }

  #countOfPool(fact: PoolFact): void {
    const counts = this.#pool(fact.pool);
    const { cells } = counts;
    switch (fact.kind) {
      case "server_state":
        return countState(cells, fact);
      case "server_opened":
        return cells.add(POOL_CELL.serversOpened, 1);
      case "server_secured":
        return cells.add(POOL_CELL.serversSecured + indexIn(TLS_VERSIONS, fact.version), 1);
      case "server_dial_failed":
        if (fact.isTimeout) cells.add(POOL_CELL.serverDialTimeouts, 1);
        return cells.add(POOL_CELL.serverDialFailures, 1);
      case "server_login_failed":
        if (fact.cause === "timeout") cells.add(POOL_CELL.serverLoginTimeouts, 1);
        return cells.add(
          POOL_CELL.serverLoginFailures + SERVER_LOGIN_FAILURES.indexOf(fact.cause),
          1,
        );
      case "server_lost":
        return cells.add(POOL_CELL.serversLost, 1);
      case "server_closed":
        if (fact.reason === "lost") cells.add(POOL_CELL.serversLost, 1);
        return cells.add(POOL_CELL.serversClosed + CLOSE_REASONS.indexOf(fact.reason), 1);
      case "wait_started":
      case "wait_ended":
        return this.#countWait(fact, counts);
      case "session_ready":
        return cells.add(POOL_CELL.logins, 1);
      case "session_pinned":
        return cells.add(POOL_CELL.pins + indexIn(PIN_REASONS, fact.reason), 1);
      case "session_timeout":
        return cells.add(TIMEOUT_CELL[fact.timeout], 1);
      case "session_connected": // an assignment, as the server's state says
      case "abandoned_query":
        return;
      default:
        fact satisfies never;
    }
  }

  #countWait(
    fact: Extract<PoolFact, { readonly kind: "wait_started" | "wait_ended" }>,
    { cells, waiting }: PoolCounts,
  ): void {
    const hasBegun = fact.kind === "wait_started";
    if (hasBegun) waiting.begin(fact.session, this.#nowMs());
    else waiting.end(fact.session);
    cells.set(POOL_CELL.relayedWaitSince, waiting.oldestSinceMs);
    cells.add(POOL_CELL.waiters, hasBegun ? 1 : -1);
    if (hasBegun) return cells.add(POOL_CELL.waits, 1);
    if (fact.outcome === "timeout") cells.add(POOL_CELL.waitTimeouts, 1);
    // Nobody waited when it was refused: zeros would hide how long the others wait.
    if (fact.outcome === "refused") return cells.add(POOL_CELL.waitsRefused, 1);
    cells.observe(POOL_CELL.waitSeconds, fact.waitMs / 1000);
  }

  /** @throws {RangeError} If the counters have no such listener. */
  #listener(name: string): Cells {
    const known = this.#listeners.get(name);
    if (known !== undefined) return known;
    const cells = this.#counters.listener(name);
    this.#listeners.set(name, cells);
    return cells;
  }

  /** @throws {RangeError} If the counters have no such pool. */
  #pool(name: string): PoolCounts {
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const counts = { cells: this.#counters.pool(name), waiting: new WaitingSessions() };
    this.#pools.set(name, counts);
    return counts;
  }
}

/** Relayed sessions say each step of their server connection, from which the rest follows. */
function countState(cells: Cells, { from, to }: Extract<PoolFact, { kind: "server_state" }>): void {
  if (from !== undefined) cells.add(SERVER_STATE_CELL[from], -1);
  if (to !== undefined) cells.add(SERVER_STATE_CELL[to], 1);
  const isOpened = from === "connecting" && (to === "login" || to === "active");
  if (isOpened) cells.add(POOL_CELL.serversOpened, 1);
  if (to === "active") cells.add(POOL_CELL.assignments, 1);
}
