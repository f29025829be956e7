/** Memory that fields are read into: made once, so that a hit makes no garbage. */

@external("sluice", "read")
declare function host_read(field: i32, offset: i32, into: usize, capacity: i32): i32;
@external("sluice", "session_get")
declare function host_session_get(into: usize, capacity: i32): i32;
@external("sluice", "session_set")
declare function host_session_set(value: usize, size: i32): i32;
@external("sluice", "kv_get")
declare function host_kv_get(key: usize, size: i32, into: usize, capacity: i32): i32;
@external("sluice", "kv_set")
declare function host_kv_set(key: usize, size: i32, value: usize, valueSize: i32, ttl: i32): i32;
@external("sluice", "kv_increment")
declare function host_kv_increment(key: usize, size: i32, by: i64, ttl: i32): i64;
@external("sluice", "kv_write")
declare function host_kv_write(key: usize, size: i32): i32;
@external("sluice", "kv_capture")
declare function host_kv_capture(key: usize, size: i32, ttl: i32, sizeMax: i32): i32;
@external("sluice", "random")
declare function host_random(into: usize, capacity: i32): i32;

/** Bytes at a fixed place, up to a fixed number. */
export class Buffer {
  readonly start: usize;
  readonly capacity: i32;
  size: i32 = 0;

  constructor(capacity: i32) {
    this.capacity = capacity;
    this.start = heap.alloc(capacity);
  }

  /** Reads a field. False if there is none, or if it does not fit: `isTooLong` says which. */
  read(field: i32): bool {
    return this.took(host_read(field, 0, this.start, this.capacity));
  }

  readSession(): bool {
    return this.took(host_session_get(this.start, this.capacity));
  }

  writeSession(): void {
    host_session_set(this.start, this.size);
  }

  isTooLong: bool = false;

  private took(size: i32): bool {
    this.isTooLong = size > this.capacity;
    const isThere = size >= 0 && !this.isTooLong;
    this.size = isThere ? size : 0;
    return isThere;
  }

  clear(): void {
    this.size = 0;
  }

  /** False if it does not fit; nothing is added then. */
  add(bytes: usize, size: i32): bool {
    if (this.size + size > this.capacity) return false;
    memory.copy(this.start + this.size, bytes, size);
    this.size += size;
    return true;
  }

  addByte(value: u8): bool {
    if (this.size == this.capacity) return false;
    store<u8>(this.start + this.size, value);
    this.size += 1;
    return true;
  }

  addInt(value: i32): bool {
    if (this.size + 4 > this.capacity) return false;
    store<i32>(this.start + this.size, value);
    this.size += 4;
    return true;
  }

  /** Adds its size and its bytes, so that two such in a row cannot be taken for two others. */
  addSized(bytes: usize, size: i32): bool {
    return this.addInt(size) && this.add(bytes, size);
  }

  at(index: i32): u8 {
    return load<u8>(this.start + index);
  }

  copy(): StaticArray<u8> {
    return bytesAt(this.start, this.size);
  }

  equals(other: StaticArray<u8>): bool {
    return this.size == other.length &&
      memory.compare(this.start, changetype<usize>(other), this.size) == 0;
  }
}

export function bytesAt(start: usize, size: i32): StaticArray<u8> {
  const bytes = new StaticArray<u8>(size);
  memory.copy(changetype<usize>(bytes), start, size);
  return bytes;
}

/** A fast hash, for maps of this instance: what is found by it is compared as well. */
export function hashOf(start: usize, size: i32): u64 {
  let hash: u64 = 0xcbf29ce484222325 ^ <u64>size;
  let i = 0;
  for (; i + 8 <= size; i += 8) {
    hash = (hash ^ load<u64>(start + i)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  for (; i < size; i++) hash = (hash ^ load<u8>(start + i)) * 0x100000001b3;
  return hash ^ (hash >> 32);
}

// The store, by keys in memory.

export function storeGet(key: usize, size: i32, into: usize, capacity: i32): i32 {
  return host_kv_get(key, size, into, capacity);
}

export function storeSet(key: usize, size: i32, value: usize, valueSize: i32): bool {
  return host_kv_set(key, size, value, valueSize, 0) >= 0;
}

/** The sum, or i64.MIN_VALUE where it cannot be done; `ttlMs` is from when the number is made. */
export function storeIncrement(key: usize, size: i32, by: i64, ttlMs: i32): i64 {
  return host_kv_increment(key, size, by, ttlMs);
}

export function storeWrite(key: usize, size: i32): i32 {
  return host_kv_write(key, size);
}

export function storeCapture(key: usize, size: i32, ttlMs: i32, sizeMax: i32): bool {
  return host_kv_capture(key, size, ttlMs, sizeMax) >= 0;
}

export function fillRandom(into: usize, size: i32): void {
  host_random(into, size);
}
