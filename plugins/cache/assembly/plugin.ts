/** Answers SELECTs from a cache that writes through the gateway keep true: see README.md. */

import { Counter, event, Field, Flag, forward, Phase, respondMessages } from "../sluice/sluice";
import { fieldText, Verdict } from "../sluice/sluice";
import { Buffer, storeCapture, storeGet, storeWrite } from "./buffer";
import { beginCommit, endCommit, isCommitting, keepCommits, lastCommitting } from "./commits";
import { decide, Decision, Reason, TEXT_SIZE_MAX, unknownText } from "./decision";
import { saysNow } from "./lexer";
import { currentSession, forgetSession, isReported, knownSession, learn } from "./session";
import { noteParse, pending, Session, State, typesOf } from "./session";
import { isByTable, resultSizeMax, ttlMs } from "./settings";
import { DIGEST_SIZE, sha256 } from "./sha256";
import { addCommonVersion, addTableVersion, renew, renewAll } from "./versions";
export { sluice_event } from "../sluice/sluice";

const IDLE: u8 = 73; // I
const IN_TRANSACTION: u8 = 84; // T
const FAILED: u8 = 69; // E
const FUNCTION_CALL: u8 = 70; // F
const PARSE: u8 = 80; // P
const PARAMETER_STATUS: u8 = 83; // S

const hits = new Counter("cache_hits_total");
const misses = new Counter("cache_misses_total");
const stores = new Counter("cache_stores_total");
const invalidatedTables = new Counter('cache_invalidations_total{scope="table"}');
const invalidatedAll = new Counter('cache_invalidations_total{scope="everything"}');

/** In the order of `Reason`. */
const bypasses: Counter[] = [
  "", "statement", "table", "volatile", "transaction", "pipelined", "session", "writing",
  "other",
].map<Counter>((reason) => new Counter(`cache_bypassed_total{reason="${reason}"}`));

// An instance is new because the plugin is, or because a call failed: who knows what was missed.
renewAll();

const text = new Buffer(TEXT_SIZE_MAX);
const values = new Buffer(64 * 1024);
const formats = new Buffer(2 * 1024);
const material = new Buffer(72 * 1024);
const key = new Buffer(512);

// Queries -----------------------------------------------------------------------------------------

export function onQuery(): Verdict {
  if (event.phase == Phase.parse) return forward();
  const decision = text.read(Field.text) ? decide(text) : unknownText();
  pending.load();
  note(decision);
  if (pending.hasWrites && mayCommit(decision.mayCommit)) beginCommit();
  const reason = decision.reason != Reason.none ? decision.reason : whyNot();
  if (reason != Reason.none) return bypass(reason);
  // Before versions are read: see commits.ts.
  if (isCommitting(decision.reads)) return bypass(Reason.writing);
  const session = currentSession();
  const problem = makeKey(session, decision);
  if (problem != Reason.none) return bypass(problem);
  if (storeWrite(key.start, key.size) >= 0) {
    hits.add();
    return respondMessages();
  }
  misses.add();
  if (storeCapture(key.start, key.size, ttlMs, resultSizeMax)) session.capture = key.copy();
  return forward();
}

function bypass(reason: Reason): Verdict {
  bypasses[reason].add();
  return forward();
}

/** What a query does to tables and to its session, whether it comes from the cache or not. */
function note(decision: Decision): void {
  const changes = changesSession(decision);
  if (!changes && !decision.isWrite && !decision.isDiscardAll) return;
  if (decision.isDiscardAll && !event.has(Flag.pipelined)) pending.discards = event.request;
  else if (changes) pending.discards = 0;
  if (changes) pending.state |= State.changed;
  if (decision.isWrite) {
    pending.wroteLast = event.request;
    if (decision.writesAll || !isByTable) pending.state |= State.wroteAll;
    for (let i = 0; i < decision.writes.length; i++) pending.add(decision.writes[i]);
  }
  pending.save();
}

/** Whether the request may commit what is pending. */
function mayCommit(endsTransaction: bool): bool {
  const status = event.transactionStatus;
  const isOpen = status == IN_TRANSACTION || status == FAILED;
  return !isOpen || endsTransaction || event.has(Flag.pipelined);
}

function changesSession(decision: Decision): bool {
  if (decision.changesSession) return true;
  if (decision.setting != "") return !isReported(decision.setting);
  // Outside of a transaction it changes nothing, or, in a pipeline, who knows what.
  return decision.isLocal && event.has(Flag.pipelined);
}

/** Why this session cannot be answered from the cache now. */
function whyNot(): Reason {
  if (event.transactionStatus != IDLE) return Reason.transaction;
  if (event.has(Flag.pipelined)) return Reason.pipelined;
  if (pending.has(State.changed) || pending.hasWrites) return Reason.session;
  return event.has(Flag.canRespond) ? Reason.none : Reason.other;
}

/**
 * Makes the key of a query's result: of everything that decides what it is. Only the versions of
 * its tables are in it as they are.
 */
