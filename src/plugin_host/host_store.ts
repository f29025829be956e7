/**
 * Host functions of the plugin's key-value store, which all workers share.
 *
 * @module
 */

import { CALL_LIMIT, type HostContext } from "./host_context.ts";
import { HOST_ERROR } from "./host_error.ts";
import type { HostModule } from "./host_functions.ts";
import { type SharedStore, STORE_KEY_SIZE_MAX } from "./shared_store.ts";

const { absent, denied, invalid, overLimit } = HOST_ERROR;

/** What `kv_increment` returns when it cannot be done. */
const NO_SUM = -(2n ** 63n);

/** Units for finding a key, and for what all workers wait for meanwhile. */
const OPERATION_COST = 200;

/** The functions, for one plugin. */
export function keyValueFunctions(context: HostContext): HostModule {
  return { ...valueFunctions(context), ...replyFunctions(context) };
}

/** The store, if the call may use it once more; or a number of `HOST_ERROR`. */
function storeFor(context: HostContext, keyLength: number, size: number): SharedStore | number {
  const { store } = context;
  if (!context.may.kv || store === undefined) return denied;
  if (keyLength < 1 || keyLength > STORE_KEY_SIZE_MAX) return invalid;
  if (context.keyValueOperations >= CALL_LIMIT.keyValueOperations) return overLimit;
  context.keyValueOperations += 1;
  context.charge(OPERATION_COST);
  context.chargeBytes(size);
  return store;
}

function valueFunctions(context: HostContext): HostModule {
  const { memory } = context;
  return {
    "kv_get"(key: number, keyLength: number, pointer: number, capacity: number): number {
      const keyBytes = memory.viewOf(key, keyLength);
      const target = memory.viewOf(pointer, capacity);
      const store = storeFor(context, keyBytes.length, 0);
      if (typeof store === "number") return store;
      const size = store.getInto(keyBytes, target);
      if (size < 0) return absent;
      context.chargeBytes(Math.min(size, target.length));
      return size;
    },
    "kv_set"(
      key: number,
      keyLength: number,
      value: number,
      valueLength: number,
      ttlMs: number,
    ): number {
      const keyBytes = memory.viewOf(key, keyLength);
      const valueBytes = memory.viewOf(value, valueLength);
      const store = storeFor(context, keyBytes.length, valueBytes.length);
      if (typeof store === "number") return store;
      return store.set(keyBytes, valueBytes, ttlMs >>> 0) ? 0 : overLimit;
    },
    "kv_delete"(key: number, keyLength: number): number {
      const keyBytes = memory.viewOf(key, keyLength);
      const store = storeFor(context, keyBytes.length, 0);
      if (typeof store === "number") return store;
      return store.delete(keyBytes) ? 0 : absent;
    },
    "kv_increment"(key: number, keyLength: number, by: bigint, ttlMs: number): bigint {
      const keyBytes = memory.viewOf(key, keyLength);
      const store = storeFor(context, keyBytes.length, 0);
      if (typeof store === "number") return NO_SUM;
      return store.increment(keyBytes, by, ttlMs >>> 0) ?? NO_SUM;
    },
  };
}

function replyFunctions(context: HostContext): HostModule {
  const { memory, output } = context;
  return {
    "kv_write"(key: number, keyLength: number): number {
      const keyBytes = memory.viewOf(key, keyLength);
      const store = storeFor(context, keyBytes.length, 0);
      if (typeof store === "number") return store;
      const value = store.get(keyBytes);
      if (value === undefined) return absent;
      context.chargeBytes(value.length);
      return output.adopt(value) ? value.length : overLimit;
    },
    "kv_capture"(key: number, keyLength: number, ttlMs: number, sizeMax: number): number {
      const keyBytes = memory.copyOf(key, keyLength);
      const store = storeFor(context, keyBytes.length, 0);
      if (typeof store === "number") return store;
      const capture = context.event?.capture;
      if (capture === undefined) return absent;
      if (context.captures >= CALL_LIMIT.captures) return overLimit;
      const size = Math.min(sizeMax >>> 0, store.valueSizeMax);
      const isTaken = capture(size, (messages) => void store.set(keyBytes, messages, ttlMs >>> 0));
      if (!isTaken) return absent;
      context.captures += 1;
      return 0;
    },
  };
}
