/**
 * What the cache knows of a session: what its results depend on beside the query, which can be read
 * again, and what it has written and not committed, which is kept by the host.
 */

import { event, Field, parameter } from "../sluice/sluice";
import { Buffer, bytesAt } from "./buffer";
import { DIGEST_SIZE, sha256 } from "./sha256";

/** Bits of the first byte that is kept for a session. */
export enum State {
  /** Something was done that makes the session unlike others; until DISCARD ALL. */
  changed = 1,
  /** It has written no one knows what. */
  wroteAll = 2,
  /** It has committed since the server was last ready. */
  committed = 4,
  /** The last thing that ended was a ROLLBACK. */
  rolledBack = 8,
  /** What it wrote began with an open transaction's last request, and one thing has ended since. */
  endedOnce = 16,
  endedOften = 32,
}

const ENDS = State.rolledBack | State.endedOnce | State.endedOften;

const HEADER_SIZE = 17;

/** A call may have 1,000 operations of the store, and a table that was written takes up to five. */
export const TABLES_MAX = 128;

/**
 * The value of one session while a hook runs: the state, the request that wrote last (u64), that of
 * a DISCARD ALL that runs (u64), then names of tables, each with its size (u8) before it.
 */
class Pending {
  private readonly buffer: Buffer = new Buffer(4_096);

  load(): void {
    if (this.buffer.readSession()) return;
    memory.fill(this.buffer.start, 0, HEADER_SIZE);
    this.buffer.size = HEADER_SIZE;
  }

  save(): void {
    this.buffer.writeSession();
  }

  get state(): i32 {
    return this.buffer.at(0);
  }

  set state(value: i32) {
    store<u8>(this.buffer.start, <u8>value);
  }

  has(bit: State): bool {
    return (this.state & bit) != 0;
  }

  get wroteLast(): u64 {
    return load<u64>(this.buffer.start + 1);
  }

  set wroteLast(request: u64) {
    store<u64>(this.buffer.start + 1, request);
  }

  get discards(): u64 {
    return load<u64>(this.buffer.start + 9);
  }

  set discards(request: u64) {
    store<u64>(this.buffer.start + 9, request);
  }

  get hasWrites(): bool {
    return this.has(State.wroteAll) || this.buffer.size > HEADER_SIZE;
  }

  /** The names, as they are kept. */
  get names(): usize {
    return this.buffer.start + HEADER_SIZE;
  }

  get namesSize(): i32 {
    return this.buffer.size - HEADER_SIZE;
  }

  /** Adds a table, if it is not there; when there is no more room, it is everything. */
  add(name: string): void {
    if (this.has(State.wroteAll)) return;
    const bytes = Uint8Array.wrap(String.UTF8.encode(name));
    const size = bytes.length;
    const buffer = this.buffer;
    let count = 0;
    for (let at = HEADER_SIZE; at < buffer.size; at += 1 + <i32>buffer.at(at)) {
      count += 1;
      if (<i32>buffer.at(at) != size) continue;
      if (memory.compare(buffer.start + at + 1, bytes.dataStart, size) == 0) return;
    }
    const fits = count < TABLES_MAX && size < 256 && buffer.size + size < buffer.capacity;
    if (!fits) this.state |= State.wroteAll;
    else {
      buffer.addByte(<u8>size);
      buffer.add(bytes.dataStart, size);
    }
  }

  /** Calls with each table's name. */
  forEach(call: (name: usize, size: i32) => void): void {
    const buffer = this.buffer;
    for (let at = HEADER_SIZE; at < buffer.size; at += 1 + <i32>buffer.at(at)) {
      call(buffer.start + at + 1, buffer.at(at));
    }
  }

  /** Nothing is pending any more. */
  clearWrites(): void {
    this.buffer.size = HEADER_SIZE;
    this.state &= ~(State.wroteAll | State.committed);
  }

  clearEnds(): void {
    this.state &= ~ENDS;
  }
}

/** Of the session whose hook runs, after `load`. */
export const pending = new Pending();

/** What is remembered of one session in this instance. */
export class Session {
  /** Of settings, user, database and all else that decides what a query's text means. */
  readonly digest: StaticArray<u8> = new StaticArray<u8>(DIGEST_SIZE);
  /** False: to be found out again. */
  isKnown: bool = false;
  /** False: its settings are not known, or such that texts mean something else. */
  isUsable: bool = false;
  proxy: StaticArray<u8> = new StaticArray<u8>(0);
  /** Types of parameters in Parse messages, by statements' names. */
  readonly types: Map<string, StaticArray<u8>> = new Map<string, StaticArray<u8>>();
  /** What is being captured: the key, empty for nothing. */
  capture: StaticArray<u8> = new StaticArray<u8>(0);
}

const SESSIONS_MAX = 4_096;

/** Statements' types of all sessions together. */
const TYPES_MAX = 20_000;

const sessions = new Map<u64, Session>();
let typesCount = 0;

/** The session whose hook runs. */
export function currentSession(): Session {
  const session = event.session;
  if (sessions.has(session)) return sessions.get(session);
  if (sessions.size >= SESSIONS_MAX) forgetAll();
  const made = new Session();
  sessions.set(session, made);
  return made;
}

