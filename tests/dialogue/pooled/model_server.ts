/**
 * A PostgreSQL of a few hundred lines: it follows the rules of the protocol that a pooler has to
 * know (what is skipped after an error, what ends a copy, when a name is gone), and nothing else of
 * a database. What it sends stays in its buffer until PostgreSQL would flush it.
 *
 * Source: exec_*_message() and PostgresMain() in postgres.c, CopyGetData() in copyfromparse.c
 *
 * @module
 */

import { concat, textOf, utf8 } from "../../../src/base/bytes.ts";
import {
  type Bytes,
  complete,
  COPY_DONE,
  copyData,
  cut,
  error,
  int32,
  message,
  parameterStatus,
  ready,
} from "../../support/messages.ts";
import { type ModelDatabase, ModelError, ModelState, type Outcome } from "./model_state.ts";

/** What a bound statement is. */
interface Portal {
  readonly text: string;
  isRun: boolean;
  /** Its transaction has failed since: it cannot be run, not even to end that. */
  hasFailed: boolean;
}

/** One session of it, from its first ReadyForQuery on. */
export class ModelServer {
  readonly state: ModelState;
  readonly #portals = new Map<string, Portal>();
  #unread: Bytes = new Uint8Array();
  #buffer: Uint8Array[] = [];
  #flushed: Uint8Array[] = [];
  #isSkipping = false;
  #copy: "none" | "query" | "execute" = "none";
  #isClosed = false;
  #copyFailures = 0;

  constructor(database: ModelDatabase, startup: ReadonlyMap<string, string> = new Map()) {
    this.state = new ModelState(database, startup);
  }

  /** True while it takes CopyData. */
  get isCopyIn(): boolean {
    return this.#copy !== "none";
  }

  /** How many copies have failed after it had asked for data. */
  get copyFailureCount(): number {
    return this.#copyFailures;
  }

  /** True once it was told to end. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True if it skips what it is sent up to a Sync. */
  get isSkipping(): boolean {
    return this.#isSkipping;
  }

  /** What it sends between AuthenticationOk and BackendKeyData. */
  greeting(): Bytes {
    return concat(...this.state.takeReports().map(([name, value]) => parameterStatus(name, value)));
  }

