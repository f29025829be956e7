/**
 * No fact may hold a secret, a query's text or a value of a parameter: facts are logged as they
 * are. Most of it is checked by the compiler: each field that any fact has is named here with what
 * it holds and where that is from, so that a new field is looked at by somebody.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, ok as assert } from "node:assert/strict";
import type {
  AuthenticationFailure,
  CancelOutcome,
  ClientState,
  Fact,
  MirrorDrop,
  MirrorResult,
  ServerCloseReason,
  ServerLoginFailure,
  ServerState,
  SessionTimeout,
  WaitOutcome,
} from "../../src/observe/facts.ts";
import { levelOf, recordOf } from "../../src/observe/fact_log.ts";
import {
  AUTHENTICATION_FAILURES,
  CLOSE_REASONS,
  MIRROR_DROPS,
  MIRROR_RESULTS,
  SERVER_LOGIN_FAILURES,
} from "../../src/observe/label_values.ts";
import type { ErrorSource } from "../../src/observe/sqlstate_cells.ts";
import { FACT_SAMPLES } from "./fact_samples.ts";

type FieldsOf<F> = F extends unknown ? Exclude<keyof F, "kind"> : never;
type Field = FieldsOf<Fact>;
type TypeOf<Name extends Field> = Fact extends infer F
  ? F extends { readonly [N in Name]?: infer T } ? T : never
  : never;
type KindsWith<Name extends Field> = Fact extends infer F
  ? F extends { readonly kind: infer Kind } ? Name extends keyof F ? Kind : never : never
  : never;

/** What a field holds. Words that somebody else chose are "name" or "text"; the rest is ours. */
type Content =
  /** One of a few words, or a number or truth value that the gateway made. */
  | "fixed"
  /** From the configuration, or where somebody is. */
  | "configuration"
  /** A name that a client gave in its StartupMessage, or chose for what it is. */
  | "name"
  /** A sentence; see `TEXTS`. */
  | "text";

const FIELDS: Readonly<Record<Field, Content>> = {
  application: "name",
  attempt: "fixed",
  attempts: "fixed",
  cause: "fixed",
  cipher: "fixed",
  count: "fixed",
  database: "name",
  durationMs: "fixed",
  from: "fixed",
  hook: "fixed",
  isTimeout: "fixed",
  level: "fixed",
  listener: "configuration",
  message: "text",
  mirrorRows: "fixed",
  mirrorSqlState: "fixed",
  outcome: "fixed",
  peer: "configuration",
  plugin: "configuration",
  pool: "configuration",
  proxy: "configuration",
  reason: "text",
  result: "fixed",
  rows: "fixed",
  rule: "fixed",
  said: "text",
  server: "configuration",
  session: "fixed",
  source: "fixed",
  sqlState: "fixed",
  timeout: "fixed",
  to: "fixed",
  user: "name",
  version: "fixed",
  waitMs: "fixed",
};

/**
 * Where the sentences are from. None is from a message of the extended protocol or a Query, or from
 * an answer to one: those hold what people keep in their database.
 */
const TEXTS: Readonly<Record<KindsWith<"message" | "reason" | "said">, string>> = {
  "abandoned_query": "the operating system's, of a connection",
  "accept_failed": "the operating system's",
  "authentication_failed": "the gateway's; what a lookup of a secret failed with",
  "cancel": "the operating system's, of a connection",
  "client_disconnected": "the gateway's, or the operating system's of a connection",
  "client_refused": "the gateway's",
  "error_reported": "the gateway's; a server's to the gateway's login, never to a query or a SET",
  "internal_error": "a stack: it names functions and lines, not values",
  "mirror_dropped": "the gateway's",
  "plugin_said": "the plugin's, which has the permission for it",
  "plugin_failed": "the host's; of an error that the plugin made up, the plugin's",
  "plugin_switched_off": "the host's",
  "rule_failed": "the expression's: names, no values",
  "server_closed":
    "the gateway's, the operating system's of a connection, a server's to the pool's resetQuery",
  "server_dial_failed": "the operating system's, of a connection",
  "server_login_failed": "the gateway's, or the server's to its own login",
  "server_lost": "the operating system's, of a connection",
  "session_pinned": "the gateway's: one of a list",
  "tls_failed": "OpenSSL's",
  "verdict_ignored": "the gateway's",
};

/** Words that name what nobody may log, as parts of a field's name. */
const FORBIDDEN = /pass|secret|key|token|salt|nonce|proof|query|sql(?!State)|text|param|value/i;

/** True if `A` holds nothing but what `B` allows. */
type Only<A, B> = [A] extends [B] ? true : false;