function makeKey(session: Session, decision: Decision): Reason {
  if (!learn(session)) return Reason.session;
  material.clear();
  material.add(changetype<usize>(session.digest), DIGEST_SIZE);
  material.add(changetype<usize>(decision.digest), DIGEST_SIZE);
  material.addByte(event.phase);
  if (event.phase == Phase.execute && !addPortal(session)) return Reason.other;
  key.clear();
  key.addByte(114); // r
  sha256(material.start, material.size, key.start + key.size);
  key.size += DIGEST_SIZE;
  if (!addCommonVersion(key)) return Reason.other;
  for (let i = 0; i < decision.reads.length; i++) {
    if (!addTableVersion(decision.reads[i], key)) return Reason.other;
  }
  return Reason.none;
}

/** Adds what a portal has beside its text. False if it is not known, or too large. */
function addPortal(session: Session): bool {
  const name = fieldText(Field.statementName);
  if (name === null) return false;
  const types = typesOf(session, name);
  if (types === null || !values.read(Field.parameters)) return false;
  if (!formats.read(Field.resultFormats)) return false;
  if (saysNow(values.start, values.start + values.size)) return false;
  material.addByte(event.has(Flag.described) ? 1 : 0);
  return material.addSized(changetype<usize>(types), types.length) &&
    material.addSized(formats.start, formats.size) && material.addSized(values.start, values.size);
}

// Messages ----------------------------------------------------------------------------------------

export function onTrafficFromClient(): Verdict {
  if (event.messageType == PARSE) noteParse();
  if (event.messageType != FUNCTION_CALL) return forward();
  // A call of a function by its number, without a text.
  pending.load();
  pending.wroteLast = event.request;
  pending.discards = 0;
  pending.state |= State.changed | State.wroteAll;
  pending.save();
  if (mayCommit(false)) beginCommit();
  return forward();
}

export function onTrafficToClient(): Verdict {
  if (event.messageType == PARAMETER_STATUS) {
    const session = knownSession();
    if (session !== null) session.isKnown = false;
  } else if (text.read(Field.payload) && text.size == 6) onReady(text.at(5));
  return forward();
}

/** The server is ready: what has been written is committed, or is not, before the client knows. */
function onReady(status: u8): void {
  pending.load();
  if (!pending.hasWrites) return;
  const isLast = event.request >= pending.wroteLast;
  const wasOpen = event.transactionStatus != IDLE;
  const isRolledBack = wasOpen && isLast && !pending.has(State.wroteAll) &&
    !pending.has(State.committed) && pending.has(State.endedOnce) &&
    !pending.has(State.endedOften) && pending.has(State.rolledBack);
  if (status == IDLE || pending.has(State.committed)) {
    if (!(status == IDLE && isRolledBack)) invalidate();
    pending.state &= ~State.committed;
  }
  if (status == IDLE && isLast) pending.clearWrites();
  // In a transaction that is still open, what might have ended it has not.
  const isOver = status == IDLE ? isLast : event.request >= lastCommitting();
  if (isOver) endCommit();
  pending.clearEnds();
  pending.save();
}

function invalidate(): void {
  if (pending.has(State.wroteAll)) {
    renewAll();
    invalidatedAll.add();
    return;
  }
  pending.forEach((name, size) => {
    renew(name, size);
    invalidatedTables.add();
  });
}

// What has ended ----------------------------------------------------------------------------------

export function onQueryEnd(): Verdict {
  if (event.has(Flag.fromPlugin)) return forward();
  pending.load();
  const isDiscard = pending.discards != 0 && pending.discards == event.request;
  if (!pending.hasWrites && !isDiscard) return forward();
  const tag = fieldText(Field.commandTag);
  if (isDiscard) {
    pending.discards = 0;
    if (tag == "DISCARD ALL") pending.state &= ~State.changed;
  }
  if (pending.hasWrites) noteEnd(tag === null ? "" : tag);
  pending.save();
  return forward();
}

function noteEnd(tag: string): void {
  if (tag.startsWith("COMMIT")) pending.state |= State.committed;
  pending.state |= pending.has(State.endedOnce) ? State.endedOften : State.endedOnce;
  if (tag == "ROLLBACK") pending.state |= State.rolledBack;
  else pending.state &= ~State.rolledBack;
}

/** Counts what was stored: only now it is there. */
export function onTransactionEnd(): Verdict {
  const session = knownSession();
  if (session === null || session.capture.length == 0) return forward();
  const capture = session.capture;
  session.capture = new StaticArray<u8>(0);
  if (storeGet(changetype<usize>(capture), capture.length, 0, 0) >= 0) stores.add();
  return forward();
}

/** Whether what it has written is committed is not known: a server may still do it. */
export function onClosing(): Verdict {
  pending.load();
  if (pending.hasWrites) invalidate();
  endCommit();
  return forward();
}

export function onClosed(): Verdict {
  forgetSession();
  return forward();
}

export function onTick(): Verdict {
  keepCommits();
  return forward();
}