  /** @returns What it has sent since. */
  hear(bytes: Uint8Array): Bytes {
    const messages = cut(concat(this.#unread, bytes));
    this.#unread = new Uint8Array();
    for (const { tag, bytes: whole } of messages) {
      if (tag === "cut") this.#unread = new Uint8Array(whole);
      else if (!this.#isClosed) this.#onMessage(tag, whole.subarray(5));
    }
    const sent = concat(...this.#flushed);
    this.#flushed = [];
    return sent;
  }

  /** All that it has said, be it flushed or not. */
  get unflushed(): Bytes {
    return concat(...this.#buffer);
  }

  #onMessage(tag: string, body: Uint8Array): void {
    if (tag === "X") return void (this.#isClosed = true);
    if (this.#copy !== "none") return this.#onCopyMessage(tag, body);
    if (this.#isSkipping && tag !== "S") return;
    switch (tag) {
      case "Q":
        return this.#onQuery(textOf(body.subarray(0, -1)));
      case "S":
        return this.#onSync();
      case "H":
        return this.#flush();
      case "d":
      case "c":
      case "f":
        return; // what is left of a copy that failed
    }
    this.#guard(() => this.#onExtended(tag, body));
  }

  #onQuery(text: string): void {
    this.state.prepared.delete("");
    const texts = text.split(";").map((one) => one.trim()).filter((one) => one !== "");
    if (texts.length === 0) this.#send(message("I"));
    try {
      for (const [i, one] of texts.entries()) {
        this.state.open();
        this.state.checkAborted(one);
        this.state.analyse(one);
        this.#portals.delete(""); // it runs in one
        const outcome = this.#run(one);
        if (i === texts.length - 1 && outcome.kind !== "copy in") this.state.closeImplicit();
        this.#show(outcome, true);
        if (outcome.kind !== "copy in") continue;
        this.#copy = "query";
        if (outcome.failsAtOnce) this.#failCopy();
        return this.#flush();
      }
    } catch (problem) {
      this.#copy = "none";
      this.#onError(problem);
    }
    this.#ready();
  }

  #onSync(): void {
    try {
      if (this.state.isOpen) this.state.closeImplicit();
    } catch (problem) {
      this.#onError(problem);
    }
    this.#isSkipping = false;
    this.#ready();
  }

  #onExtended(tag: string, body: Uint8Array): void {
    const texts = textOf(body).split("\0");
    this.state.open();
    switch (tag) {
      case "P":
        return this.#onParse(texts[0]!, texts[1]!);
      case "B":
        return this.#onBind(texts[0]!, texts[1]!);
      case "D":
        return this.#onDescribe(texts[0]!);
      case "E":
        return this.#onExecute(texts[0]!);
      case "C":
        if (texts[0]!.startsWith("S")) this.state.prepared.delete(texts[0]!.slice(1));
        else this.#portals.delete(texts[0]!.slice(1));
        return this.#send(message("3"));
    }
    throw new Error(`the model does not know the message "${tag}"`);
  }

  #onParse(name: string, text: string): void {
    if (name === "") this.state.prepared.delete("");
    this.state.checkAborted(text);
    if (text.includes("nowhere")) throw new ModelError("42P01", 'relation "nowhere" is missing');
    this.state.analyse(text);
    if (name !== "" && this.state.prepared.has(name)) {
      throw new ModelError("42P05", `prepared statement "${name}" already exists`);
    }
    this.state.prepared.set(name, text);
    this.#send(message("1"));
  }

  #textOf(statement: string): string {
    if (statement !== "" || this.state.prepared.has("")) return this.state.textOf(statement);
    throw new ModelError("26000", "unnamed prepared statement does not exist");
  }

  #onBind(portal: string, statement: string): void {
    const text = this.#textOf(statement);
    this.state.checkAborted(text);
    if (portal !== "" && this.#portals.has(portal)) {
      throw new ModelError("42P03", `cursor "${portal}" already exists`);
    }
    this.#portals.set(portal, { text, isRun: false, hasFailed: false });
    this.#send(message("2"));
  }

  #onDescribe(what: string): void {
    const name = what.slice(1);
    const text = what.startsWith("S") ? this.#textOf(name) : this.#portal(name).text;
    if (what.startsWith("S")) this.#send(message("t", "\0\0"));
    const hasRows = /^(select|show)/i.test(text);
    if (hasRows) this.state.checkAborted(text);
    this.#send(hasRows ? message("T", "\0\0") : message("n"));
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal !== undefined) return portal;
    throw new ModelError("34000", `portal "${name}" does not exist`);
  }

  #onExecute(name: string): void {
    const portal = this.#portal(name);
    if (portal.text === "") return this.#send(message("I"));
    this.state.checkAborted(portal.hasFailed ? "" : portal.text);
    if (portal.isRun) throw new ModelError("55000", `portal "${name}" cannot be run`);
    portal.isRun = true;
    const outcome = this.#run(portal.text);
    this.state.isPipelining = this.state.isOpen;
    this.#show(outcome, false);
    if (outcome.kind !== "copy in") return;
    this.#copy = "execute";
    if (outcome.failsAtOnce) this.#failCopy();
    this.#flush();
  }

  #run(text: string): Outcome {
    const wasOpen = this.state.status;
    const [, name] = /^execute "?(\w+)"?$/i.exec(text) ?? [];
    const outcome = this.state.run(name === undefined ? text : this.#executed(name));
    if (wasOpen !== "I" && this.state.status === "I" || /^discard/i.test(text)) {
      this.#portals.clear();
    }
    return outcome;
  }

  #executed(name: string): string {
    this.state.checkAborted("execute");
    return this.state.textOf(name);
  }

  #show(outcome: Outcome, isSimple: boolean): void {
    switch (outcome.kind) {
      case "done":
        return this.#send(complete(outcome.tag));
      case "rows":
        if (isSimple) this.#send(message("T", "\0\0"));
        for (const row of outcome.rows) this.#send(dataRow(row));
        return this.#send(complete(`SELECT ${outcome.rows.length}`));
      case "copy out":
        return this.#send(
          message("H", "\0\0\0"),
          copyData("a\n"),
          copyData("b\n"),
          COPY_DONE,
          complete("COPY 2"),
        );
      case "copy in":
        return this.#send(message("G", "\0\0\0"));
    }
  }

  // Copy in -----------------------------------------------------------------------------------

  #onCopyMessage(tag: string, body: Uint8Array): void {
    switch (tag) {
      case "H":
      case "S":
        return; // ignored
      case "d":
        if (!textOf(body).includes("bad")) return;
        return this.#endCopy(new ModelError("22P02", "invalid input in copy"));
      case "f":
        return this.#endCopy(new ModelError("57014", "COPY from stdin failed"));
      case "c":
        return this.#endCopy(undefined);
    }
    throw new Error(`no client of the model sends "${tag}" in a copy`);
  }

  /** CopyFrom() looks at the kind of relation only after it has asked for data. */
  #failCopy(): never {
    this.#copyFailures += 1;
    throw new ModelError("42809", "cannot copy to view");
  }

  #endCopy(problem: ModelError | undefined): void {
    const copy = this.#copy;
    this.#copy = "none";
    if (problem !== undefined) this.#copyFailures += 1;
    if (copy === "execute") {
      if (problem !== undefined) this.#guard(() => raise(problem));
      else this.#send(complete("COPY 1"));
      return;
    }
    try {
      if (problem !== undefined) throw problem;
      this.state.closeImplicit();
      this.#send(complete("COPY 1"));
    } catch (error) {
      this.#onError(error);
    }
    this.#ready();
  }

  // Answers -----------------------------------------------------------------------------------

  #guard(act: () => void): void {
    try {
      act();
    } catch (problem) {
      this.#copy = "none";
      this.#onError(problem);
      this.#isSkipping = true;
    }
  }

  #onError(problem: unknown): void {
    if (!(problem instanceof ModelError)) throw problem;
    this.state.fail();
    if (!this.state.isOpen) this.#portals.clear();
    for (const portal of this.#portals.values()) portal.hasFailed = true;
    this.#send(error("ERROR", problem.sqlState, problem.message));
    this.#flush();
  }

  #ready(): void {
    if (!this.state.isOpen) this.#portals.clear();
    for (const [name, value] of this.state.takeReports()) this.#send(parameterStatus(name, value));
    this.#send(ready(this.state.status));
    this.#flush();
  }

  #send(...messages: readonly Uint8Array[]): void {
    this.#buffer.push(...messages);
  }

  #flush(): void {
    this.#flushed.push(...this.#buffer.splice(0));
  }
}

function raise(problem: Error): never {
  throw problem;
}

function dataRow(values: readonly (string | undefined)[]): Bytes {
  const parts = values.flatMap((value) => {
    if (value === undefined) return [int32(-1)];
    const bytes = utf8(value);
    return [int32(bytes.length), bytes];
  });
  return message("D", Uint8Array.of(0, values.length), ...parts);
}
