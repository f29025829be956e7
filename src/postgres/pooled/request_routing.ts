/**
 * Where one session's requests can run: tells reads from writes, follows hints, and remembers what
 * the session has written, so that it is served by nobody who has not got that.
 *
 * A server is chosen for all that is sent up to a Sync, before any of it is: a request of which not
 * all is there yet could become a write, and goes to the primary. Only a Flush behind it says that
 * the client waits for what it has sent: it is a driver that prepares what it is going to bind.
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { ANY_NEED, type Need, type WantedRole } from "../../upstream/router.ts";
import { hintOf, ROLE_SETTING } from "../routing/routing_hint.ts";
import {
  type SessionDefaults,
  type Side,
  sideOf,
  type StatementClass,
  UNKNOWN_WRITE,
} from "../routing/statement_class.ts";
import { readBindNames, readParse } from "../wire/extended_messages.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { FRONTEND } from "../wire/tags.ts";
import type { SessionParameters } from "./parameters.ts";
import type { RoutingRules } from "./pooled_context.ts";

/** Encodings in which a later byte of a character can look like ASCII: PostgreSQL, table 24.3. */
const UNREADABLE_ENCODINGS: ReadonlySet<string> = new Set([
  "BIG5",
  "GB18030",
  "GBK",
  "JOHAB",
  "SHIFT_JIS_2004",
  "SJIS",
  "UHC",
]);

/** Whose requests they are. */
export interface RequestRoutingSession {
  readonly user: string;
  readonly parameters: SessionParameters;
  /** The text of a prepared statement, by its name; undefined if it is not known. */
  textOf(statementName: string): Uint8Array | undefined;
  /** Tells the client what is wrong with a hint. */
  onWrongHint(problem: string): void;
}

/** What one request, up to its Sync, asks for. */
interface Asked {
  side: Side;
  /** A proxy and a role that a hint names. */
  proxy: string | undefined;
  hinted: WantedRole | undefined;
  /** What is wrong with a hint. */
  problem: string | undefined;
  /** Names of tables that it reads and writes; undefined if they cannot be known. */
  reads: Set<string> | undefined;
  writes: Set<string> | undefined;
  /** Statements that it prepares itself, the last one of a name counting. */
  readonly prepared: { readonly name: string; readonly text: Uint8Array }[];
}

/** One session's. */
export class RequestRouting {
  readonly #rules: RoutingRules;
  readonly #session: RequestRoutingSession;
  /** The round of this session's last write; -1 for none. */
  #writtenRound = -1;
  /** What has been written on the server that it has now; undefined for nothing. */
  #writing: { tables: Set<string> | undefined } | undefined;
  /** Whether the server that the session has now was sent anything of the client's. */
  hasSent = false;
  /** False between requests: what comes next can go to another server. */
  #isWithin = false;
  /** Whether what was asked of the request so far ended with a Flush: more is behind it. */
  #isFlushed = false;
  /** What the next request asks for, if it has been found out already. */
  #next: Asked | undefined;

  constructor(rules: RoutingRules, session: RequestRoutingSession) {
    this.#rules = rules;
    this.#session = session;
  }

  /** What a server has to be for a client that says so at its start. */
  needFor(role: string): Need | undefined {
    const own = this.#rules.hints ? roleOfHint(role) : undefined;
    return own === undefined ? undefined : { ...ANY_NEED, role: own };
  }

  /** What a server has to be for the request that begins at an offset. */
  needOf(view: Uint8Array, at: number): Need {
    const asked = this.#next = this.#ask(view, at);
    if (asked.problem !== undefined) this.#session.onWrongHint(asked.problem);
    return {
      role: this.#roleOf(asked),
      proxy: asked.proxy,
      writtenRound: this.#roundFor(asked),
    };
  }

