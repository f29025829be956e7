/**
 * What a hooked session's client has prepared and bound, by name: so that a plugin is told the text
 * and the values of what is executed.
 *
 * @module
 */

import { LateMap } from "../../base/late_collections.ts";
import { STATUS_FAILED } from "../wire/tags.ts";
import { ASSEMBLED_SIZE_MAX } from "./assembled.ts";

/** Statements that one session may have prepared while plugins look on. */
const STATEMENTS_MAX = 25_000;

/** Bytes of their texts together. */
const TEXTS_SIZE_MAX = 32 * 1024 * 1024;

/** Portals that are open at one time. */
const PORTALS_MAX = 1_000;

/** Bytes of Binds that are kept for a later Execute: of a portal beyond it, no values are told. */
const BINDS_SIZE_MAX = ASSEMBLED_SIZE_MAX;

/** A query as a plugin is told of it. */
export interface QueryInfo {
  /** A copy, without the NUL behind it. */
  readonly text: Uint8Array;
  readonly statementName: string;
  /** Which of the session's Syncs, from 0, its Parse came behind. */
  readonly cycle: number;
  /** RowDescription, once it has been seen. */
  columns: Uint8Array | undefined;
}

/** A statement that is to be closed. */
export interface Closing {
  readonly statementName: string;
  /** Which of the session's Syncs, from 0, it came behind. */
  readonly cycle: number;
  readonly text: undefined;
}

/** A statement with its values. */
export interface Portal {
  readonly name: string;
  /** Number of its Bind, or of its Close. */
  readonly request: number;
  /** Which of the session's Syncs, from 0, that came behind. */
  readonly cycle: number;
  /** False for what a Close leaves until the server has answered it. */
  readonly isOpen: boolean;
  /** The one of this name before it, until the server has answered. */
  replaced: Portal | undefined;
  /** The one of this name behind it. */
  newer: Portal | undefined;
  /** The server has answered the Bind. */
  isSure: boolean;
  /** The Bind, or Close, has failed or was skipped: what the server has is that of before. */
  isLost: boolean;
  /** The server may run it in a transaction that has failed: it was bound since. */
  runsInFailed: boolean;
  readonly query: QueryInfo | undefined;
  /** The whole Bind; undefined if there was no room to keep it, or it is done with. */
  bind: Uint8Array | undefined;
  /** Bytes of it, if it is kept as a copy. */
  keptSize: number;
  /** What the Bind asks for, where somebody wants rows. */
  resultFormats: Uint8Array | undefined;
}

/** Statements and portals of one session. */
export class ClientState {
  readonly #statements = new LateMap<string, QueryInfo>();
  /** Those that a server has not said to be prepared, or closed, yet. */
  readonly #pending = new LateMap<string, QueryInfo | Closing>();
  /** The portal without a name, which most drivers use for everything. */
  #unnamed: Portal | undefined;
  /** Those with a name. */
  readonly #portals = new LateMap<string, Portal>();
  /** Portals whose Bind may still be a view of the client's read buffer. */
  readonly #borrowing: Portal[] = [];
  /** The last request behind which there was no transaction, and so no portal. */
  #idleRequest = 0;
  /** Bytes of all Binds that are kept. */
  #bindsSize = 0;
  /** Bytes of all texts, pending ones included. */
  #textsSize = 0;

  statement(name: string): QueryInfo | undefined {
    const pending = this.#pending.get(name);
    if (pending === undefined) return this.#statements.get(name);
    return pending.text === undefined ? undefined : pending;
  }

  portal(name: string): Portal | undefined {
    const portal = this.#portalOf(name);
    return portal?.isOpen === true && !portal.isLost ? portal : undefined;
  }

  /**
   * Whether a server may run a portal of which nobody here knows what it is.
   *
   * @param hasFailed Its transaction has failed: what was bound before, a server refuses to run,
   * even a ROLLBACK (`PortalReleaseCachedPlan` in portalmem.c).
   */
  mayRunLost(name: string, hasFailed: boolean): boolean {
    const portal = this.#portalOf(name);
    return portal?.isLost === true && (portal.runsInFailed || !hasFailed);
  }

