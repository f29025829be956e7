/**
 * What a hooked session's client has prepared and bound, by name: so that a plugin is told the text
 * and the values of what is executed.
 *
 * @module
 */

import { int32At, textOf, uint16At } from "../../base/bytes.ts";
import { HEADER_SIZE } from "../wire/framer.ts";

/** Statements that one session may have prepared while plugins look on. */
const STATEMENTS_MAX = 25_000;

/** Bytes of their texts together. */
const TEXTS_SIZE_MAX = 32 * 1024 * 1024;

/** Portals that are open at one time. */
const PORTALS_MAX = 1_000;

/** Bind messages above this are not kept for a later Execute, in bytes. */
const KEPT_BIND_SIZE_MAX = 64 * 1024;

/** A query as a plugin is told of it. */
export interface QueryInfo {
  /** A copy, without the NUL behind it. */
  readonly text: Uint8Array;
  readonly statementName: string;
  /** RowDescription, once it has been seen. */
  columns: Uint8Array | undefined;
}

/** A statement with its values. */
export interface Portal {
  readonly name: string;
  readonly query: QueryInfo | undefined;
  /** The whole Bind; undefined if it was too large to be kept, or is done with. */
  bind: Uint8Array | undefined;
}

/** Statements and portals of one session. */
export class ClientState {
  readonly #statements = new Map<string, QueryInfo>();
  /** Those that a server has not said to be prepared yet. */
  readonly #pending = new Map<string, QueryInfo>();
  readonly #portals = new Map<string, Portal>();
  /** Portals whose Bind is still a view of the client's read buffer. */
  readonly #borrowing = new Set<Portal>();
  #textsSize = 0;

  statement(name: string): QueryInfo | undefined {
    return this.#pending.get(name) ?? this.#statements.get(name);
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name);
  }

  /** A Parse is sent. @returns The statement, or undefined if there are too many. */
  prepare(statementName: string, text: Uint8Array): QueryInfo | undefined {
    const size = this.#textsSize + text.length;
    const count = this.#statements.size + this.#pending.size;
    if (count >= STATEMENTS_MAX || size > TEXTS_SIZE_MAX) return undefined;
    const query = { text: text.slice(), statementName, columns: undefined };
    this.#pending.set(statementName, query);
    return query;
  }

  /** It is prepared. */
  prepared(query: QueryInfo): void {
    const { statementName, text } = query;
    if (this.#pending.get(statementName) === query) this.#pending.delete(statementName);
    this.forget(statementName);
    this.#textsSize += text.length;
    this.#statements.set(statementName, query);
  }

  /** What was to be prepared has been skipped, or has failed. */
  onError(): void {
    this.#pending.clear();
  }

  /** @param bind A view; see {@linkcode ClientState.keep}. */
  bind(name: string, statementName: string, bind: Uint8Array): Portal {
    const portal = { name, query: this.statement(statementName), bind };
    if (this.#portals.size >= PORTALS_MAX) this.#portals.clear(); // they are told nothing of then
    this.#portals.set(name, portal);
    this.#borrowing.add(portal);
    return portal;
  }

  /** The view is going to change: what is still needed is copied. */
  keep(): void {
    for (const portal of this.#borrowing) {
      const { bind } = portal;
      portal.bind = bind === undefined || bind.length > KEPT_BIND_SIZE_MAX
        ? undefined
        : bind.slice();
    }
    this.#borrowing.clear();
  }

  /** A portal was executed: its values are told once. */
  executed(portal: Portal): void {
    portal.bind = undefined;
    this.#borrowing.delete(portal);
  }

  /** A statement is closed, or replaced. */
  forget(statementName: string): void {
    const before = this.#statements.get(statementName);
    if (before === undefined) return;
    this.#textsSize -= before.text.length;
    this.#statements.delete(statementName);
  }

  forgetPortal(name: string): void {
    this.#portals.delete(name);
  }

  /** A transaction has ended, and all portals with it. */
  onIdle(): void {
    if (this.#portals.size === 0) return;
    this.#portals.clear();
    this.#borrowing.clear();
  }
}

/** The string at an offset, and where the next field begins; undefined if it does not end. */
export function stringAt(
  message: Uint8Array,
  offset: number,
): { readonly text: string; readonly end: number } | undefined {
  const end = message.indexOf(0, offset);
  return end < 0 ? undefined : { text: textOf(message.subarray(offset, end)), end: end + 1 };
}

/** A Parse, as far as it is well formed. The text is a view. */
export function readParse(
  message: Uint8Array,
): { readonly name: string; readonly text: Uint8Array; readonly textEnd: number } | undefined {
  const name = stringAt(message, HEADER_SIZE);
  const end = name === undefined ? -1 : message.indexOf(0, name.end);
  if (name === undefined || end < 0) return undefined;
  return { name: name.text, text: message.subarray(name.end, end), textEnd: end + 1 };
}

/** Names in a Bind. */
export function readBindNames(
  message: Uint8Array,
): { readonly portal: string; readonly statement: string; readonly end: number } | undefined {
  const portal = stringAt(message, HEADER_SIZE);
  const statement = portal === undefined ? undefined : stringAt(message, portal.end);
  if (portal === undefined || statement === undefined) return undefined;
  return { portal: portal.text, statement: statement.text, end: statement.end };
}

/** Values and formats of a Bind, as `wit/sluice.wit` lays them out. */
export interface BoundValues {
  readonly parameters: Uint8Array;
  readonly resultFormats: Uint8Array;
}

/** @returns What a Bind holds, or undefined if it is malformed. */
export function readBound(message: Uint8Array): BoundValues | undefined {
  const names = readBindNames(message);
  if (names === undefined) return undefined;
  const formats = readFormats(message, names.end);
  if (formats === undefined || formats.end + 2 > message.length) return undefined;
  const count = uint16At(message, formats.end);
  const parameters = new Uint8Array(message.length + count);
  const data = new DataView(parameters.buffer);
  let offset = formats.end + 2;
  let size = 0;
  for (let i = 0; i < count; i++) {
    const length = offset + 4 <= message.length ? int32At(message, offset) : -2;
    const taken = Math.max(0, length);
    if (length < -1 || offset + 4 + taken > message.length) return undefined;
    parameters[size] = formats.codes[formats.codes.length === 1 ? 0 : i] ?? 0;
    data.setInt32(size + 1, length, true);
    parameters.set(message.subarray(offset + 4, offset + 4 + taken), size + 5);
    size += 5 + taken;
    offset += 4 + taken;
  }
  const results = readFormats(message, offset);
  if (results === undefined) return undefined;
  return { parameters: parameters.subarray(0, size), resultFormats: results.codes };
}

function readFormats(
  message: Uint8Array,
  offset: number,
): { readonly codes: Uint8Array; readonly end: number } | undefined {
  if (offset + 2 > message.length) return undefined;
  const count = uint16At(message, offset);
  const end = offset + 2 + 2 * count;
  if (end > message.length) return undefined;
  return { codes: Uint8Array.from({ length: count }, (_, i) => message[offset + 3 + 2 * i]!), end };
}
