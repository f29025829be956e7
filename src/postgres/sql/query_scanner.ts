/**
 * Finds out what a query text does to its session. It is no parser: it knows where statements
 * begin, reads the few commands that matter by their grammar, and looks in the others for calls
 * of the few functions that matter. A text that the server refuses may get any answer.
 *
 * Source: https://www.postgresql.org/docs/current/sql-commands.html
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import {
  readDeallocate,
  readDeclare,
  readDiscard,
  readPrepare,
  readStatementName,
  readTransactionEnd,
} from "./commands.ts";
import { quotedKeyword } from "./identifiers.ts";
import type { Keyword } from "./keywords.ts";
import { Lexer } from "./lexer.ts";
import { readReset, readSet, readSetConfig } from "./parameters.ts";
import { PLAIN_COMMANDS, type PlainCommand, plainCommandOf } from "./plain_query.ts";
import type { Traits } from "./traits.ts";
import { Flag, TraitsDraft } from "./traits_draft.ts";

const NO_TEXT = new Uint8Array();

/** What is looked for in quotes: names of functions and schemas that are keywords here. */
const QUOTED_NAMES: ReadonlySet<Keyword> = new Set<Keyword>([
  ...["pg_advisory_lock", "pg_advisory_lock_shared"] as const,
  ...["pg_advisory_unlock_all", "pg_settings", "pg_temp", "pg_try_advisory_lock"] as const,
  ...["pg_try_advisory_lock_shared", "set_config"] as const,
]);

const EXPLAIN_OPTIONS: ReadonlySet<Keyword> = new Set(["analyse", "analyze", "verbose"]);

/** Words that stand behind a table's name, so that TEMP before them is one. */
const AFTER_TABLE_NAME: ReadonlySet<Keyword> = new Set<Keyword>([
  ...["as", "default", "for", "from", "overriding", "select", "using"] as const,
  ...["values", "where", "with"] as const,
]);

