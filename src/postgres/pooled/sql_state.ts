/**
 * What a client's SQL does to its session, followed from server to server or held on one:
 * parameters that were SET, statements that were PREPAREd, and what pins a session.
 *
 * What a text does counts once its ReadyForQuery has come without an error.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { LateSet } from "../../base/late_collections.ts";
import { isPlain, type Traits } from "../sql/traits.ts";
import { ProtocolError } from "../wire/errors.ts";
import { executeOnce, nameOf, query } from "../wire/extended_messages.ts";
import type { Backend } from "./backend.ts";
import type { ClientStatements } from "./client_statements.ts";
import type { OwnResult } from "./own_queries.ts";
import { OWN_NAME } from "./statements.ts";
import { type Effect, PreparedBySql, type PreparedOwner } from "./prepared_by_sql.ts";
import { refusalOf } from "./refused_statements.ts";
import type { PooledContext, PoolSettings } from "./pooled_context.ts";
import type { PooledSession } from "./pooled_session.ts";
import type { Replacement } from "./unnamed_statement.ts";
import type { UntrackedStatements } from "./untracked_statements.ts";

/** Effects that may be due at the same time; each statement has a few at most. */
const EFFECTS_MAX = 1_000;

/** One session's state that SQL made. */
export class SqlState implements PreparedOwner {
  readonly #context: PooledContext;
  readonly #settings: PoolSettings;
  readonly #session: PooledSession;
  readonly #statements: ClientStatements;
  readonly #prepared: PreparedBySql;
  readonly #untracked: UntrackedStatements;
  #effects: Effect[] = [];
  #isSettled = true;
  /** Queries of `follow` on their way. */
  #following = 0;
  /** In session mode: how many statements may have left something behind. */
  #dirtied = 0;
  #hasFollowed = false;
  /** In session mode: what the client has reset since, and its StartupMessage asked for. */
  readonly #resetNames = new LateSet<string>();

  /** @param untracked Statements that keep the client's own name, in session mode. */
  constructor(
    context: PooledContext,
    settings: PoolSettings,
    session: PooledSession,
    statements: ClientStatements,
    untracked: UntrackedStatements,
  ) {
    this.#untracked = untracked;
    this.#context = context;
    this.#settings = settings;
    this.#session = session;
    this.#statements = statements;
    this.#prepared = new PreparedBySql(session, statements, this);
  }

  schedule(effect: Effect): void {
    this.#effects.push(effect);
  }

  onPreparedExecute(backend: Backend, traits: Traits, request: number): void {
    if (!isPlain(traits)) this.#onTraits(backend, traits, request);
  }

  /** False if the session's server is no longer as the session wants it. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** True if what a statement on its way does is not known yet. */
  get isPending(): boolean {
    return this.#effects.length > 0;
  }

  /** True if what follows must wait until that is known: its request has been sent whole. */
  isBarrier({ replies }: Backend): boolean {
    return this.#effects.some(({ request }) => replies.isDue(request));
  }

  /** True while `follow` is under way. */
  get isFollowing(): boolean {
    return this.#following > 0;
  }

