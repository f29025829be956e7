/**
 * How many sessions may be committing to a table right now, counted in the store that all workers
 * share. A server's commit shows before its table has a new version; who has seen it there must
 * not find what was before in the cache.
 *
 * A writer (1) is counted, (2) commits, (3) renews its tables' versions, (4) is counted no more,
 * and then is answered. A reader (a) finds nobody counted, (b) reads the versions, and then (c)
 * takes a result that was stored under them, or (d) asks the server and has the result stored
 * under them.
 *
 * - Nobody goes back: who reads behind (2), having seen it, finds at (a) the writer counted, and
 *   goes to the server; or is behind (4), and so (b) is behind (3), where nothing that was stored
 *   under the versions of before is found.
 * - Nothing old stays: a result that is without the commit was made before (2). Its versions were
 *   read at (b), before it was asked for, so they are from before (3) and nobody asks for them
 *   after it.
 *
 * Counts are kept by epochs, so that those of a worker that has died, or whose instance is new
 * because a call failed, end by themselves, however many others are counted meanwhile. A commit
 * counts in two epochs, the current one and the next; readers look at the current one.
 */

import { event } from "../sluice/sluice";
import { Buffer, bytesAt, storeGet, storeIncrement } from "./buffer";
import { pending, State, TABLES_MAX } from "./session";

const EPOCH_MS = 30_000;

/** A count is made in the epoch before its own at the earliest. */
const COUNT_TTL_MS = 3 * EPOCH_MS;

/** Sessions of this instance whose tables are counted one by one; others count for all tables. */
const NAMED_MAX = 1_000;

/** A call may have 1,000 operations of the store. */
const OPERATIONS_MAX = 900;

const ALL: u8 = 87; // W
const TABLE: u8 = 119; // w

const key = new Buffer(512);
const value = memory.data(8, 8);

/** One session's. */
class Commit {
  /** The last request that may commit. */
  request: u64 = 0;
  /** It is counted in this epoch, and in the one before it. */
  lastEpoch: i32;
  /** Empty for all tables; or else each with its size (u8) before it. */
  readonly names: StaticArray<u8>;

  constructor(names: StaticArray<u8>) {
    this.lastEpoch = currentEpoch() + 1;
    this.names = names;
  }

  /** Whether it has all that is pending: tables are only added. */
  get isComplete(): bool {
    if (this.names.length == 0) return true;
    return !pending.has(State.wroteAll) && this.names.length == pending.namesSize;
  }

  count(epoch: i32, by: i64): void {
    const start = changetype<usize>(this.names);
    const size = this.names.length;
    if (size == 0) add(ALL, epoch, 0, 0, by);
    for (let at = 0; at < size; at += 1 + <i32>load<u8>(start + at)) {
      add(TABLE, epoch, start + at + 1, load<u8>(start + at), by);
    }
  }

  countBoth(by: i64): void {
    this.count(this.lastEpoch - 1, by);
    this.count(this.lastEpoch, by);
  }
}

/** By session: those that have begun in this instance, each of which ends once. */
const commits = new Map<u64, Commit>();

function currentEpoch(): i32 {
  return <i32>(event.timeMs / EPOCH_MS);
}

function add(kind: u8, epoch: i32, name: usize, size: i32, by: i64): void {
  key.clear();
  key.addByte(kind);
  key.addInt(epoch);
  if (!key.add(name, size)) return;
  const sum = storeIncrement(key.start, key.size, by, COUNT_TTL_MS);
  // The store has dropped the count meanwhile: one below zero would hide somebody else.
  if (sum < 0 && by < 0) storeIncrement(key.start, key.size, -by, COUNT_TTL_MS);
}

/** The session's request may commit what is pending: before a server gets it. */
export function beginCommit(): void {
  const before = ofSession();
  if (before !== null && before.isComplete) {
    before.request = event.request;
    return;
  }
  const isAll = pending.has(State.wroteAll) || commits.size >= NAMED_MAX;
  const commit = new Commit(bytesAt(pending.names, isAll ? 0 : pending.namesSize));
  commit.request = event.request;
  commit.countBoth(1);
  commits.set(event.session, commit);
  if (before !== null) before.countBoth(-1);
}

/** What the session has committed has its new versions, or will never be committed. */
export function endCommit(): void {
  const commit = ofSession();
  if (commit === null) return;
  commits.delete(event.session);
  commit.countBoth(-1);
}

/** The session's last request that may commit; 0 if none may. */
export function lastCommitting(): u64 {
  const commit = ofSession();
  return commit === null ? 0 : commit.request;
}

function ofSession(): Commit | null {
  return commits.has(event.session) ? commits.get(event.session) : null;
}

/** Has commits that take long counted in the next epoch, too. */
export function keepCommits(): void {
  if (commits.size == 0) return;
  const epoch = currentEpoch();
  const all = commits.values();
  let operations = 0;
  for (let i = 0; i < all.length; i++) {
    const commit = all[i];
    if (commit.lastEpoch > epoch) continue;
    // As many as there may be: a name has two bytes at least. What is left is kept next time.
    operations += min(2 + commit.names.length, 2 * TABLES_MAX);
    if (operations > OPERATIONS_MAX) return;
    if (commit.lastEpoch < epoch) commit.count(epoch, 1);
    commit.count(epoch + 1, 1);
    commit.lastEpoch = epoch + 1;
  }
}

/** Whether a commit to one of these tables may be under way. */
export function isCommitting(tables: string[]): bool {
  key.clear();
  key.addByte(ALL);
  key.addInt(currentEpoch());
  if (isCounted()) return true;
  const start = key.size;
  store<u8>(key.start, TABLE);
  for (let i = 0; i < tables.length; i++) {
    const size = String.UTF8.byteLength(tables[i]);
    if (start + size > key.capacity) return true;
    String.UTF8.encodeUnsafe(changetype<usize>(tables[i]), tables[i].length, key.start + start);
    key.size = start + size;
    if (isCounted()) return true;
  }
  return false;
}

function isCounted(): bool {
  return storeGet(key.start, key.size, value, 8) == 8 && load<i64>(value) != 0;
}