/** Scans one text after the other. Keep one for all sessions of a thread: it reuses its parts. */
export class QueryScanner {
  readonly #lexer = new Lexer();
  readonly #draft = new TraitsDraft();
  /** The last keyword before the current one in the current statement. */
  #previous: Keyword = "";
  /** Parentheses around the current token. */
  #depth = 0;
  /** True in a CREATE, also in one that is explained. */
  #isCreate = false;
  /** True in a CREATE TABLE until its first AS, which EXECUTE may follow. */
  #awaitsAs = false;
  /** True in a CREATE of something temporary that outlives its transaction. */
  #isTemporary = false;
  /** True in a CREATE FUNCTION or CREATE PROCEDURE, whose body is not run. */
  #isRoutine = false;
  readonly #plain = new Map<PlainCommand, Traits>(
    PLAIN_COMMANDS.map((command) => [command, this.scan(utf8(command), true)]),
  );

  /**
   * As `scan`, for most of what clients send, and much faster. The text is read from `start` to
   * `end`, during the call only.
   *
   * @returns Undefined if only `scan` can say.
   */
  scanPlain(bytes: Uint8Array, start: number, end: number): Traits | undefined {
    const command = plainCommandOf(bytes, start, end);
    return command === undefined ? undefined : this.#plain.get(command);
  }

  /**
   * Scans one text, in time proportional to its size and whatever its bytes are.
   *
   * @param text Read during the call only. In UTF-8, or another encoding in which ASCII bytes mean
   * ASCII and nothing else; a name that is not UTF-8 has U+FFFD in it.
   * @param standardConformingStrings The session's parameter of that name: false makes a backslash
   * an escape in every string.
   */
  scan(text: Uint8Array, standardConformingStrings: boolean): Traits {
    const lexer = this.#lexer;
    lexer.begin(text, standardConformingStrings);
    this.#draft.begin();
    while (this.#readStatement());
    if (lexer.isCut) this.#draft.setFlag(Flag.isOpaque);
    lexer.begin(NO_TEXT, true); // the text is a view of a buffer that others need
    return this.#draft.finish();
  }

  /** Reads a statement and its semicolon. @returns False at the end of the text. */
  #readStatement(): boolean {
    const lexer = this.#lexer;
    let kind = lexer.next();
    while (kind === ";") kind = lexer.next();
    if (kind === "end") return false;
    this.#depth = 0;
    while (kind === "(") {
      this.#depth += 1;
      kind = lexer.next();
    }
    const word = lexer.word;
    const afterWord = kind === "word" ? lexer.end : lexer.start;
    this.#previous = word;
    this.#isCreate = false;
    this.#awaitsAs = false;
    this.#isTemporary = false;
    this.#isRoutine = false;
    this.#draft.addStatement(word);
    this.#readCommand(word);
    lexer.end = afterWord; // that was read ahead only
    if (this.#isRoutine) this.#readRoutine();
    else this.#readRest();
    if (this.#isTemporary) this.#draft.addPin("temporary object");
    return true;
  }

  /** Reads ahead what the first word of a statement asks for. */
  #readCommand(word: Keyword): void {
    const lexer = this.#lexer;
    const draft = this.#draft;
    switch (word) {
      case "alter":
      case "drop":
      case "import":
        return draft.setFlag(Flag.changesSchema);
      case "begin":
        return draft.setFlag(Flag.beginsTransaction);
      case "start":
        if (lexer.peekWord() === "transaction") draft.setFlag(Flag.beginsTransaction);
        return;
      case "abort":
      case "commit":
      case "end":
      case "rollback":
        return readTransactionEnd(lexer, draft, word);
      case "call":
      case "do":
        return draft.setFlag(Flag.isOpaque);
      case "close":
        if (lexer.peekWord() === "all") draft.addUnpin("close all");
        return;
      case "create":
        return this.#readCreate();
      case "declare":
        return readDeclare(lexer, draft);
      case "deallocate":
        return readDeallocate(lexer, draft);
      case "discard":
        return readDiscard(lexer, draft);
      case "execute":
        lexer.next();
        return readStatementName(lexer, draft, "execute");
      case "explain":
        return this.#readExplain();
      case "listen":
        return draft.addPin("listen");
      case "load":
        return draft.addPin("load");
      case "prepare":
        return readPrepare(lexer, draft);
      case "reset":
        return readReset(lexer, draft);
      case "set":
        return readSet(lexer, draft);
      case "unlisten":
        if (lexer.peek() === "*") draft.addUnpin("unlisten all");
    }
  }

  #readCreate(): void {
    const lexer = this.#lexer;
    this.#isCreate = true;
    this.#draft.setFlag(Flag.changesSchema);
    lexer.next();
    if (lexer.word === "or") {
      lexer.next(); // REPLACE
      lexer.next();
    }
    if (lexer.word === "global" || lexer.word === "local") lexer.next();
    this.#isTemporary = lexer.word === "temp" || lexer.word === "temporary";
    if (this.#isTemporary || lexer.word === "unlogged") lexer.next();
    this.#awaitsAs = lexer.word === "table";
    this.#isRoutine = lexer.word === "function" || lexer.word === "procedure";
  }

  #readExplain(): void {
    const lexer = this.#lexer;
    let kind = lexer.next();
    if (kind === "(") {
      for (let depth = 1; depth > 0 && kind !== "end";) {
        kind = lexer.next();
        if (kind === "(") depth += 1;
        else if (kind === ")") depth -= 1;
      }
      lexer.next();
    } else {
      while (EXPLAIN_OPTIONS.has(lexer.word)) lexer.next();
    }
    const word = lexer.word;
    if (word === "create" || word === "declare" || word === "execute") this.#readCommand(word);
  }

  /** Reads what is left of a statement. */
  #readRest(): void {
    const lexer = this.#lexer;
    for (;;) {
      switch (lexer.next()) {
        case "word": {
          const word = lexer.word;
          if (word === "") break;
          this.#readWord(word);
          this.#previous = word;
          break;
        }
        case "quoted":
          this.#readQuoted();
          break;
        case "(":
          this.#depth += 1;
          break;
        case ")":
          if (this.#depth > 0) this.#depth -= 1;
          break;
        case ";":
          if (this.#depth === 0) return;
          break;
        case "end":
          if (this.#depth > 0) this.#draft.setFlag(Flag.isOpaque);
          return;
      }
    }
  }

  /** Looks at a word inside a statement. Reading goes on at `lexer.end`. */
  #readWord(word: Keyword): void {
    const lexer = this.#lexer;
    switch (word) {
      case "as":
        if (this.#awaitsAs) this.#readCreateTableAs();
        return;
      case "into":
        return this.#readInto();
      case "on":
        if (this.#isTemporary && lexer.peekWord() === "commit") {
          lexer.next();
          if (lexer.peekWord() === "drop") this.#isTemporary = false;
        }
        return;
      case "pg_settings":
        // A rule of this view calls set_config().
        if (this.#previous === "update" || this.#previous === "only") {
          this.#draft.addParameter(undefined);
        }
        return;
      case "pg_temp":
        if (this.#isCreate && lexer.peek() === ".") this.#isTemporary = true;
        return;
      case "pg_advisory_lock":
      case "pg_advisory_lock_shared":
      case "pg_advisory_unlock_all":
      case "pg_try_advisory_lock":
      case "pg_try_advisory_lock_shared":
      case "set_config":
        if (lexer.peek() === "(") this.#readCall(word);
    }
  }

  /** A quoted identifier, too, may be the name of a function or a schema. */
  #readQuoted(): void {
    const name = quotedKeyword(this.#lexer);
    if (QUOTED_NAMES.has(name)) this.#readWord(name);
  }

  #readCall(name: Keyword): void {
    const draft = this.#draft;
    switch (name) {
      case "pg_advisory_unlock_all":
        return draft.addUnpin("advisory unlock all");
      case "set_config": {
        const end = this.#lexer.end;
        readSetConfig(this.#lexer, draft);
        this.#lexer.end = end; // its arguments may be calls
        return;
      }
      default:
        draft.addPin("advisory lock");
    }
  }

  #readCreateTableAs(): void {
    this.#awaitsAs = false;
    if (this.#lexer.peekWord() !== "execute") return;
    this.#lexer.next();
    this.#lexer.next();
    readStatementName(this.#lexer, this.#draft, "execute");
  }

  /** SELECT ... INTO [TEMP] [TABLE] name makes a table; INSERT INTO and MERGE INTO do not. */
  #readInto(): void {
    const lexer = this.#lexer;
    const end = lexer.end;
    const makesTable = this.#previous !== "insert" && this.#previous !== "merge";
    if (makesTable) this.#draft.setFlag(Flag.changesSchema);
    lexer.next();
    if (lexer.word === "global" || lexer.word === "local") lexer.next();
    let isTemporary = false;
    if (lexer.word === "temp" || lexer.word === "temporary") {
      const kind = lexer.next();
      // Without a name behind it, it is the name.
      isTemporary = kind === "quoted" || kind === "word" && !AFTER_TABLE_NAME.has(lexer.word);
    } else if (makesTable) {
      if (lexer.word === "table") lexer.next();
      const word = lexer.kind === "quoted" ? quotedKeyword(lexer) : lexer.word;
      isTemporary = word === "pg_temp" && lexer.peek() === ".";
    }
    if (isTemporary) this.#draft.addPin("temporary object");
    lexer.end = end;
  }

  /**
   * Reads what is left of a CREATE FUNCTION or PROCEDURE. Nothing in it runs now, and a body
   * BEGIN ATOMIC ... END has semicolons of its own.
   */
  #readRoutine(): void {
    const lexer = this.#lexer;
    let bodyDepth = 0; // 1 in the body, more in each CASE
    let isLabel = false; // behind AS or a dot a keyword is a name
    for (;;) {
      const kind = lexer.next();
      const word = lexer.word;
      if (kind === "end") break;
      if (kind === ";" && this.#depth === 0 && bodyDepth === 0) return;
      if (kind === "(") this.#depth += 1;
      else if (kind === ")" && this.#depth > 0) this.#depth -= 1;
      else if (word === "pg_temp" || kind === "quoted") this.#readTemporarySchema();
      else if (bodyDepth === 0) {
        if (word === "begin" && lexer.peekWord() === "atomic") bodyDepth = 1;
      } else if (!isLabel) {
        if (word === "case") bodyDepth += 1;
        else if (word === "end") bodyDepth -= 1;
      }
      isLabel = kind === "." || word === "as";
    }
    if (this.#depth > 0 || bodyDepth > 0) this.#draft.setFlag(Flag.isOpaque);
  }

  #readTemporarySchema(): void {
    const lexer = this.#lexer;
    const word = lexer.kind === "quoted" ? quotedKeyword(lexer) : lexer.word;
    if (word === "pg_temp" && lexer.peek() === ".") this.#isTemporary = true;
  }
}
