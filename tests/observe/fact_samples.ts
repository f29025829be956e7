/**
 * One fact of each kind, with every field that it can have, so that tests can go through all of
 * them: a kind that is missing here, or a field, does not compile.
 *
 * @module
 */

import type { Fact } from "../../src/observe/facts.ts";

/** A fact of one kind with all its fields, those that may be left out included. */
type Whole<Kind extends Fact["kind"]> = Required<Extract<Fact, { readonly kind: Kind }>>;

/** By kind. The names in them are `main` for listeners and `p` for pools. */
export const FACT_SAMPLES: { readonly [Kind in Fact["kind"]]: Whole<Kind> } = {
  "client_connected": {
    kind: "client_connected",
    listener: "main",
    session: 7,
    peer: "10.0.0.9:50000",
  },
  "client_refused": { kind: "client_refused", listener: "main", peer: "x", reason: "full" },
  "client_state": { kind: "client_state", listener: "main", from: "startup", to: "login" },
  "session_ready": {
    kind: "session_ready",
    session: 7,
    pool: "p",
    user: "app",
    database: "shop",
    application: "psql",
    server: "10.0.0.1:5432",
  },
  "session_connected": {
    kind: "session_connected",
    session: 7,
    pool: "p",
    server: "10.0.0.1:5432",
  },
  "client_disconnected": {
    kind: "client_disconnected",
    listener: "main",
    session: 7,
    reason: "client closed",
    durationMs: 12,
  },
  "server_state": { kind: "server_state", pool: "p", from: "login", to: "active" },
  "server_dial_failed": {
    kind: "server_dial_failed",
    pool: "p",
    server: "s",
    attempt: 1,
    attempts: 4,
    message: "refused",
    isTimeout: false,
  },
  "server_lost": { kind: "server_lost", session: 7, pool: "p", server: "s", message: "reset" },
  "wait_started": { kind: "wait_started", pool: "p", session: 7 },
  "wait_ended": { kind: "wait_ended", session: 7, pool: "p", outcome: "acquired", waitMs: 1 },
  "login_timeout": { kind: "login_timeout", session: 7, listener: "main" },
  "error_reported": {
    kind: "error_reported",
    session: 7,
    source: "gateway",
    sqlState: "53300",
    message: "Too many clients",
  },
  "cancel": { kind: "cancel", session: 7, listener: "main", outcome: "failed", message: "why" },
  "authentication_failed": {
    kind: "authentication_failed",
    session: 7,
    listener: "main",
    user: "app",
    database: "shop",
    cause: "password",
    reason: "the password is wrong",
  },
  "tls_accepted": {
    kind: "tls_accepted",
    session: 7,
    listener: "main",
    version: "TLSv1.3",
    cipher: "TLS_AES_256_GCM_SHA384",
  },
  "tls_failed": { kind: "tls_failed", session: 7, listener: "main", message: "no certificate" },
  "server_secured": {
    kind: "server_secured",
    pool: "p",
    server: "s",
    version: "TLSv1.2",
    cipher: "ECDHE-RSA-AES256-GCM-SHA384",
  },
  "server_opened": { kind: "server_opened", pool: "p" },
  "server_login_failed": {
    kind: "server_login_failed",
    pool: "p",
    server: "s",
    user: "app",
    database: "shop",
    cause: "credentials",
    message: "no password",
  },
  "server_closed": {
    kind: "server_closed",
    pool: "p",
    server: "s",
    reason: "unclean",
    message: "it was not clean",
  },
  "session_pinned": { kind: "session_pinned", session: 7, pool: "p", reason: "advisory lock" },
  "session_timeout": { kind: "session_timeout", session: 7, pool: "p", timeout: "query" },
  "abandoned_query": {
    kind: "abandoned_query",
    session: 7,
    pool: "p",
    server: "s",
    message: "refused",
  },
  "verdict_ignored": { kind: "verdict_ignored", session: 7, plugin: "x", message: "no route" },
  "internal_error": { kind: "internal_error", session: 7, message: "Error: x\n    at y" },
  "mirror_dropped": {
    kind: "mirror_dropped",
    session: 7,
    proxy: "main",
    cause: "behind",
    reason: "more than mirror.bufferMax waited for the mirror",
    count: 3,
  },
  "mirror_differed": {
    kind: "mirror_differed",
    session: 7,
    proxy: "main",
    result: "other_error",
    sqlState: "00000",
    mirrorSqlState: "42P01",
    rows: 3,
    mirrorRows: 0,
    count: 2,
  },
  "plugin_failed": {
    kind: "plugin_failed",
    plugin: "hello",
    hook: "onQuery",
    reason: "fuel",
    message: "it used all of its fuel",
    count: 3,
  },
  "plugin_switched_off": {
    kind: "plugin_switched_off",
    plugin: "hello",
    message: "10 calls failed",
  },
  "plugin_said": { kind: "plugin_said", plugin: "hello", level: "info", said: "hello" },
  "rule_failed": { kind: "rule_failed", listener: "main", rule: 1, message: "no such key" },
  "accept_failed": { kind: "accept_failed", listener: "main", message: "no descriptors" },
};