/** Null if nothing is remembered of it. */
export function knownSession(): Session | null {
  return sessions.has(event.session) ? sessions.get(event.session) : null;
}

export function forgetSession(): void {
  const session = knownSession();
  if (session === null) return;
  typesCount -= session.types.size;
  sessions.delete(event.session);
}

/** Too many: statements that were prepared are not known any more, and are not cached. */
function forgetAll(): void {
  sessions.clear();
  typesCount = 0;
}

const message = new Buffer(64 * 1024);
const conflicting = StaticArray.fromArray<u8>([255]);

/** A Parse has come: whose payload is the message. */
export function noteParse(): void {
  const isRead = message.read(Field.payload);
  const start = message.start;
  const size = message.size;
  const nameEnd = isRead ? zeroAt(message, 5) : -1;
  if (nameEnd < 0) return forgetAllOf();
  const name = String.UTF8.decodeUnsafe(start + 5, nameEnd - 5);
  const textEnd = zeroAt(message, nameEnd + 1);
  if (textEnd < 0) return forgetAllOf();
  const types = bytesAt(start + textEnd + 1, size - textEnd - 1);
  if (typesCount >= TYPES_MAX) forgetAll();
  const known = currentSession().types;
  if (!known.has(name)) {
    typesCount += 1;
    known.set(name, types);
  } else if (name == "") known.set(name, types);
  // A Parse of a name that there is fails, unless it was closed: which of both holds is not known.
  else if (!areEqual(known.get(name), types)) known.set(name, conflicting);
}

/** A Parse that cannot be read may be of any name. */
function forgetAllOf(): void {
  const types = currentSession().types;
  typesCount -= types.size;
  types.clear();
}

function zeroAt(bytes: Buffer, from: i32): i32 {
  for (let i = from; i < bytes.size; i++) if (bytes.at(i) == 0) return i;
  return -1;
}

function areEqual(a: StaticArray<u8>, b: StaticArray<u8>): bool {
  return a.length == b.length &&
    memory.compare(changetype<usize>(a), changetype<usize>(b), a.length) == 0;
}

/** Types of a statement's parameters, or null if they are not known. */
export function typesOf(session: Session, name: string): StaticArray<u8> | null {
  if (!session.types.has(name)) return null;
  const types = session.types.get(name);
  return areEqual(types, conflicting) ? null : types;
}

const settings = new Buffer(16 * 1024);
const proxy = new Buffer(256);

/** Finds out what the session's results depend on. False if that is not possible. */
export function learn(session: Session): bool {
  if (!proxy.read(Field.proxy)) return false;
  if (session.isKnown && proxy.equals(session.proxy)) return session.isUsable;
  session.isKnown = true;
  session.isUsable = false;
  session.proxy = proxy.copy();
  material.clear();
  const isComplete = addField(Field.user) && addField(Field.database) && addField(Field.listener) &&
    material.addSized(proxy.start, proxy.size) && addParameters(Field.startupParameters) &&
    addParameters(Field.settings);
  if (!isComplete || settings.size == 0 || !hasPlainTexts()) return false;
  sha256(material.start, material.size, changetype<usize>(session.digest));
  session.isUsable = true;
  return true;
}

const material = new Buffer(32 * 1024);
const one = new Buffer(4 * 1024);

function addField(name: Field): bool {
  return one.read(name) && material.addSized(one.start, one.size);
}

/** Names and values, without what changes no result. */
function addParameters(name: Field): bool {
  if (!settings.read(name)) return false;
  let at = 0;
  while (at < settings.size) {
    const nameEnd = zeroAt(settings, at);
    const valueEnd = nameEnd < 0 ? -1 : zeroAt(settings, nameEnd + 1);
    if (valueEnd < 0) return false;
    const parameterName = String.UTF8.decodeUnsafe(settings.start + at, nameEnd - at);
    const isLeftOut = parameterName == "application_name" || parameterName.startsWith("_pq_.");
    const size = valueEnd + 1 - at;
    if (!isLeftOut && !material.addSized(settings.start + at, size)) return false;
    at = valueEnd + 1;
  }
  return material.addInt(-1);
}

/** Whether texts mean what the cache and the gateway's parser take them for. */
function hasPlainTexts(): bool {
  if (parameter("standard_conforming_strings") != "on") return false;
  const encoding = parameter("client_encoding");
  return encoding == "UTF8" || encoding == "SQL_ASCII" || encoding == "LATIN1";
}

/** Whether servers report a setting, so that its value is a part of what is known. */
export function isReported(name: string): bool {
  if (!settings.read(Field.settings)) return false;
  let at = 0;
  while (at < settings.size) {
    const nameEnd = zeroAt(settings, at);
    const valueEnd = nameEnd < 0 ? -1 : zeroAt(settings, nameEnd + 1);
    if (valueEnd < 0) return false;
    const one = String.UTF8.decodeUnsafe(settings.start + at, nameEnd - at);
    if (one.toLowerCase() == name) return true;
    at = valueEnd + 1;
  }
  return false;
}
