/**
 * Types of values, of functions, and the limits of memories and tables.
 *
 * Source: https://webassembly.github.io/spec/core/binary/types.html
 *
 * @module
 */

import { InvalidModuleError } from "./invalid_module_error.ts";
import type { Reader } from "./reader.ts";

/** A type of values, as the text format calls it. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "funcref" | "externref";

/** What a function takes and returns. */
export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Sizes of a memory in pages of 64 KiB, or of a table in elements. */
export interface Limits {
  readonly min: number;
  /** Undefined if none is declared. */
  readonly max: number | undefined;
}

/** The most parameters, and the most results, that V8 accepts. */
const VALUES_MAX = 1_000;

const VALUE_TYPES: ReadonlyMap<number, ValueType> = new Map([
  [0x7f, "i32"],
  [0x7e, "i64"],
  [0x7d, "f32"],
  [0x7c, "f64"],
  [0x7b, "v128"],
  [0x70, "funcref"],
  [0x6f, "externref"],
]);

/** What stands where a type is expected, and belongs to a feature that is not allowed. */
const FEATURES_OF_TYPES: ReadonlyMap<number, string> = new Map([
  [0x75, "stack switching"],
  [0x68, "stack switching"],
  [0x5d, "stack switching"],
  [0x74, "exception handling"],
  [0x69, "exception handling"],
  [0x64, "function references and garbage collection"],
  [0x63, "function references and garbage collection"],
  ...[0x4e, 0x4f, 0x50, 0x5e, 0x5f, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x77, 0x78]
    .map((code): [number, string] => [code, "garbage collection"]),
]);

const FUNCTION_TYPE = 0x60;
const EMPTY_BLOCK = 0x40;
/** A byte with this bit, and not the one above, is a negative number of one byte. */
const IS_NEGATIVE_BIT = 0x40;

const HAS_MAX_BIT = 1;
const SHARED_BIT = 2;
const INDEX_64_BIT = 4;

/** The error for something of a feature that plugins may not use. */
export function refusedFeature(feature: string, offset: number): InvalidModuleError {
  return new InvalidModuleError(`${feature} is not allowed`, offset);
}

/** Reads a type of values. */
export function readValueType(reader: Reader): ValueType {
  const start = reader.offset;
  const code = reader.byte();
  const type = VALUE_TYPES.get(code);
  if (type === undefined) throw unknownType(code, start);
  return type;
}

/** Reads a type of references. @returns Its code. */
export function readReferenceType(reader: Reader): number {
  const start = reader.offset;
  const code = reader.byte();
  const type = VALUE_TYPES.get(code);
  if (type === "funcref" || type === "externref") return code;
  // What is not negative is the index of a type.
  if (code < IS_NEGATIVE_BIT) {
    throw refusedFeature("a reference of a type (function references)", start);
  }
  throw unknownType(code, start);
}

/** Reads a type of functions. */
export function readFunctionType(reader: Reader): FunctionType {
  const start = reader.offset;
  const form = reader.byte();
  if (form !== FUNCTION_TYPE) throw unknownType(form, start);
  return { parameters: readValueTypes(reader), results: readValueTypes(reader) };
}

/** Steps over a block's type: none, that of one value, or the index of a type of functions. */
export function skipBlockType(reader: Reader, typeCount: number): void {
  const start = reader.offset;
  const code = reader.byte();
  const isNegative = code < 0x80 && (code & IS_NEGATIVE_BIT) !== 0;
  if (isNegative) {
    if (code !== EMPTY_BLOCK && !VALUE_TYPES.has(code)) throw unknownType(code, start);
    return;
  }
  reader.offset = start;
  const index = reader.uint32();
  if (index >= typeCount) throw new InvalidModuleError(`there is no type ${index}`, start);
}

/** Reads limits. @param what "memory" or "table". */
export function readLimits(reader: Reader, what: string): Limits {
  const start = reader.offset;
  const flags = reader.uint32();
  if ((flags & SHARED_BIT) !== 0) throw refusedFeature(`a shared ${what} (threads)`, start);
  if ((flags & INDEX_64_BIT) !== 0) throw refusedFeature(`a 64-bit ${what}`, start);
  if (flags > HAS_MAX_BIT) {
    throw new InvalidModuleError(`limits of a ${what} have unknown flags ${flags}`, start);
  }
  const min = reader.uint32();
  const max = flags === HAS_MAX_BIT ? reader.uint32() : undefined;
  if (max !== undefined && max < min) {
    throw new InvalidModuleError(`a ${what}'s maximum is below its minimum`, start);
  }
  return { min, max };
}

function readValueTypes(reader: Reader): ValueType[] {
  const count = reader.count("values of a function's type", VALUES_MAX);
  return Array.from({ length: count }, () => readValueType(reader));
}

function unknownType(code: number, offset: number): InvalidModuleError {
  const feature = FEATURES_OF_TYPES.get(code);
  if (feature !== undefined) return refusedFeature(feature, offset);
  return new InvalidModuleError(`there is no type with code 0x${code.toString(16)}`, offset);
}
