/** What the cache makes of a query's text: found out once for each text, and remembered. */

import { fieldText, Field, statements, tables as tablesOf } from "../sluice/sluice";
import { Buffer, bytesAt, hashOf } from "./buffer";
import { Found, scan } from "./lexer";
import { exceptTables, knowledge, related, tables } from "./settings";
import { DIGEST_SIZE, sha256 } from "./sha256";

/** Why a query is not looked for in the cache. */
export enum Reason {
  none, statement, table, volatile, transaction, pipelined, session, writing, other,
}

/** One text. */
export class Decision {
  text: StaticArray<u8>;
  readonly digest: StaticArray<u8> = new StaticArray<u8>(DIGEST_SIZE);
  /** `none` if its result may be cached. */
  reason: Reason = Reason.none;
  /** Tables that its result is made from, or that it writes; never with their schema. */
  reads: string[] = new Array<string>();
  writes: string[] = new Array<string>();
  /** It may change anything. */
  writesAll: bool = false;
  /** What it makes of the session is not known to the cache. */
  changesSession: bool = false;
  /** The one setting that it changes, if it changes nothing else: "timezone". */
  setting: string = "";
  /** SET LOCAL and SET TRANSACTION: good until the transaction ends. */
  isLocal: bool = false;
  isDiscardAll: bool = false;
  /** It may commit a transaction that was open before. */
  mayCommit: bool = false;

  constructor(text: StaticArray<u8>) {
    this.text = text;
  }

  get isWrite(): bool {
    return this.writesAll || this.writes.length > 0;
  }
}

/** Longer texts are not looked into: parsing takes fuel. */
export const TEXT_SIZE_MAX = 16_384;

const TABLES_MAX = 16;

const KNOWN_COUNT_MAX = 4_096;
const KNOWN_SIZE_MAX = 3 * 1024 * 1024;

const known = new Map<u64, Decision>();
let knownSize = 0;

/** A text that is too long, or not known. */
const unknown = new Decision(new StaticArray<u8>(0));
unknown.reason = Reason.statement;
unknown.writesAll = true;
unknown.changesSession = true;
unknown.mayCommit = true;

export function unknownText(): Decision {
  return unknown;
}

/** Finds what there is about a text that was read; the fields of the event must be its. */
export function decide(text: Buffer): Decision {
  const hash = hashOf(text.start, text.size);
  if (known.has(hash)) {
    const decision = known.get(hash);
    if (text.equals(decision.text)) return decision;
  }
  const decision = new Decision(bytesAt(text.start, text.size));
  sha256(text.start, text.size, changetype<usize>(decision.digest));
  examine(decision, text);
  knownSize += text.size + 512;
  if (known.size >= KNOWN_COUNT_MAX || knownSize > KNOWN_SIZE_MAX) {
    known.clear();
    knownSize = text.size + 512;
  }
  known.set(hash, decision);
  return decision;
}

function examine(decision: Decision, text: Buffer): void {
  const found = scan(text.start, text.size, knowledge);
  const all = statements();
  const isOne = all.length == 1;
  // What cannot be parsed has no statements, and neither has a text without any.
  const isNothing = all.length == 0 && found.words.length == 0 && !hasOther(text);
  decision.reason = Reason.statement;
  if (isNothing) return;
  const runsUnknown = found.hasUnknown && !(isOne && isDefinition(all[0].kind));
  decision.writesAll = runsUnknown || all.length == 0;
  decision.mayCommit = all.length == 0;
  decision.changesSession = runsUnknown || found.changesSession || all.length == 0;
  noteTables(decision);
  for (let i = 0; i < all.length; i++) examineKind(decision, all[i].kind, found, isOne);
  const isRead = isOne && all[0].kind == "SELECT" && !all[0].isWrite && !all[0].isLocking;
  if (isRead && !decision.isWrite) decision.reason = reasonOf(decision, found);
}

/** Statements that name columns and constraints like calls, and call nothing that is not listed. */
function isDefinition(kind: string): bool {
  if (kind == "CREATE TABLE AS" || kind == "CREATE MATERIALIZED VIEW") return false;
  return kind.startsWith("CREATE") || kind.startsWith("ALTER") || kind.startsWith("DROP") ||
    kind.startsWith("GRANT") || kind.startsWith("REVOKE") || kind == "COMMENT" ||
    kind == "VACUUM" || kind == "ANALYZE";
}

/** A text of nothing but blanks and semicolons does nothing. */
function hasOther(text: Buffer): bool {
  for (let i = 0; i < text.size; i++) {
    const c = text.at(i);
    if (c > 32 && c != 59) return true;
  }
  return false;
}