/** The compiler's part: no field holds bytes, lists or objects; fixed ones are what they say. */
type Checks = readonly [
  Only<TypeOf<Field>, string | number | boolean | undefined>,
  Only<TypeOf<"cause">, AuthenticationFailure | ServerLoginFailure | MirrorDrop>,
  Only<TypeOf<"result">, MirrorResult>,
  Only<TypeOf<"rows" | "mirrorRows">, number>,
  Only<TypeOf<"from" | "to">, ClientState | ServerState | undefined>,
  Only<TypeOf<"outcome">, WaitOutcome | CancelOutcome>,
  Only<TypeOf<"source">, ErrorSource>,
  Only<TypeOf<"timeout">, SessionTimeout>,
  Only<TypeOf<"session" | "attempt" | "attempts" | "durationMs" | "waitMs">, number>,
  Only<TypeOf<"isTimeout">, boolean>,
];

Deno.test("Fact has only fields of which it is known that they hold no secret", () => {
  const checks: Checks = [true, true, true, true, true, true, true, true, true, true];
  assert(checks.every(Boolean));
  const found = new Set(
    Object.values(FACT_SAMPLES).flatMap((fact) => Object.keys(fact)).filter((f) => f !== "kind"),
  );
  assertEquals([...found].sort(), Object.keys(FIELDS).sort());
  for (const field of found) assert(!FORBIDDEN.test(field), field);
});

Deno.test("Fact has sentences only where it is known who wrote them", () => {
  const withText = Object.values(FACT_SAMPLES).filter((fact) => {
    const fields: readonly string[] = Object.keys(fact);
    // The reason of a pooled connection's end is one word of a list, as well.
    return fields.some((field) => field !== "kind" && FIELDS[field as Field] === "text");
  });
  assertEquals(withText.map(({ kind }) => kind as string).sort(), Object.keys(TEXTS).sort());
});

Deno.test("FORBIDDEN finds what it is for, and lets through what is logged", () => {
  const secrets = ["password", "cancelKey", "queryText", "sql", "parameterValues", "clientProof"];
  for (const name of secrets) assert(FORBIDDEN.test(name), name);
  assert(!FORBIDDEN.test("sqlState"));
});

Deno.test("CLOSE_REASONS and the lists of failures have every value of the facts' types", () => {
  const reasons: Readonly<Record<ServerCloseReason, true>> = {
    "lost": true,
    "idle_timeout": true,
    "max_lifetime": true,
    "validation": true,
    "surplus": true,
    "moved": true,
    "drain": true,
    "reconnect": true,
    "close_idle": true,
    "unclean": true,
  };
  assertEquals([...CLOSE_REASONS].sort(), Object.keys(reasons).sort());
  const causes: Readonly<Record<AuthenticationFailure, true>> = {
    password: true,
    certificate: true,
    rule: true,
    throttled: true,
    lookup: true,
    protocol: true,
  };
  assertEquals([...AUTHENTICATION_FAILURES].sort(), Object.keys(causes).sort());
  const logins: Readonly<Record<ServerLoginFailure, true>> = {
    "credentials": true,
    "request": true,
    "capacity": true,
    "unavailable": true,
    "timeout": true,
    "other": true,
  };
  assertEquals([...SERVER_LOGIN_FAILURES].sort(), Object.keys(logins).sort());
  const drops: Readonly<Record<MirrorDrop, true>> = {
    "behind": true,
    "pool_exhausted": true,
    "unreachable": true,
    "lost": true,
    "refused": true,
    "unfinished": true,
    "internal": true,
  };
  assertEquals([...MIRROR_DROPS].sort(), Object.keys(drops).sort());
  const results: Readonly<Record<MirrorResult, true>> = {
    "same": true,
    "other_error": true,
    "other_rows": true,
    "skipped": true,
  };
  assertEquals([...MIRROR_RESULTS].sort(), Object.keys(results).sort());
});

Deno.test("recordOf() logs a fact's fields and what is known of its client, and nothing else", () => {
  const context = { peer: "10.0.0.9:50000", login: { user: "app", database: "shop" } };
  for (const fact of Object.values(FACT_SAMPLES)) {
    const level = levelOf(fact, context);
    if (level === undefined) continue;
    const { message, fields } = recordOf(fact, context, level, 0);
    assert(message !== "", `${fact.kind} is logged and has a message`);
    // A record has a level of its own.
    const names: string[] = Object.keys(fact).filter((name) => name !== "kind" && name !== "level")
      .map((name) => name === "message" ? "error" : name);
    const expected = new Set([...names, "peer", "user", "database"]);
    assertEquals(Object.keys(fields).sort(), [...expected].sort(), fact.kind);
  }
});