  /**
   * Whether only the server's answer will tell which portal a name stands for, or whether there is
   * still one: the end of its transaction may be on its way.
   */
  isPortalUncertain(
    name: string,
    { cycle, isRequestDue }: { readonly cycle: number; readonly isRequestDue: boolean },
  ): boolean {
    const portal = this.#portalOf(name);
    if (portal === undefined) return false;
    return portal.isLost ? isRequestDue : !portal.isSure && portal.cycle !== cycle;
  }

  /** True if nothing waits for a server to say that it is prepared. */
  get isCertain(): boolean {
    return this.#pending.size === 0;
  }

  /**
   * Whether only the server's answer will tell what a name stands for: what prepares, or closes, it
   * was sent behind an earlier Sync, and may fail or be skipped without what comes now.
   */
  isUncertain(name: string, cycle: number): boolean {
    const pending = this.#pending.get(name);
    return pending !== undefined && pending.cycle !== cycle;
  }

  /** Whether there is room for one more statement, whose text has so many bytes. */
  mayPrepare(textSize: number): boolean {
    const count = this.#statements.size + this.#pending.size;
    return count < STATEMENTS_MAX && this.#textsSize + textSize <= TEXTS_SIZE_MAX;
  }

  /** A Parse is sent. @returns The statement, or undefined if there are too many. */
  prepare(statementName: string, text: Uint8Array, cycle: number): QueryInfo | undefined {
    if (!this.mayPrepare(text.length)) return undefined;
    const query = { text: text.slice(), statementName, cycle, columns: undefined };
    this.#textsSize += text.length;
    this.#pending.set(statementName, query);
    return query;
  }

