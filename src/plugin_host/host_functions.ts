/**
 * The import module `sluice`: what every plugin can call. `wit/README.md` has the types. Nothing is
 * thrown but what ends the call: a pointer out of memory, and fuel that is used up.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import type { HostContext } from "./host_context.ts";
import { HOST_ERROR } from "./host_error.ts";
import { keyValueFunctions } from "./host_store.ts";
import { serviceFunctions } from "./host_services.ts";

/** A function that a module imports. */
export type HostFunction = (...parameters: never[]) => number | bigint | void;

/** The functions of one import module, by name. */
export type HostModule = Readonly<Record<string, HostFunction>>;

const { absent, invalid, overLimit } = HOST_ERROR;

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Bytes of a CommandComplete's tag; PostgreSQL's COMPLETION_TAG_BUFSIZE (src/include/tcop). */
const TAG_SIZE_MAX = 64;

/** PostgreSQL's NAMEDATALEN cuts names at 63 bytes, but results may have longer ones. */
const COLUMN_NAME_SIZE_MAX = 1024;

/** Bytes of a path, or of a parameter's name. */
const NAME_SIZE_MAX = 1024;

/** What crypto.getRandomValues gives at once. */
const RANDOM_SIZE_MAX = 65_536;

const NANOSECONDS_PER_MS = 1_000_000;

/** Every function of module `sluice`, for one plugin. */
export function hostFunctions(context: HostContext): HostModule {
  return {
    ...readFunctions(context),
    ...outputFunctions(context),
    ...resultFunctions(context),
    ...serviceFunctions(context),
    ...keyValueFunctions(context),
  };
}

function readFunctions(context: HostContext): HostModule {
  const { memory, fields, ports } = context;
  const give = (bytes: Uint8Array, offset: number, pointer: number, capacity: number): number => {
    context.chargeBytes(memory.put(pointer, capacity, bytes, offset));
    return bytes.length;
  };
  return {
    read(field: number, offset: number, pointer: number, capacity: number): number {
      memory.check(pointer, capacity);
      const found = fields.read(field >>> 0);
      return typeof found === "number" ? found : give(found, offset, pointer, capacity);
    },
    parameter(name: number, length: number, pointer: number, capacity: number): number {
      memory.check(pointer, capacity);
      memory.check(name, length);
      if (length >>> 0 > NAME_SIZE_MAX) return absent;
      const value = context.event?.session?.parameter(memory.textOf(name, length));
      return value === undefined ? absent : give(utf8(value), 0, pointer, capacity);
    },
    config(path: number, length: number, pointer: number, capacity: number): number {
      memory.check(pointer, capacity);
      memory.check(path, length);
      if (length >>> 0 > NAME_SIZE_MAX) return absent;
      const value = fields.config(memory.textOf(path, length));
      if (value === undefined) return absent;
      // It may have been made just now, and be longer than what fits.
      context.chargeBytes(value.length);
      return give(value, 0, pointer, capacity);
    },
    clock(clock: number): bigint {
      switch (clock) {
        case 0:
          return BigInt(Math.round(ports.wallMs())) * BigInt(NANOSECONDS_PER_MS);
        case 1:
          return BigInt(Math.round(ports.clock.nowMs() * NANOSECONDS_PER_MS));
        default:
          return BigInt(invalid);
      }
    },
    random(pointer: number, capacity: number): number {
      return fillRandom(context, pointer, capacity);
    },
  };
}

/** Fills a buffer of the plugin with random bytes. @returns How many those are. */
export function fillRandom(context: HostContext, pointer: number, capacity: number): number {
  const bytes = context.memory.viewOf(pointer, capacity);
  // A random byte costs about as much as an instruction.
  if (bytes.length > 64) context.charge(bytes.length);
  for (let start = 0; start < bytes.length; start += RANDOM_SIZE_MAX) {
    crypto.getRandomValues(bytes.subarray(start, start + RANDOM_SIZE_MAX));
  }
  return bytes.length;
}

function outputFunctions(context: HostContext): HostModule {
  const { memory, output } = context;
  return {
    write(pointer: number, length: number): number {
      const bytes = memory.viewOf(pointer, length);
      context.chargeBytes(bytes.length);
      return output.append(bytes) ? bytes.length : overLimit;
    },
    error(
      sqlState: number,
      sqlStateLength: number,
      message: number,
      messageLength: number,
      hint: number,
      hintLength: number,
    ): number {
      const size = memory.viewOf(message, messageLength).length +
        memory.viewOf(hint, hintLength).length;
      const code = sqlStateLength === 5 ? memory.textOf(sqlState, sqlStateLength) : "";
      memory.check(sqlState, sqlStateLength);
      context.chargeBytes(size);
      return setError(
        context,
        code,
        () => memory.textOf(message, messageLength),
        () => memory.textOf(hint, hintLength),
        size,
      );
    },
  };
}

/** Says what a rejection tells the client, once it is known that there is room for it. */
function setError(
  { output }: HostContext,
  sqlState: string,
  message: () => string,
  hint: () => string,
  size: number,
): number {
  if (!SQLSTATE.test(sqlState)) return invalid;
  if (!output.reserve(size, 1)) return overLimit;
  const rejection = { sqlState, message: message(), hint: hint() };
  // The wire ends texts with a zero byte.
  if (rejection.message.includes("\0") || rejection.hint.includes("\0")) return invalid;
  output.rejection = rejection;
  return 0;
}

function resultFunctions(context: HostContext): HostModule {
  const { memory, output } = context;
  return {
    "result_column"(pointer: number, length: number, typeOid: number): number {
      const bytes = memory.viewOf(pointer, length);
      if (bytes.length > COLUMN_NAME_SIZE_MAX || bytes.includes(0)) return invalid;
      if (!output.reserve(bytes.length, 1)) return overLimit;
      const name = memory.textOf(pointer, length);
      return output.addColumn({ name, typeOid: typeOid >>> 0 }) ?? invalid;
    },
    "result_value"(pointer: number, length: number): number {
      const isNull = length === -1;
      const size = isNull ? 0 : length;
      if (!isNull) memory.check(pointer, size);
      if (!output.hasResult) return invalid;
      if (!output.reserve(size >>> 0, 2)) return overLimit;
      context.chargeBytes(size >>> 0);
      return output.addValue(isNull ? undefined : memory.copyOf(pointer, size)) ?? invalid;
    },
    "result_tag"(pointer: number, length: number): number {
      const bytes = memory.viewOf(pointer, length);
      if (bytes.length === 0 || bytes.length > TAG_SIZE_MAX || bytes.includes(0)) return invalid;
      if (!output.reserve(bytes.length, 1)) return overLimit;
      output.setTag(memory.textOf(pointer, length));
      return bytes.length;
    },
  };
}
