/**
 * What a pool opens, closes and checks its connections with: one for each pair of a database and a
 * user.
 *
 * @module
 */

import { addressText } from "../../base/address.ts";
import { messageOf } from "../../base/errors.ts";
import { type Cells, POOL_CELL } from "../../observe/counters.ts";
import type {
  Observer,
  ServerCloseReason,
  ServerLoginFailure,
  ServerState,
} from "../../observe/facts.ts";
import { SERVER_STATE_CELL } from "../../observe/state_cells.ts";
import type { ServerLoad } from "../../upstream/server_loads.ts";
import type { ServerPool } from "../../pool/server_pool.ts";
import type { CloseReason, Connector, OpenAttempt } from "../../pool/server_pool_types.ts";
import type { CancelResult, CancelTarget } from "../cancel.ts";
import { nameBytes } from "../wire/extended_messages.ts";
import { Backend } from "./backend.ts";
import {
  BackendOpener,
  type LoggedIn,
  type LoginTarget,
  type OpenerParts,
  type OpenFailure,
} from "./backend_opener.ts";
import { type BackendState, COUNTED_AS } from "./backend_parts.ts";

/** How long a server may take to show that it is alive. */
const VALIDATION_MS_MAX = 5_000;

const NO_TEXT = new Uint8Array();

/** What a server says to the database or the replication that a client asks for. */
const CLIENTS_OWN: readonly string[] = [
  "3D000", // invalid_catalog_name
  "42501", // insufficient_privilege
];

/** Why a login failed, by the class of its SQLSTATE. */
const CAUSES_BY_CLASS: ReadonlyMap<string, ServerLoginFailure> = new Map([
  ["28", "credentials"], // invalid_authorization_specification, invalid_password
  ["53", "capacity"], // too_many_connections and its like
  ["57", "unavailable"], // cannot_connect_now, admin_shutdown
]);

/** What one pair's connections are made of. */
export interface ConnectorParts extends OpenerParts {
  readonly observer: Observer;
  readonly cells: Cells;
  /** The server's, where somebody asks how long its answers take. */
  readonly load: ServerLoad | undefined;
  /** The configured pool's name. */
  readonly pool: string;
  /** Asked for each connection: TLS and credentials may have changed. */
  readonly target: () => LoginTarget;
  readonly messageSizeMax: number;
  readonly preparedStatementsMax: number;
  readonly resetQuery: string;
  /** Whether that query is DISCARD ALL, or does as much. */
  readonly isResetWhole: boolean;
  /** Told what each new connection has reported. */
  readonly onReported: (reported: ReadonlyMap<string, string>) => void;
  /** A connection is never used twice. */
  readonly isSingleUse: boolean;
  cancelAbandoned(target: CancelTarget): Promise<CancelResult>;
  /** The pool that this connector opens for; it is made after it. */
  poolOf(): ServerPool<Backend, OpenFailure>;
}

/** Opens and ends the connections of one pair. */
export class BackendConnector implements Connector<Backend, OpenFailure> {
  readonly #parts: ConnectorParts;
  readonly #reasons = new WeakMap<Backend, ServerCloseReason>();
  #pool: ServerPool<Backend, OpenFailure> | undefined;

  constructor(parts: ConnectorParts) {
    this.#parts = parts;
  }

  open(attempt: OpenAttempt<Backend, OpenFailure>): { cancel(): void } {
    const { cells, observer, pool } = this.#parts;
    const target = this.#parts.target();
    const server = addressText(target.server.address);
    let state: "connecting" | "login" | undefined = "connecting";
    count(cells, target, undefined, state);
    const leave = () => {
      count(cells, target, state, undefined);
      state = undefined;
    };
    const start = () =>
      new BackendOpener(target, this.#parts, {
        onState: () => {
          leave();
          state = "login";
          count(cells, target, undefined, state);
          observer.emit({ kind: "server_opened", pool });
        },
        onSecured: ({ protocol: version, cipher }) =>
          observer.emit({ kind: "server_secured", pool, server, version, cipher }),
        onFailedAttempt: (failed) =>
          observer.emit({ kind: "server_dial_failed", pool, server, ...failed }),
        onOpened: (login) => {
          leave();
          attempt.onOpened(this.#backend(target, server, login));
        },
        onFailed: (failure) => {
          leave();
          if (failure.kind !== "unreachable") this.#reportLogin(target, server, failure);
          attempt.onFailed(failure);
        },
      });
    try {
      const opener = start();
      return {
        cancel() {
          leave();
          opener.cancel();
        },
      };
    } catch (error) {
      leave();
      return this.#failLater(target, server, messageOf(error), attempt);
    }
  }

