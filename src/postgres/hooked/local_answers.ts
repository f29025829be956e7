/**
 * Plugins' answers in a server's place, and what of the client's messages no server has to see
 * because of them.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import type { Rejection, Reply } from "../../hooks/verdict.ts";
import { FIELD, type HookEvent } from "../../hooks/event.ts";
import { HOOK } from "../../hooks/hooks.ts";
import { PARSE_COMPLETE } from "../wire/extended_messages.ts";
import { copyFail, errorResponse, message } from "../wire/messages.ts";
import { BACKEND, FRONTEND } from "../wire/tags.ts";
import type { Decision } from "./client_verdicts.ts";
import type { HookCalls } from "./hook_calls.ts";
import type { Outgoing } from "./outgoing.ts";
import { ENTRY, Entry } from "./entry.ts";
import type { Pipeline } from "./pipeline.ts";
import { encodeReply, InvalidReply, rejectionFields } from "./plugin_reply.ts";
import { failingExecute, failingQuery } from "./texts.ts";
import { type LateParse, newUnit, type Unit } from "./unit.ts";

const BIND_COMPLETE = message(BACKEND.bindComplete);
const NO_DATA = message(BACKEND.noData);
const NOTHING = new Uint8Array();
const CLOSE_UNNAMED = message(FRONTEND.close, Uint8Array.of(0x53, 0)); // S

const DROP: Decision = { kind: "drop" };
const RETRACT: Decision = { kind: "retract" };

/** Bytes of answers that wait for the server's before them; beyond it, queries go to the server. */
const WAITING_SIZE_MAX = 16 * 1024 * 1024;

/** What one session's client gets from plugins. */
export class LocalAnswers {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #refuse: (why: string) => void;
  #unit: Unit | undefined;
  /** The unnamed statement, if no server has got its Parse. */
  #lateParse: LateParse | undefined;
  /** After an error in the extended protocol, everything is thrown away up to the Sync. */
  #isDiscarding = false;
  /** The server has got something that a Sync has still to conclude. */
  #hasServer = false;
  /** One of it is an Execute, which may have begun a transaction that nobody is told of yet. */
  #hasExecuted = false;
  /** Something has been answered here that a Sync has still to conclude. */
  #hasLocal = false;
  /** Where what is passed on goes, once there has been anything. */
  outgoing: Outgoing | undefined;