  /**
   * Whether the request that begins at an offset has to wait until the session's server, which is
   * no primary, has been given back.
   */
  mustLeave(view: Uint8Array, at: number): boolean {
    // What it was found for, it can serve, or somebody has chosen so.
    if (this.#isWithin || !this.hasSent) return false;
    this.#next = this.#ask(view, at);
    return this.#roleOf(this.#next) === "primary";
  }

  /**
   * A message is sent to a server.
   *
   * @param isPrimary Whether what it writes is written.
   */
  onMessage(view: Uint8Array, at: number, isPrimary: boolean): void {
    const tag = view[at]!;
    this.hasSent = true;
    if (isPrimary && !this.#isWithin) this.#noteWrites(this.#next ?? this.#ask(view, at));
    else if (isPrimary && this.#isFlushed) this.#noteWrites(this.#askOne(view, at));
    this.#next = undefined;
    this.#isWithin = tag !== FRONTEND.query && tag !== FRONTEND.sync &&
      tag !== FRONTEND.functionCall;
    this.#isFlushed = this.#isWithin && (this.#isFlushed || tag === FRONTEND.flush);
  }

  /** A request's last answer is going to be passed on: what it has written is there to be read. */
  onAnswered(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    const { causality, marks, round } = this.#rules;
    const now = round();
    this.#writtenRound = now;
    if (causality === "user") marks.mark([this.#session.user], now);
    if (causality === "table") marks.mark(writing.tables, now);
  }

  /** Its server is given back. */
  onReleased(): void {
    this.#writing = this.#next = undefined;
    this.#isWithin = this.#isFlushed = this.hasSent = false;
  }

  #noteWrites({ side, writes }: Asked): void {
    if (side !== "primary") return;
    this.#writing ??= { tables: new Set() };
    const { tables } = this.#writing;
    if (tables === undefined || writes === undefined) this.#writing.tables = undefined;
    else for (const table of writes) tables.add(table);
  }

  #roleOf({ side, hinted }: Asked): WantedRole {
    if (hinted !== undefined) return hinted;
    if (!this.#rules.isSplit) return this.#rules.role;
    switch (side) {
      case "primary":
        return "primary";
      case "replica":
        return "prefer-replica";
      case "any":
        return "any";
    }
  }

  #roundFor({ side, reads }: Asked): number {
    const { causality, marks } = this.#rules;
    if (side === "any") return -1;
    switch (causality) {
      case "off":
        return -1;
      case "session":
        return this.#writtenRound;
      case "user":
        return Math.max(this.#writtenRound, marks.roundOf([this.#session.user]));
      case "table":
        return Math.max(this.#writtenRound, marks.roundOf(reads));
    }
  }

  // What is asked ---------------------------------------------------------------------------------

  #ask(view: Uint8Array, at: number): Asked {
    const asked = this.#nothing();
    let isFlushed = false;
    for (let start = at; start < view.length;) {
      const end = endOf(view, start);
      if (end === undefined) return unknown(asked);
      const message = view.subarray(start, end);
      if (this.#askMessage(asked, message)) return asked;
      isFlushed = message[0] === FRONTEND.flush;
      start = end;
    }
    // Who flushes waits for an answer: a driver that prepares something, and is going to bind it.
    // Otherwise more is to come, and nobody knows what.
    return isFlushed ? asked : unknown(asked);
  }

  /** What one message behind a Flush asks for, which nobody knew of when the server was chosen. */
  #askOne(view: Uint8Array, at: number): Asked {
    const asked = this.#nothing();
    const end = endOf(view, at);
    if (end === undefined) return unknown(asked);
    this.#askMessage(asked, view.subarray(at, end));
    return asked;
  }

  #nothing(): Asked {
    return {
      side: "any",
      proxy: undefined,
      hinted: this.#ownRole() ?? this.#rules.chosenRole,
      problem: undefined,
      reads: new Set(),
      writes: new Set(),
      prepared: [],
    };
  }

  /** @returns Whether the request ends with it. */
  #askMessage(asked: Asked, message: Uint8Array): boolean {
    switch (message[0]) {
      case FRONTEND.query:
        this.#askText(asked, message.subarray(HEADER_SIZE, message.length - 1));
        return true;
      case FRONTEND.parse: {
        const parsed = readParse(message);
        if (parsed !== undefined) asked.prepared.push(parsed);
        this.#askText(asked, parsed?.text);
        return false;
      }
      case FRONTEND.bind: {
        const name = readBindNames(message)?.statement;
        // What it has prepared itself has been asked about already.
        if (asked.prepared.some((one) => one.name === name)) return false;
        this.#askText(asked, name === undefined ? undefined : this.#session.textOf(name));
        return false;
      }
      case FRONTEND.sync:
        return true;
      case FRONTEND.functionCall:
        unknown(asked);
        return true;
      case FRONTEND.describe:
      case FRONTEND.execute:
      case FRONTEND.close:
      case FRONTEND.flush:
        return false;
    }
    unknown(asked);
    return false;
  }

  #askText(asked: Asked, text: Uint8Array | undefined): void {
    if (text === undefined) return void unknown(asked);
    if (this.#rules.hints) this.#follow(asked, text);
    const { kind, reads, writes }: StatementClass = this.#rules.classify?.(text) ?? UNKNOWN_WRITE;
    asked.side = stricter(asked.side, sideOf(kind, this.#defaults()));
    asked.reads = union(asked.reads, reads);
    asked.writes = union(asked.writes, writes);
  }

  #follow(asked: Asked, text: Uint8Array): void {
    const hint = hintOf(text, this.#defaults().isReadable);
    if (hint === undefined) return;
    if (hint.problem !== undefined) return void (asked.problem = hint.problem);
    const { proxy, role } = hint;
    if (role !== undefined) asked.hinted = roleOfHint(role);
    if (proxy === undefined) return;
    if (this.#rules.proxies.includes(proxy)) asked.proxy = proxy;
    else asked.problem = `proxy=${proxy}: the listener has no proxy of that name`;
  }

  /** What the session has chosen by a setting. */
  #ownRole(): WantedRole | undefined {
    if (!this.#rules.hints) return undefined;
    return roleOfHint(this.#session.parameters.wanted.get(ROLE_SETTING));
  }

  #defaults(): SessionDefaults {
    const { wanted, told } = this.#session.parameters;
    const encoding = wanted.get("client_encoding") ?? told.get("client_encoding") ?? "UTF8";
    return {
      isReadOnly: wanted.get("default_transaction_read_only") === "on",
      isSerializable: wanted.get("default_transaction_isolation") === "serializable",
      isReadable: told.get("standard_conforming_strings") !== "off" &&
        !UNREADABLE_ENCODINGS.has(encoding.toUpperCase()),
    };
  }
}

/** Where a message ends; undefined if it is not all there. */
function endOf(view: Uint8Array, start: number): number | undefined {
  if (view.length - start < HEADER_SIZE) return undefined;
  const end = start + 1 + int32At(view, start + 1);
  return end <= view.length && end > start + 1 ? end : undefined;
}

function unknown(asked: Asked): Asked {
  asked.side = "primary";
  asked.reads = asked.writes = undefined;
  return asked;
}

function stricter(a: Side, b: Side): Side {
  if (a === "primary" || b === "primary") return "primary";
  return a === "replica" || b === "replica" ? "replica" : "any";
}

function union(
  all: Set<string> | undefined,
  more: readonly string[] | undefined,
): Set<string> | undefined {
  if (all === undefined || more === undefined) return undefined;
  for (const one of more) all.add(one);
  return all;
}

function roleOfHint(role: string | undefined): WantedRole | undefined {
  switch (role) {
    case "primary":
    case "read-write":
      return "primary";
    case "replica":
    case "prefer-standby":
      return "prefer-replica";
    case "standby":
    case "read-only":
      return "replica";
    case "any":
      return "any";
  }
  return undefined;
}
