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
import { errorResponse, message } from "../wire/messages.ts";
import { BACKEND, FRONTEND } from "../wire/tags.ts";
import type { Decision } from "./client_messages.ts";
import type { HookCalls } from "./hook_calls.ts";
import type { Outgoing } from "./outgoing.ts";
import { ENTRY, type Entry, type Pipeline } from "./pipeline.ts";
import { encodeReply, InvalidReply, rejectionFields } from "./plugin_reply.ts";
import { failingExecute, failingQuery } from "./texts.ts";
import { newUnit, type Unit } from "./unit.ts";

const PARSE_COMPLETE = message(BACKEND.parseComplete);
const BIND_COMPLETE = message(BACKEND.bindComplete);
const NO_DATA = message(BACKEND.noData);
const NOTHING = new Uint8Array();

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
  #lateParse: Uint8Array | undefined;
  /** After an error in the extended protocol, everything is thrown away up to the Sync. */
  #isDiscarding = false;
  /** The server has got something that a Sync has still to conclude. */
  #hasServer = false;
  /** Something has been answered here that a Sync has still to conclude. */
  #hasLocal = false;

  constructor(calls: HookCalls, refuse: (why: string) => void) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#refuse = refuse;
  }

  get unit(): Unit | undefined {
    return this.#unit;
  }

  /** True if what came since the last Sync was all answered here. */
  get isAllLocal(): boolean {
    return this.#hasLocal && !this.#hasServer;
  }

  /** Whether a message is thrown away, as a server does behind an error. */
  discards(tag: number): boolean {
    return this.#isDiscarding && tag !== FRONTEND.sync && tag !== FRONTEND.terminate;
  }

  // What passes -----------------------------------------------------------------------------------

  /** A message that only a Sync concludes goes to the server, now or when its unit is closed. */
  onPassed(): void {
    this.#hasServer = true;
    if (this.#unit !== undefined) this.#unit.entries += 1;
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
    this.#hasServer = this.#hasLocal = false;
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
    if (this.#unit !== undefined) this.#unit.parse = { message: message.slice(), entry };
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
    const entry = this.#entry(ENTRY.parse);
    entry.isOwn = true;
    this.#pipeline.push(entry);
    outgoing.replace(0, late);
    this.onPassed();
    if (this.#unit !== undefined) this.#unit.late = late;
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

  /** Too many statements to keep account of. */
  refuseStatement(): Decision {
    const limit = {
      sqlState: "54000", // program_limit_exceeded
      message: "too many prepared statements for the gateway's plugins to keep account of",
      hint: "Close statements that are not used.",
    };
    return this.#fail(FRONTEND.parse, "", errorResponse(rejectionFields("", limit)), undefined);
  }

  reject(tag: number, plugin: string, why: Rejection, entry: Entry | undefined): Decision {
    return this.#fail(tag, plugin, errorResponse(rejectionFields(plugin, why)), entry);
  }

  #fail(tag: number, plugin: string, error: Uint8Array, entry: Entry | undefined): Decision {
    const isQuery = tag === FRONTEND.query || tag === FRONTEND.functionCall;
    const failed = this.#entry(isQuery ? ENTRY.query : ENTRY.execute, entry?.query);
    if (!isQuery && tag !== FRONTEND.sync) this.#isDiscarding = true;
    const unit = this.#unit;
    this.#unit = undefined;
    if (unit !== undefined) {
      this.#pipeline.retract(unit.entries);
      this.#hasServer = unit.hadServer;
      this.#lateParse = unit.parse?.message ?? unit.late ?? this.#lateParse;
    }
    if (this.#pipeline.isIdle && !this.#hasServer) {
      failed.local = error;
      this.#pipeline.push(failed);
      this.#hasLocal = !isQuery;
      return unit === undefined ? DROP : RETRACT;
    }
    failed.error = error;
    this.#pipeline.push(failed);
    this.#hasServer = !isQuery;
    const bytes = isQuery ? failingQuery(plugin) : failingExecute(plugin);
    return unit === undefined ? { kind: "replace", bytes } : { kind: "retract", bytes };
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
    if (tag === FRONTEND.query) {
      const entry = asked ?? this.#entry(ENTRY.query);
      entry.localTag = command;
      entry.rows = rows;
      this.#answer(entry, columns === undefined ? rest : concat(columns, rest));
      return DROP;
    }
    const entry = asked!;
    const unit = this.#unit;
    this.#unit = undefined;
    entry.localTag = command;
    entry.rows = rows;
    if (unit?.bind === undefined) {
      this.#answer(entry, rest);
      this.#hasLocal = true;
      return DROP;
    }
    if (unit.describe !== undefined && columns === undefined) {
      throw new InvalidReply("it has rows that the client wants described, and no RowDescription");
    }
    this.#answerUnit(unit, columns, rest, entry);
    return RETRACT;
  }

  #answerUnit(
    unit: Unit,
    columns: Uint8Array | undefined,
    rest: Uint8Array,
    execute: Entry,
  ): void {
    this.#pipeline.retract(unit.entries);
    this.#hasServer = unit.hadServer;
    this.#hasLocal = true;
    this.#lateParse = unit.parse?.message ?? unit.late ?? this.#lateParse;
    if (unit.parse !== undefined) this.#answer(unit.parse.entry, PARSE_COMPLETE);
    this.#answer(unit.bind!, BIND_COMPLETE);
    if (unit.describe !== undefined) this.#answer(unit.describe, columns ?? NO_DATA);
    this.#answer(execute, rest);
  }

  #answer(entry: Entry, bytes: Uint8Array): void {
    entry.local = bytes;
    this.#pipeline.push(entry);
  }

  #entry(kind: number, query?: Entry["query"]): Entry {
    return this.#pipeline.entry(kind, query, this.#calls.nowMs);
  }
}