  constructor(calls: HookCalls, refuse: (why: string) => void) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#refuse = refuse;
  }

  /** True if a Query ends nothing here, and goes its way. */
  get isAtRest(): boolean {
    return this.#unit === undefined && this.#lateParse === undefined && !this.#isDiscarding &&
      !this.#hasServer && !this.#hasLocal && !this.#hasExecuted;
  }

  get unit(): Unit | undefined {
    return this.#unit;
  }

  /** True if what came since the last Sync was all answered here. */
  get isAllLocal(): boolean {
    return this.#hasLocal && !this.#hasServer;
  }

  /** Whether a query can be answered here: nothing of before waits for a Sync at the server. */
  get canAnswerQuery(): boolean {
    return !this.#hasServer;
  }

  /** Whether a server has still to get a Parse that its client takes for done. */
  get hasLateParse(): boolean {
    return this.#lateParse !== undefined;
  }

  /** Whether a server has executed something, answered or not, that no Sync has concluded. */
  get hasExecuted(): boolean {
    return this.#hasExecuted;
  }

  /** Whether a message is thrown away, as a server does behind an error. */
  discards(tag: number): boolean {
    const isSkipped = this.#isDiscarding || this.#pipeline.isSkipping;
    return isSkipped && tag !== FRONTEND.sync && tag !== FRONTEND.terminate;
  }

  // What passes -----------------------------------------------------------------------------------

  /**
   * A message that only a Sync concludes goes to the server, now or when its unit is closed. The
   * first one ends the server's unnamed statement, if it has another one than the client: behind
   * something else that could be skipped, and the wrong one run.
   */
  pass(entry: Entry): void {
    if (!this.#hasServer && this.#lateParse !== undefined) this.#dropStale(this.#lateParse);
    this.#pipeline.push(entry);
    this.#hasServer = true;
    if (entry.kind === ENTRY.execute) this.#hasExecuted = true;
    this.#unit?.entries.push(entry);
  }

  /** A simple query: it ends what was, and the unnamed statement. */
  onQuery(): void {
    this.closeUnit();
    this.#lateParse = undefined;
  }

  /** @returns True if it is answered here. */
  onSync(): boolean {
    this.closeUnit();
    const isLocal = this.isAllLocal;
    this.#isDiscarding = false;
    this.#hasServer = this.#hasLocal = this.#hasExecuted = false;
    if (!isLocal) return false;
    const entry = this.#entry(ENTRY.sync);
    entry.local = NOTHING;
    this.#pipeline.push(entry);
    return true;
  }

  // Units -----------------------------------------------------------------------------------------

  closeUnit(): void {
    this.#unit = undefined;
  }

  /** An unnamed Parse has come. */
  beginUnit(outgoing: Outgoing): void {
    this.#unit = undefined;
    this.#lateParse = undefined;
    if (!this.#mayHold()) return;
    outgoing.mark();
    this.#unit = newUnit(this.#hasServer);
  }

  onUnnamedParse(message: Uint8Array, entry: Entry): void {
    if (this.#unit !== undefined) {
      this.#unit.parse = { message: message.slice(), entry, isDropped: false };
    }
  }

  /** A Bind of the unnamed portal has come. */
  beginBind(outgoing: Outgoing, statementName: string): void {
    const unit = this.#unit;
    const belongs = unit?.parse !== undefined && unit.bind === undefined && statementName === "";
    if (belongs) return;
    this.#unit = undefined;
    if (!this.#mayHold()) return;
    outgoing.mark();
    this.#unit = newUnit(this.#hasServer);
  }

  onUnnamedBind(entry: Entry): void {
    if (this.#unit !== undefined) this.#unit.bind = entry;
  }

  onDescribe(entry: Entry): void {
    const unit = this.#unit;
    if (unit === undefined) return;
    if (unit.bind === undefined || unit.describe !== undefined) this.#unit = undefined;
    else unit.describe = entry;
  }

  /** The unnamed statement is needed, and the server does not know it. */
  sendLateParse(outgoing: Outgoing): void {
    const late = this.#lateParse;
    if (late === undefined) return;
    this.#lateParse = undefined;
    const kind = late.isClose === true ? ENTRY.close : ENTRY.parse;
    const { request, query } = late.entry;
    const entry = new Entry(kind, request, query, this.#calls.startMs);
    entry.isOwn = true;
    outgoing.replace(0, late.message);
    this.pass(entry);
    if (this.#unit !== undefined) this.#unit.late = late;
  }

  #dropStale(late: LateParse): void {
    if (this.outgoing === undefined || late.isDropped) return;
    late.isDropped = true;
    if (late.isClose === true) return this.sendLateParse(this.outgoing);
    const entry = new Entry(ENTRY.close, 0, undefined, this.#calls.startMs);
    entry.isOwn = true;
    this.outgoing.replace(0, CLOSE_UNNAMED);
    this.pass(entry);
    if (this.#unit !== undefined) this.#unit.late = late;
  }

  /** A server would have no unnamed statement now. */
  dropUnnamed(entry: Entry): void {
    this.#lateParse = { message: CLOSE_UNNAMED, entry, isClose: true, isDropped: false };
  }

  /** It failed, or something before it did. */
  onSkipped(entry: Entry): void {
    if (this.#lateParse?.entry.request === entry.request) this.#lateParse = undefined;
  }

  forgetLateParse(): void {
    this.#lateParse = undefined;
  }

  /** Whether something can come of keeping messages back. */
  #mayHold(): boolean {
    const { chain } = this.#calls;
    return chain.mayRespond && chain.wants[HOOK.onTrafficToServer] === 0;
  }

  // Verdicts --------------------------------------------------------------------------------------

  /** Too many statements, or portals, to keep account of. */
  refuseMore(what: string, entry: Entry): Decision {
    const limit = {
      sqlState: "54000", // program_limit_exceeded
      message: `too many ${what} for the gateway's plugins to keep account of`,
      hint: "Close those that are not used.",
    };
    return this.#fail(FRONTEND.parse, "", errorResponse(rejectionFields("", limit)), entry);
  }

  reject(tag: number, plugin: string, why: Rejection, entry: Entry | undefined): Decision {
    const error = errorResponse(rejectionFields(plugin, why));
    if (!IS_COPY.has(tag)) return this.#fail(tag, plugin, error, entry);
    this.#pipeline.failCopy(error);
    this.#pipeline.push(this.#entry(ENTRY.copyEnd));
    return { kind: "replace", bytes: copyFail(`rejected by plugin "${plugin}"`) };
  }

  #fail(tag: number, plugin: string, error: Uint8Array, asked: Entry | undefined): Decision {
    const isQuery = tag === FRONTEND.query || tag === FRONTEND.functionCall;
    const request = asked?.request ?? this.#pipeline.takeNumber();
    const kind = isQuery ? ENTRY.query : ENTRY.execute;
    const failed = new Entry(kind, request, asked?.query, this.#calls.startMs);
    failed.closing = asked?.closing;
    if (tag === FRONTEND.query) this.onQuery();
    else if (isQuery) this.closeUnit();
    else this.#isDiscarding = true;
    failed.prepares = this.#unit?.parse?.entry;
    const hasUnit = this.#retractUnit();
    if (this.#pipeline.isIdle && !this.#hasServer) {
      if (tag === FRONTEND.query) this.dropUnnamed(failed);
      failed.local = error;
      this.#pipeline.push(failed);
      if (!isQuery) this.#hasLocal = true;
      return hasUnit ? RETRACT : DROP;
    }
    failed.error = error;
    this.#pipeline.push(failed);
    if (!isQuery) this.#hasServer = true;
    const bytes = isQuery ? failingQuery(plugin) : failingExecute(plugin);
    return hasUnit ? { kind: "retract", bytes } : { kind: "replace", bytes };
  }

  /** Takes back what was kept back, but its statement: it is prepared when it is needed. */
  #retractUnit(): boolean {
    const unit = this.#unit;
    this.#unit = undefined;
    if (unit === undefined) return false;
    this.#pipeline.retract(unit.entries);
    if (unit.bind !== undefined) this.#pipeline.onSkipped(unit.bind); // no server has its portal
    this.#hasServer = unit.hadServer;
    if (unit.late !== undefined) unit.late.isDropped = false;
    this.#lateParse = unit.parse ?? unit.late ?? this.#lateParse;
    return true;
  }

  respond(
    tag: number,
    plugin: string,
    reply: Reply,
    event: HookEvent,
    entry: Entry | undefined,
  ): Decision | undefined {
    try {
      return this.#respond(tag, reply, event, entry);
    } catch (error) {
      if (!(error instanceof InvalidReply)) throw error;
      this.#refuse(`the reply of plugin "${plugin}" cannot be sent: ${error.message}`);
      return DROP;
    }
  }

  #respond(
    tag: number,
    reply: Reply,
    event: HookEvent,
    asked: Entry | undefined,
  ): Decision | undefined {
    const formats = event.field(FIELD.resultFormats) ?? NOTHING;
    const { columns, rest, tag: command, rows } = encodeReply(reply, formats);
    const size = rest.length + (columns?.length ?? 0);
    if (this.#pipeline.localSize + size > WAITING_SIZE_MAX) return undefined;
    const isUndescribed = columns === undefined && rows > 0;
    if (tag === FRONTEND.query) {
      if (isUndescribed) throw new InvalidReply(UNDESCRIBED);
      this.onQuery();
      const entry = asked ?? this.#entry(ENTRY.query);
      entry.localTag = command;
      entry.rows = rows;
      this.dropUnnamed(entry);
      this.#answer(entry, columns === undefined ? rest : concat(columns, rest));
      return DROP;
    }
    const entry = asked!;
    const unit = this.#unit;
    entry.localTag = command;
    entry.rows = rows;
    this.#hasLocal = true;
    if (unit?.bind === undefined) {
      this.closeUnit();
      this.#answer(entry, rest);
      return DROP;
    }
    if (unit.describe !== undefined && isUndescribed) throw new InvalidReply(UNDESCRIBED);
    this.#answerUnit(unit, columns, rest, entry);
    return RETRACT;
  }

  #answerUnit(
    unit: Unit,
    columns: Uint8Array | undefined,
    rest: Uint8Array,
    execute: Entry,
  ): void {
    this.#retractUnit();
    if (unit.parse !== undefined) this.#answer(unit.parse.entry, PARSE_COMPLETE);
    this.#answer(unit.bind!, BIND_COMPLETE);
    if (unit.describe !== undefined) this.#answer(unit.describe, columns ?? NO_DATA);
    this.#answer(execute, rest);
  }

  #answer(entry: Entry, bytes: Uint8Array): void {
    entry.local = bytes;
    this.#pipeline.push(entry);
  }

  #entry(kind: number): Entry {
    return new Entry(kind, this.#pipeline.takeNumber(), undefined, this.#calls.startMs);
  }
}

const UNDESCRIBED = "it has rows that the client wants described, and no RowDescription";

const IS_COPY: ReadonlySet<number> = new Set([
  FRONTEND.copyData,
  FRONTEND.copyDone,
  FRONTEND.copyFail,
]);