  /** A pool that was thrown at would not get its place back: it hears of it like of any failure. */
  #failLater(
    target: LoginTarget,
    server: string,
    message: string,
    attempt: OpenAttempt<Backend, OpenFailure>,
  ): { cancel(): void } {
    let isCancelled = false;
    queueMicrotask(() => {
      if (isCancelled) return;
      const failure = { kind: "login", message } as const;
      this.#reportLogin(target, server, failure);
      attempt.onFailed(failure);
    });
    return { cancel: () => void (isCancelled = true) };
  }

  close(backend: Backend, reason: CloseReason): void {
    this.#reasons.set(backend, reason);
    backend.close(reason);
  }

  validate(backend: Backend, done: (isAlive: boolean) => void): void {
    let isDone = false;
    const finish = (isAlive: boolean) => {
      if (isDone) return;
      isDone = true;
      timer.cancel();
      done(isAlive);
    };
    const timer = this.#parts.clock.after(VALIDATION_MS_MAX, () => finish(false));
    backend.run(NO_TEXT, ({ error }) => finish(error === undefined));
  }

  #backend(target: LoginTarget, server: string, login: LoggedIn): Backend {
    const { cells, clock, observer, pool, messageSizeMax, resetQuery } = this.#parts;
    const { socket, isEncrypted, parameters, reported, processId, key } = login;
    count(cells, target, undefined, "idle");
    const ownPool = this.#pool ??= this.#parts.poolOf();
    this.#parts.onReported(reported);
    return new Backend({
      clock,
      cells,
      load: this.#parts.load,
      pool: {
        release: (backend) => {
          if (this.#parts.isSingleUse) this.close(backend, "surplus");
          else ownPool.release(backend);
        },
        gone: (backend) => ownPool.gone(backend),
      },
      cancelTarget: {
        server: target.server,
        tls: isEncrypted ? target.tls : undefined,
        processId,
        key,
      },
      address: server,
      parameters,
      reported,
      messageSizeMax,
      preparedStatementsMax: this.#parts.preparedStatementsMax,
      resetQuery: nameBytes(resetQuery),
      resetKey: `pools.${pool}.resetQuery`,
      isResetWhole: this.#parts.isResetWhole,
      cancelAbandoned: (cancelTarget) => this.#parts.cancelAbandoned(cancelTarget),
      onState: (from, to) => {
        count(cells, target, countedAs(from), countedAs(to));
        if (to === "leased") cells.add(POOL_CELL.assignments, 1);
      },
      onClosing: (backend, message) => {
        const reason = this.#reasons.get(backend);
        if (reason === undefined) ownPool.ending(backend);
        observer.emit({
          kind: "server_closed",
          pool,
          server,
          reason: reason ?? "unclean",
          message: reason === undefined ? message : undefined,
        });
      },
      onLost: (backend, message) => {
        ownPool.ending(backend);
        observer.emit({ kind: "server_closed", pool, server, reason: "lost", message });
      },
    }, socket);
  }

  #reportLogin(
    { user, database }: LoginTarget,
    server: string,
    failure: Exclude<OpenFailure, { kind: "unreachable" }>,
  ): void {
    const message = failure.kind === "refused"
      ? `${failure.fields.get("C") ?? ""}: ${failure.fields.get("M") ?? ""}`
      : failure.message;
    const { pool, observer } = this.#parts;
    observer.emit({
      kind: "server_login_failed",
      pool,
      server,
      user,
      database,
      cause: causeOf(failure),
      message,
    });
  }
}

/** A connection has changed its state; undefined is not there. */
function count(
  cells: Cells,
  { server }: LoginTarget,
  from: ServerState | undefined,
  to: ServerState | undefined,
): void {
  if (from !== undefined) cells.add(cellOf(from), -1);
  if (to !== undefined) cells.add(cellOf(to), 1);
  server.connections?.move(from, to);
}

// With each transaction between these two, for which looking up the name of a key takes too long.

function countedAs(state: BackendState): ServerState | undefined {
  if (state === "idle") return "idle";
  return state === "leased" ? "active" : COUNTED_AS[state];
}

function cellOf(state: ServerState): number {
  if (state === "idle") return POOL_CELL.serversIdle;
  return state === "active" ? POOL_CELL.serversActive : SERVER_STATE_CELL[state];
}

function causeOf(failure: Exclude<OpenFailure, { kind: "unreachable" }>): ServerLoginFailure {
  if (failure.kind === "silent") return "timeout";
  if (failure.kind === "login") return failure.isTimeout === true ? "timeout" : "other";
  const sqlState = failure.fields.get("C") ?? "";
  if (CLIENTS_OWN.includes(sqlState)) return "request";
  return CAUSES_BY_CLASS.get(sqlState.slice(0, 2)) ?? "other";
}
