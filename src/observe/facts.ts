/**
 * Every fact that a session reports, as one union: what is counted and what is logged is decided
 * in `recorder.ts`, in one place, not line by line in protocol logic. Facts of every message
 * (bytes, queries, latency) are not here: they go straight into cells (`counters.ts`).
 *
 * No fact holds a secret: no passwords, no cancel keys, no query texts, no parameter values. What
 * plugins say is theirs.
 *
 * @module
 */

import type { LogLevel } from "./log_record.ts";
import type { ErrorSource } from "./sqlstate_cells.ts";

/** Where a client is on its way: each connected client is in exactly one of these. */
export type ClientState = "startup" | "waiting" | "connecting" | "login" | "active" | "closing";

/**
 * Where a server connection is on its way; `connecting` holds its place in the pool already.
 * `idle`: logged in, and free for any session. `cleaning`: what a session left behind is removed.
 */
export type ServerState = "connecting" | "login" | "idle" | "active" | "cleaning" | "closing";

/** Why a pooled server connection was closed. */
export type ServerCloseReason =
  /** By the server or the network. */
  | "lost"
  | "idle_timeout"
  | "max_lifetime"
  | "validation"
  /** There are more than the pool's size: the reserve is not needed any more. */
  | "surplus"
  /** Its place is needed more by another worker or another pair. */
  | "moved"
  | "drain"
  | "reconnect"
  | "close_idle"
  /** What a session left behind could not be removed. */
  | "unclean";

/** Limits of a session's time that have SQLSTATEs of their own. */
export type SessionTimeout = "query" | "transaction" | "idle_transaction" | "client_idle";

/**
 * Why a client was not let in. `password`: it is wrong, or there is no such user. `certificate`: it
 * is missing, not verified, or somebody else's. `rule`: none fits, or one rejects it. `throttled`:
 * too many failures of its address. `lookup`: its secret could not be asked for. `protocol`: it
 * broke the rules of the exchange.
 */
export type AuthenticationFailure =
  | "password"
  | "certificate"
  | "rule"
  | "throttled"
  | "lookup"
  | "protocol";

/**
 * Why a server that was reached did not let the gateway in. `credentials`: not as this user, from
 * here, or with this password. `request`: the client has asked for what is not there or not
 * allowed, such as a database that does not exist. `capacity`: it has as many connections as it
 * takes. `unavailable`: it starts or stops. `timeout`: it took too long. `other`: TLS, or another
 * answer.
 */
export type ServerLoginFailure =
  | "credentials"
  | "request"
  | "capacity"
  | "unavailable"
  | "timeout"
  | "other";

/**
 * Why the copy of a session ended before the session. `behind`: more waited for the mirror than
 * `mirror.bufferMax`. `pool_exhausted`: no connection of its pool was free in time. `unreachable`:
 * none could be opened. `lost`: the mirror closed it, or broke the protocol. `refused`: by a limit
 * or a rule of the mirror's pool, or the mirror does not take the session's parameters.
 * `unfinished`: the session was over, and the mirror did not answer in time what it had been sent.
 * `internal`: a defect of the gateway.
 */
export type MirrorDrop =
  | "behind"
  | "pool_exhausted"
  | "unreachable"
  | "lost"
  | "refused"
  | "unfinished"
  | "internal";

/**
 * What came of comparing a request's two answers. `other_error`: one is an error, or they are two
 * errors. `other_rows`: not as many rows. `skipped`: one is missing, or which belongs to which is
 * not certain.
 */
export type MirrorResult = "same" | "other_error" | "other_rows" | "skipped";

/** What became of a wait for a server connection. */
export type WaitOutcome = "acquired" | "timeout" | "refused" | "abandoned";

/** What became of a CancelRequest; `idle`: no server works for its owner. */
export type CancelOutcome = "forwarded" | "idle" | "unknown" | "failed" | "refused";