function reasonOf(decision: Decision, found: Found): Reason {
  if (found.isVolatile || decision.changesSession) return Reason.volatile;
  // What reads no table is cheap, and is what asks whether a server lives.
  if (decision.reads.length == 0 || decision.reads.length > TABLES_MAX) return Reason.table;
  return isAllowed() ? Reason.none : Reason.table;
}

/** Asks for tables again, as their schemas count here. */
function isAllowed(): bool {
  const all = tablesOf();
  for (let i = 0; i < all.length; i++) {
    const full = all[i].name;
    const name = lastName(full);
    if (name.startsWith("pg_") || full.startsWith("pg_") || full.startsWith("information_schema")) {
      return false;
    }
    if (exceptTables.has(name) || exceptTables.has(full)) return false;
    if (tables.size > 0 && !tables.has(name) && !tables.has(full)) return false;
  }
  return true;
}

function noteTables(decision: Decision): void {
  const all = tablesOf();
  for (let i = 0; i < all.length; i++) {
    const name = lastName(all[i].name);
    if (!all[i].isWrite) add(decision.reads, name);
    else {
      add(decision.writes, name);
      const others = related.has(name) ? related.get(name) : new Array<string>();
      for (let j = 0; j < others.length; j++) add(decision.writes, others[j]);
    }
  }
  if (decision.writes.length > TABLES_MAX) decision.writesAll = true;
}

function add(names: string[], name: string): void {
  if (!names.includes(name)) names.push(name);
}

/** Of `app."My.table"` it is `"My.table"`. */
function lastName(name: string): string {
  let start = 0;
  let isQuoted = false;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c == 34) isQuoted = !isQuoted;
    else if (c == 46 && !isQuoted) start = i + 1;
  }
  return name.substring(start);
}

/** Statements that change no table, and leave the session as it is. */
const HARMLESS = [
  "ANALYZE", "BEGIN", "CHECKPOINT", "CLOSE CURSOR", "CLOSE CURSOR ALL", "COMMIT", "DEALLOCATE",
  "DEALLOCATE ALL", "DECLARE CURSOR", "FETCH", "LISTEN", "MOVE", "NOTIFY", "RELEASE", "ROLLBACK",
  "ROLLBACK PREPARED", "SAVEPOINT", "SET CONSTRAINTS", "SHOW", "START TRANSACTION", "UNLISTEN",
  "LOCK TABLE", "DISCARD PLANS", "DISCARD SEQUENCES", "PREPARE", "PREPARE TRANSACTION",
];

function examineKind(decision: Decision, kind: string, found: Found, isOne: bool): void {
  if (kind == "SELECT" || kind == "INSERT" || kind == "UPDATE" || kind == "DELETE") return;
  if (kind == "COMMIT") decision.mayCommit = true;
  if (HARMLESS.includes(kind)) {
    // LOCK TABLE names the tables that it locks as written.
    if (kind == "LOCK TABLE" && isOne) decision.writes = new Array<string>();
    return;
  }
  if (kind == "EXPLAIN" || kind == "COPY") {
    // Without tables that are written, it reads; what EXPLAIN ANALYZE EXECUTE runs is elsewhere.
    if (kind == "EXPLAIN" && !decision.isWrite && statementsWrite()) decision.writesAll = true;
    return;
  }
  if (kind == "SET" || kind == "RESET") return examineSetting(decision, found, isOne);
  const isTemporary = found.isTemporary && (kind.startsWith("CREATE") || kind == "SELECT INTO");
  const mayChange = isTemporary || kind == "DO" || kind == "CALL" || kind == "LOAD" ||
    kind == "EXECUTE" || kind.startsWith("DISCARD");
  decision.changesSession = decision.changesSession || mayChange;
  if (kind == "DISCARD ALL" && isOne) decision.isDiscardAll = true;
  else if (!kind.startsWith("DISCARD")) decision.writesAll = true;
}

function statementsWrite(): bool {
  const lines = fieldText(Field.statements);
  return lines !== null && lines.includes(" write");
}

function examineSetting(decision: Decision, found: Found, isOne: bool): void {
  const words = found.words;
  let i = 1;
  if (isOne && i < words.length && (words[i] == "local" || words[i] == "transaction")) {
    decision.isLocal = true;
    return;
  }
  if (i + 1 < words.length && words[i] == "session" && words[0] == "set") i += 1;
  // A setting's name may have a dot, and then it is none that servers report.
  const name = i < words.length ? words[i] : "";
  if (isOne && name != "") decision.setting = name == "time" ? "timezone" : name;
  else decision.changesSession = true;
}