  /** It is prepared. */
  prepared(query: QueryInfo): void {
    const { statementName } = query;
    if (this.#pending.get(statementName) === query) this.#pending.delete(statementName);
    if (this.#statements.get(statementName) === query) return;
    this.#forget(statementName);
    this.#statements.set(statementName, query);
  }

  /** What was to be prepared has been skipped, or has failed. */
  failed(query: QueryInfo | Closing): void {
    const { statementName, text } = query;
    if (this.#statements.get(statementName) === query) return;
    if (this.#pending.get(statementName) === query) this.#pending.delete(statementName);
    this.#textsSize -= text?.length ?? 0;
  }

  /** A statement is to be closed. @returns What to say when it is; undefined if there is none. */
  close(statementName: string, cycle: number): Closing | undefined {
    if (!this.#pending.has(statementName) && !this.#statements.has(statementName)) return undefined;
    const closing = { statementName, cycle, text: undefined };
    this.#pending.set(statementName, closing);
    return closing;
  }

  /** It is closed. */
  closed(closing: Closing): void {
    this.failed(closing);
    this.#forget(closing.statementName);
  }

  /** A Query has ended the statement without a name. */
  forgetUnnamed(): void {
    if (this.#statements.size > 0) this.#forget("");
  }

  /**
   * A Bind is sent.
   *
   * @param bind A view; see {@linkcode ClientState.keep}.
   * @returns The portal, or undefined if there are too many.
   */
  bind(
    name: string,
    statementName: string,
    bind: Uint8Array,
    { request, cycle }: { readonly request: number; readonly cycle: number },
  ): Portal | undefined {
    const query = this.statement(statementName);
    const before = this.#portalOf(name);
    const isNew = name !== "" && before === undefined;
    if (isNew && this.#portals.size >= PORTALS_MAX) return undefined;
    if (before !== undefined) this.executed(before);
    const portal: Portal = {
      name,
      request,
      cycle,
      isOpen: true,
      replaced: before,
      newer: undefined,
      isSure: false,
      isLost: false,
      runsInFailed: false,
      query,
      bind,
      keptSize: 0,
      resultFormats: undefined,
    };
    this.#replace(before, portal);
    this.#borrowing.push(portal);
    return portal;
  }

  /** A portal is to be closed. @returns What to say when it is; undefined if there is none. */
  closePortal(name: string, request: number, cycle: number): Portal | undefined {
    const before = this.#portalOf(name);
    if (before === undefined) return undefined;
    this.executed(before);
    const closing = {
      ...before,
      request,
      cycle,
      isOpen: false,
      replaced: before,
      isSure: false,
      isLost: false,
      query: undefined,
    };
    this.#replace(before, closing);
    return closing;
  }

  #replace(before: Portal | undefined, portal: Portal): void {
    if (before !== undefined) before.newer = portal;
    this.#setPortal(portal.name, portal);
  }

  /**
   * The server has bound, or closed, it.
   *
   * @param status What the transaction is.
   */
  portalDone(portal: Portal, status: number): void {
    portal.replaced = undefined;
    portal.isSure = true;
    portal.isLost = false;
    portal.runsInFailed = status === STATUS_FAILED;
    if (!portal.isOpen) this.#endPortal(portal);
  }

  /**
   * Its Bind, or Close, has failed or was skipped.
   *
   * @param isUnsure The server may have carried it out nevertheless.
   */
  portalFailed(portal: Portal, isUnsure: boolean): void {
    this.executed(portal);
    const { replaced } = portal;
    portal.replaced = undefined;
    const isNew = replaced === undefined || replaced.request <= this.#idleRequest;
    if (isNew && !isUnsure) return this.#endPortal(portal);
    portal.isLost = true;
    const isKnown = replaced?.isSure === true || replaced?.isLost === true;
    portal.runsInFailed = isUnsure || !isKnown || replaced.runsInFailed;
  }

  /** There is none of its name any more, but for one that came behind it. */
  #endPortal(portal: Portal): void {
    if (portal.newer?.replaced === portal) portal.newer.replaced = undefined;
    if (this.#portalOf(portal.name) === portal) this.#setPortal(portal.name, undefined);
  }

  /** The view is going to change: what is still needed is copied. */
  keep(): void {
    for (
      let portal = this.#borrowing.pop();
      portal !== undefined;
      portal = this.#borrowing.pop()
    ) {
      const { bind } = portal;
      if (bind === undefined) continue;
      const isKept = this.#bindsSize + bind.length <= BINDS_SIZE_MAX;
      portal.bind = isKept ? bind.slice() : undefined;
      portal.keptSize = isKept ? bind.length : 0;
      this.#bindsSize += portal.keptSize;
    }
  }

  /** A portal was executed: its values are told once. */
  executed(portal: Portal): void {
    portal.bind = undefined;
    this.#bindsSize -= portal.keptSize;
    portal.keptSize = 0;
  }

  /** A statement is closed, or replaced. */
  #forget(statementName: string): void {
    const before = this.#statements.get(statementName);
    if (before === undefined) return;
    this.#textsSize -= before.text.length;
    this.#statements.delete(statementName);
  }

  /** A transaction has ended with this request, and all portals of before with it. */
  onIdle(request: number): void {
    this.#idleRequest = request;
    if (this.#unnamed !== undefined) this.#onIdle(this.#unnamed);
    if (this.#portals.size === 0) return;
    for (const portal of this.#portals.values()) this.#onIdle(portal);
  }

  /** It is no more, unless it was bound behind the request. */
  #onIdle(portal: Portal): void {
    if (portal.request > this.#idleRequest) return;
    this.executed(portal);
    this.#setPortal(portal.name, undefined);
  }

  #portalOf(name: string): Portal | undefined {
    return name === "" ? this.#unnamed : this.#portals.get(name);
  }

  #setPortal(name: string, portal: Portal | undefined): void {
    if (name === "") this.#unnamed = portal;
    else if (portal === undefined) this.#portals.delete(name);
    else this.#portals.set(name, portal);
  }
}