/** One thing that happened. `session` is the gateway's own number of the client's connection. */
export type Fact =
  | {
    readonly kind: "client_connected";
    readonly listener: string;
    readonly session: number;
    readonly peer: string;
  }
  | {
    /** Turned away because too many were there already. */
    readonly kind: "client_refused";
    readonly listener: string;
    readonly peer: string;
    readonly reason: string;
  }
  | {
    /** `from` is undefined for a new client, `to` for one that is gone. */
    readonly kind: "client_state";
    readonly listener: string;
    readonly from: ClientState | undefined;
    readonly to: ClientState | undefined;
  }
  | {
    readonly kind: "session_ready";
    readonly session: number;
    readonly pool: string;
    readonly user: string;
    readonly database: string;
    readonly application: string;
    readonly server: string;
  }
  | {
    /** A raw session has its server; who its client is, nobody knows. */
    readonly kind: "session_connected";
    readonly session: number;
    readonly pool: string;
    readonly server: string;
  }
  | {
    readonly kind: "client_disconnected";
    readonly listener: string;
    readonly session: number;
    readonly reason: string;
    readonly durationMs: number;
  }
  | {
    readonly kind: "server_state";
    readonly pool: string;
    readonly from: ServerState | undefined;
    readonly to: ServerState | undefined;
  }
  | {
    readonly kind: "server_dial_failed";
    readonly pool: string;
    readonly server: string;
    readonly attempt: number;
    readonly attempts: number;
    readonly message: string;
    /** Whether it is `dialTimeout` that was over. */
    readonly isTimeout: boolean;
  }
  | {
    /** The server connection of a relayed or raw session ended unasked for. */
    readonly kind: "server_lost";
    readonly session: number;
    readonly pool: string;
    readonly server: string;
    readonly message: string;
  }
  | {
    /** Followed by exactly one `wait_ended`, also when the wait is refused at once. */
    readonly kind: "wait_started";
    readonly pool: string;
    readonly session: number;
  }
  | {
    readonly kind: "wait_ended";
    readonly session: number;
    readonly pool: string;
    readonly outcome: WaitOutcome;
    readonly waitMs: number;
  }
  | { readonly kind: "login_timeout"; readonly session: number; readonly listener: string }
  | {
    /** A client was told of an error: by its server, or by the gateway with `message`. */
    readonly kind: "error_reported";
    readonly session: number;
    readonly source: ErrorSource;
    readonly sqlState: string;
    readonly message: string | undefined;
  }
  | {
    readonly kind: "cancel";
    readonly session: number;
    readonly listener: string;
    readonly outcome: CancelOutcome;
    readonly message: string | undefined;
  }
  | {
    /** A client has not shown who it is. `reason` is for the operator, and holds no secret. */
    readonly kind: "authentication_failed";
    readonly session: number;
    readonly listener: string;
    /** As the client says: 63 bytes at most. */
    readonly user: string;
    readonly database: string;
    /** The kind of reason, as it is counted. */
    readonly cause: AuthenticationFailure;
    readonly reason: string;
  }
  | {
    readonly kind: "tls_accepted";
    readonly session: number;
    readonly listener: string;
    /** "TLSv1.3" */
    readonly version: string;
    readonly cipher: string;
  }
  | {
    /** A client began TLS, and it came to nothing. */
    readonly kind: "tls_failed";
    readonly session: number;
    readonly listener: string;
    readonly message: string;
  }
  | {
    /** A server connection is encrypted. */
    readonly kind: "server_secured";
    readonly pool: string;
    readonly server: string;
    readonly version: string;
    readonly cipher: string;
  }
  | {
    /** A server was reached for a pool; whether it lets the gateway in is not known yet. */
    readonly kind: "server_opened";
    readonly pool: string;
  }
  | {
    /** A server was reached, but did not let the gateway in. */
    readonly kind: "server_login_failed";
    readonly pool: string;
    readonly server: string;
    readonly user: string;
    readonly database: string;
    readonly cause: ServerLoginFailure;
    readonly message: string;
  }
  | {
    /** A pooled server connection is gone. */
    readonly kind: "server_closed";
    readonly pool: string;
    readonly server: string;
    readonly reason: ServerCloseReason;
    readonly message: string | undefined;
  }
  | {
    /** A session holds what only its server has, and stays with it. */
    readonly kind: "session_pinned";
    readonly session: number;
    readonly pool: string;
    /** One of `PIN_REASONS`, or counted as "other". */
    readonly reason: string;
  }
  | {
    readonly kind: "session_timeout";
    readonly session: number;
    readonly pool: string;
    readonly timeout: SessionTimeout;
  }
  | {
    /** A query whose client is gone could not be cancelled: the server runs it to its end. */
    readonly kind: "abandoned_query";
    readonly session: number;
    readonly pool: string;
    readonly server: string;
    readonly message: string;
  }
  | {
    /** What a plugin wants cannot be done; the session goes on. */
    readonly kind: "verdict_ignored";
    readonly session: number;
    readonly plugin: string;
    readonly message: string;
  }
  | {
    /** Calls of a plugin have failed. */
    readonly kind: "plugin_failed";
    readonly plugin: string;
    /** Of the last one, and so are the next two. */
    readonly hook: string;
    readonly reason: string;
    readonly message: string;
    /** How many failed since this was said before. */
    readonly count: number;
  }
  | {
    /** A plugin has failed too often, and is called no more in this worker. */
    readonly kind: "plugin_switched_off";
    readonly plugin: string;
    readonly message: string;
  }
  | {
    /** What a plugin wants to have in the log. */
    readonly kind: "plugin_said";
    readonly plugin: string;
    readonly level: LogLevel;
    readonly said: string;
  }
  | {
    /** The copies of sessions have ended before the sessions, which go on. */
    readonly kind: "mirror_dropped";
    /** Of the last one, and so is `reason`. */
    readonly session: number;
    readonly proxy: string;
    readonly cause: MirrorDrop;
    readonly reason: string;
    /** How many of this cause there were since this was said before. */
    readonly count: number;
  }
  | {
    /** Mirrors have answered requests in another way. */
    readonly kind: "mirror_differed";
    /** Of the last one, and so are the others. */
    readonly session: number;
    readonly proxy: string;
    readonly result: MirrorResult;
    /** "00000" where there was no error. */
    readonly sqlState: string;
    readonly mirrorSqlState: string;
    readonly rows: number;
    readonly mirrorRows: number;
    /** How many of this result there were since this was said before. */
    readonly count: number;
  }
  | {
    /** A defect of the gateway, which cost one session. `message` is the stack. */
    readonly kind: "internal_error";
    readonly session: number;
    readonly message: string;
  }
  | {
    /** Accepting failed for now, for example because the process has no descriptors left. */
    readonly kind: "accept_failed";
    readonly listener: string;
    readonly message: string;
  }
  | {
    /** A balancing rule's condition has no answer for a client, and does not hold. */
    readonly kind: "rule_failed";
    readonly listener: string;
    /** Its number, from 1. */
    readonly rule: number;
    readonly message: string;
  };

/** Takes facts; must return at once and never throw. */
export interface Observer {
  emit(fact: Fact): void;
}
