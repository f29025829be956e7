/**
 * Versions of tables, in the store that all workers share. A version is a number that was never
 * used before: one that the store has dropped to make room is not begun anew, as a count would be,
 * so that nothing old is found again.
 */

import { Buffer, fillRandom, storeGet, storeSet } from "./buffer";

const VERSION_SIZE = 8;

const EVERYTHING = "everything";

const key = new Buffer(512);
const fresh = memory.data(VERSION_SIZE, 8);

function setKey(name: usize, size: i32): bool {
  key.clear();
  return key.addByte(118) && key.add(name, size); // v
}

/** The next version of a table. */
export function renew(name: usize, size: i32): void {
  fillRandom(fresh, VERSION_SIZE);
  if (!setKey(name, size) || !storeSet(key.start, key.size, fresh, VERSION_SIZE)) renewAll();
}

/** The next version of all tables: nothing that was cached before is found any more. */
export function renewAll(): void {
  fillRandom(fresh, VERSION_SIZE);
  key.clear();
  for (let i = 0; i < EVERYTHING.length; i++) key.addByte(<u8>EVERYTHING.charCodeAt(i));
  storeSet(key.start, key.size, fresh, VERSION_SIZE);
}

/** Adds the version that is true for all tables. */
export function addCommonVersion(to: Buffer): bool {
  key.clear();
  for (let i = 0; i < EVERYTHING.length; i++) key.addByte(<u8>EVERYTHING.charCodeAt(i));
  return addVersion(to);
}

/** Adds a table's version; one that has none gets one. False if there is no room. */
export function addTableVersion(name: string, to: Buffer): bool {
  const size = String.UTF8.byteLength(name);
  if (size >= key.capacity) return false;
  store<u8>(key.start, 118);
  String.UTF8.encodeUnsafe(changetype<usize>(name), name.length, key.start + 1);
  key.size = 1 + size;
  return addVersion(to);
}

function addVersion(to: Buffer): bool {
  if (to.size + VERSION_SIZE > to.capacity) return false;
  const into = to.start + to.size;
  if (storeGet(key.start, key.size, into, VERSION_SIZE) != VERSION_SIZE) {
    fillRandom(into, VERSION_SIZE);
    if (!storeSet(key.start, key.size, into, VERSION_SIZE)) return false;
  }
  to.size += VERSION_SIZE;
  return true;
}