  /** Brings the session's state to a server that is quiet. */
  follow(backend: Backend): void {
    this.#isSettled = true;
    const isAgain = this.#hasFollowed && this.#settings.mode === "session";
    this.#hasFollowed = true;
    if (isAgain) return this.#setAgain(backend);
    const run = (text: Uint8Array, onError: (error: ReadonlyMap<string, string>) => void) => {
      this.#following += 1;
      backend.run(text, ({ error }: OwnResult) => {
        this.#following -= 1;
        if (error !== undefined) onError(error);
      });
    };
    for (const text of backend.parameters.follow(this.#session.parameters)) {
      run(text, (error) => this.#session.cannotFollow(backend, error));
    }
    this.#prepared.follow(backend, run);
  }

  /**
   * In session mode nobody knows what else the client has set, and what it has prepared stays: a
   * Query would end its unnamed statement.
   */
  #setAgain(backend: Backend): void {
    const { defaults } = this.#session.parameters;
    const sets = [...defaults].filter(([name]) => this.#resetNames.has(name));
    this.#resetNames.clear();
    for (const text of backend.parameters.set(sets)) {
      this.#following += 1;
      backend.runMessages(executeOnce(OWN_NAME, text), ({ error }: OwnResult) => {
        this.#following -= 1;
        if (error !== undefined) this.#session.cannotFollow(backend, error);
      });
    }
  }

  /** @returns What is sent in place of the Query, if it is not what it is. */
  onQuery(backend: Backend, text: Uint8Array, isWhole: boolean): Replacement {
    if (backend.replies.isSkipping) return undefined; // it will not be executed
    const traits = this.#scan(backend, text);
    if (this.#isOpaque(traits)) backend.parameters.mayHaveChanged = true;
    const refusal = refusalOf(traits, this.#settings);
    if (refusal !== undefined) return query(refusal.text);
    this.#noteUse(backend, traits);
    if (isPlain(traits)) return undefined;
    const request = backend.replies.requestCount + 1;
    this.#onTraits(backend, traits, request);
    if (traits.statementNames.length === 0) return undefined;
    if (this.#settings.mode === "session") {
      this.#onUntracked(backend, traits, request);
      return undefined;
    }
    return this.#prepared.onQuery(backend, text, traits, isWhole, request);
  }

  /**
   * As `onQuery`, for a text that is sent as it is and does nothing to the session.
   *
   * @param bytes They hold the text from `start` to `end`.
   * @returns False if it may be another one: nothing is done then.
   */
  onPlainQuery(backend: Backend, bytes: Uint8Array, start: number, end: number): boolean {
    const traits = this.#context.scanner.scanPlain(bytes, start, end) ??
      this.#plainTraitsOf(backend, bytes.subarray(start, end));
    if (traits === undefined) return false;
    this.#noteUse(backend, traits);
    return true;
  }

  #plainTraitsOf(backend: Backend, text: Uint8Array): Traits | undefined {
    const traits = this.#scan(backend, text);
    const isOther = !isPlain(traits) || this.#isOpaque(traits) ||
      refusalOf(traits, this.#settings) !== undefined;
    return isOther ? undefined : traits;
  }

  #scan({ parameters }: Backend, text: Uint8Array): Traits {
    const isStandard = parameters.get("standard_conforming_strings") !== "off";
    return this.#context.scanner.scan(text, isStandard);
  }

  /** A statement of the extended protocol is going to be executed. */
  onExecute(backend: Backend, traits: Traits): void {
    if (backend.replies.isSkipping) return;
    if (this.#isOpaque(traits)) backend.parameters.mayHaveChanged = true;
    this.#noteUse(backend, traits);
    if (isPlain(traits)) return;
    this.#onTraits(backend, traits, backend.replies.requestCount + 1); // its Sync is to come
    this.#prepared.onExecute(backend, traits, backend.replies.requestCount + 1);
  }

  /** SQL executes what was prepared by Parse, under names that are the server's, too. */
  #onUntracked(backend: Backend, { statementNames }: Traits, request: number): void {
    for (const { name, use } of statementNames) {
      const executed = use === "execute" ? this.#untracked.get(nameOf(utf8(name))) : undefined;
      if (executed !== undefined) this.#onTraits(backend, executed, request);
    }
  }

  /** A request has failed: it did nothing. */
  onError(backend: Backend): void {
    const failed = backend.replies.failedThrough;
    this.#session.parameters.onFailed(failed);
    if (this.#effects.length === 0) return;
    const isLeft = ({ request }: Effect) => request > failed;
    for (const effect of this.#effects) if (!isLeft(effect)) effect.fail?.(backend);
    this.#effects = this.#effects.filter(isLeft);
  }

  onReady(backend: Backend): void {
    const { parameters } = this.#session;
    const answered = backend.replies.answerCount;
    if (answered >= parameters.resettingRequest) parameters.isResetting = false;
    if (this.#effects.length === 0) return;
    const due = this.#effects.filter(({ request }) => request <= answered);
    this.#effects = this.#effects.filter(({ request }) => request > answered);
    for (const { apply, isTransactional } of due) {
      if (isTransactional !== true || !backend.isInTransaction) apply(backend);
    }
  }

  /** A FunctionCall of the client: what the function does cannot be seen. */
  onFunctionCall(backend: Backend): void {
    backend.parameters.mayHaveChanged = true;
    this.#noteUse(backend, undefined);
  }

  /** In session mode the next client is to find nothing of what a function may have left. */
  #noteUse(backend: Backend, traits: Traits | undefined): void {
    if (this.#settings.mode !== "session" || this.#settings.isReplicating) return;
    if (traits !== undefined && isPlain(traits) && leavesNothing(traits)) return;
    backend.isDirty = true;
    this.#dirtied += 1;
  }

  /** Whether a statement may set parameters that its text does not show. */
  #isOpaque(traits: Traits): boolean {
    if (this.#settings.isReplicating) return false;
    if (traits.isOpaque) return true;
    // In these the second byte of a character may look like ASCII, which the scanner relies on.
    const encoding = this.#session.parameters.told.get("client_encoding") ?? "";
    return UNSCANNABLE.has(encoding.toUpperCase());
  }

  #onTraits(backend: Backend, traits: Traits, request: number): void {
    const session = this.#session;
    if (this.#effects.length >= EFFECTS_MAX) {
      const rule = `at most ${EFFECTS_MAX} of them may wait for a Sync`;
      throw new ProtocolError(`too many statements that change the session: ${rule}`, "54000");
    }
    const onSuccess = (apply: Effect["apply"], isTransactional = false, fail?: Effect["fail"]) =>
      void this.#effects.push({ request, apply, isTransactional, ...fail && { fail } });
    if (this.#settings.mode !== "session") {
      for (const pin of traits.pins) session.pin(pin);
      if (traits.setsUnknownParameter) session.pin("parameter");
      if (traits.setsNamesLocally) session.touched.touchNamesLocally();
      if (traits.hasMoreStatementNames) session.pin("prepare");
      if (traits.resetsAllParameters) session.touched.touchAll(backend);
      session.touched.touch(traits.parameters, traits.resets);
    }
    const notReset = traits.parameters.filter((name) => !traits.resets.includes(name));
    if (traits.resetsAllParameters) {
      onSuccess((server) => {
        session.parameters.resetAll();
        const names = [...session.parameters.defaults.keys()];
        this.#onReset(server, names.filter((name) => !notReset.includes(name)));
      }, true);
    } else if (traits.resets.length > 0) {
      onSuccess((server) => {
        traits.resets.forEach((name) => session.parameters.reset(name));
        this.#onReset(server, traits.resets);
      }, true);
    }
    const resetsAll = traits.resetsAllParameters || traits.discards.includes("all");
    session.parameters.expect(request, resetsAll ? "all" : traits.resets, notReset);
    if (this.#settings.mode === "session" && session.parameters.isReset(request)) {
      onSuccess(() => notReset.forEach((name) => this.#resetNames.delete(name)));
    }
    if (traits.changesSchema) onSuccess(() => this.#context.onSchemaChange());
    if (traits.discards.includes("all")) {
      const dirtied = this.#dirtied;
      const forgetTouched = session.touched.discard();
      onSuccess(
        (server) => {
          forgetTouched();
          this.#onDiscardAll(server, dirtied);
        },
        false,
        (server) => server.isInTransaction || this.#doubtStatements(server), // refused in one
      );
    }
    if (traits.discards.includes("temp")) {
      onSuccess(() => session.unpin("temporary object"), true);
    }
    for (const unpin of traits.unpins) onSuccess(() => session.unpin(PIN_OF[unpin]), true);
    if (traits.statementNames.some(({ use }) => use === "deallocate all")) {
      onSuccess(
        (server) => {
          this.#statements.clear();
          this.#prepared.clear();
          server.statements.clear();
          server.sqlStatements.clear();
        },
        false,
        (server) => this.#doubtStatements(server),
      );
    }
  }

  /** What it has prepared may be there no more. */
  #doubtStatements(server: Backend): void {
    server.statements.doubtAll();
    this.#prepared.doubtAll(server);
  }

  /** In session mode nobody reads what is set: the server has its own defaults now. */
  #onReset(backend: Backend, names: Iterable<string>): void {
    if (this.#settings.mode !== "session") return;
    const { defaults } = this.#session.parameters;
    for (const name of names) {
      if (!defaults.has(name)) continue;
      backend.parameters.forget(name);
      this.#resetNames.add(name);
    }
    this.#isSettled = false;
  }

  #onDiscardAll(backend: Backend, dirtied: number): void {
    this.#statements.clear();
    this.#prepared.clear();
    this.#session.unpin(undefined);
    this.#session.parameters.restore();
    backend.onDiscarded();
    if (this.#dirtied === dirtied) backend.isDirty = false; // what came behind it counts
    for (const name of this.#session.parameters.defaults.keys()) this.#resetNames.add(name);
    this.#isSettled = false;
  }

  /** RESET has gone back to the server's default where the client had asked for another one. */
  unsettle(): void {
    this.#isSettled = false;
  }
}

/** Encodings of clients in which a byte below 128 may be half of a character. */
const UNSCANNABLE: ReadonlySet<string> = new Set([
  "BIG5",
  "GB18030",
  "GBK",
  "JOHAB",
  "SHIFT_JIS_2004",
  "SJIS",
  "UHC",
]);

/** Statements that call no function and leave nothing behind. */
const LEAVES_NOTHING: ReadonlySet<string> = new Set(
  "abort begin commit end none release rollback savepoint show start".split(" "),
);

function leavesNothing({ command, statementCount }: Traits): boolean {
  return statementCount <= 1 && LEAVES_NOTHING.has(command);
}

/** Which pin an unpin ends; a cursor's is not worth a word. */
const PIN_OF: Readonly<Record<Traits["unpins"][number], string>> = {
  "unlisten all": "listen",
  "advisory unlock all": "advisory lock",
  "close all": "holdable cursor",
};
