/**
 * What stands behind the code of each instruction, so that the next one is found. Only what is
 * known here is let through: an instruction that V8 read in another way would hide others from
 * the meter.
 *
 * Source: https://webassembly.github.io/spec/core/binary/instructions.html
 *
 * @module
 */

import { InvalidModuleError } from "./invalid_module_error.ts";
import type { Reader } from "./reader.ts";
import { readReferenceType, readValueType, refusedFeature, skipBlockType } from "./value_types.ts";

/** What there is in a module that instructions name by an index. */
export interface Indexes {
  readonly typeCount: number;
  /** Functions, those imported included. */
  readonly functionCount: number;
  /** Globals, those imported included. */
  readonly globalCount: number;
}

/** Codes of the instructions that the meter treats on their own. */
export const OPCODE = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  branch: 0x0c,
  branchIf: 0x0d,
  branchTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  localGet: 0x20,
  globalGet: 0x23,
  globalSet: 0x24,
  tableSet: 0x26,
  memoryGrow: 0x40,
  i64Const: 0x42,
  i64LessThanSigned: 0x53,
  i64Subtract: 0x7d,
  i64Multiply: 0x7e,
  i64FromUnsignedI32: 0xad,
  i64ShiftRightUnsigned: 0x88,
  i64Add: 0x7c,
  referenceFunction: 0xd2,
  bulkPrefix: 0xfc,
  vectorPrefix: 0xfd,
} as const;

/** Second codes of instructions that begin with {@linkcode OPCODE.bulkPrefix}. */
export const BULK_OPCODE = {
  memoryInit: 8,
  memoryCopy: 10,
  memoryFill: 11,
  tableInit: 12,
  tableCopy: 14,
  tableGrow: 15,
  tableFill: 17,
} as const;

type Skip = (reader: Reader, indexes: Indexes) => void;

/** The most targets of a br_table that V8 accepts, and the most types of a select. */
const BRANCH_TARGETS_MAX = 65_520;
const SELECT_TYPES_MAX = 1;

/** A bit of a memory's alignment that announces the memory's index. */
const HAS_MEMORY_INDEX_BIT = 0x40;

/** The last code of vector instructions, with those of relaxed SIMD. */
const VECTOR_CODE_MAX = 0x113;
const V128_SIZE = 16;

/** Codes below 0x100 that are free among the vector instructions. */
const FREE_VECTOR_CODES: ReadonlySet<number> = new Set([
  ...[0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0],
  ...[0xd2, 0xd3, 0xd4, 0xe2, 0xee],
]);

const none: Skip = () => {};
const index: Skip = (reader) => void reader.uint32();
const twoIndexes: Skip = (reader) => {
  reader.uint32();
  reader.uint32();
};
const fourBytes: Skip = (reader) => void reader.take(4);
const eightBytes: Skip = (reader) => void reader.take(8);
const blockType: Skip = (reader, { typeCount }) => skipBlockType(reader, typeCount);
const functionIndex: Skip = (reader, { functionCount }) => {
  readIndex(reader, "function", functionCount);
};
const globalIndex: Skip = (reader, { globalCount }) => {
  readIndex(reader, "global", globalCount);
};
const callIndirect: Skip = (reader, { typeCount }) => {
  readIndex(reader, "type", typeCount);
  reader.uint32();
};
const branchTable: Skip = (reader) => {
  for (let left = reader.count("targets", BRANCH_TARGETS_MAX); left >= 0; left--) reader.uint32();
};
const selectTypes: Skip = (reader) => {
  for (let left = reader.count("types", SELECT_TYPES_MAX); left > 0; left--) readValueType(reader);
};

/** By first code; those missing are refused. */
const SKIPS: readonly (Skip | undefined)[] = tableOf([
  [0x00, 0x01, none], // unreachable, nop
  [0x02, 0x04, blockType], // block, loop, if
  [0x05, 0x05, none], // else
  [0x0b, 0x0b, none], // end
  [0x0c, 0x0d, index], // br, br_if
  [0x0e, 0x0e, branchTable],
  [0x0f, 0x0f, none], // return
  [0x10, 0x10, functionIndex],
  [0x11, 0x11, callIndirect],
  [0x1a, 0x1b, none], // drop, select
  [0x1c, 0x1c, selectTypes],
  [0x20, 0x22, index], // local.get, local.set, local.tee
  [0x23, 0x24, globalIndex],
  [0x25, 0x26, index], // table.get, table.set
  [0x28, 0x3e, skipMemoryArgument], // loads and stores
  [0x3f, 0x40, skipMemoryIndex], // memory.size, memory.grow
  [0x41, 0x41, (reader) => reader.skipInt32()],
  [0x42, 0x42, (reader) => reader.skipInt64()],
  [0x43, 0x43, fourBytes],
  [0x44, 0x44, eightBytes],
  [0x45, 0xc4, none], // what computes numbers from numbers
  [0xd0, 0xd0, (reader) => void readReferenceType(reader)], // ref.null
  [0xd1, 0xd1, none], // ref.is_null
  [0xd2, 0xd2, functionIndex],
]);

/** By the code behind {@linkcode OPCODE.bulkPrefix}; those missing are refused. */
const BULK_SKIPS: readonly (Skip | undefined)[] = tableOf([
  [0, 7, none], // conversions that saturate
  [8, 8, (reader) => {
    reader.uint32();
    skipMemoryIndex(reader);
  }],
  [9, 9, index], // data.drop
  [10, 10, (reader) => {
    skipMemoryIndex(reader);
    skipMemoryIndex(reader);
  }],
  [11, 11, skipMemoryIndex],
  [12, 12, twoIndexes], // table.init
  [13, 13, index], // elem.drop
  [14, 14, twoIndexes], // table.copy
  [15, 17, index], // table.grow, table.size, table.fill
]);

/** Features by the first and the last of their codes. */
const FEATURES: readonly (readonly [first: number, last: number, feature: string])[] = [
  [0x06, 0x0a, "exception handling"],
  [0x12, 0x13, "a tail call"],
  [0x14, 0x14, "a call of a function reference"],
  [0x15, 0x15, "a tail call"],
  [0x18, 0x19, "exception handling"],
  [0x1f, 0x1f, "exception handling"],
  [0xd3, 0xd3, "garbage collection"],
  [0xd4, 0xd6, "an instruction of function references"],
  [0xe0, 0xe6, "stack switching"],
  [0xfb, 0xfb, "garbage collection"],
  [0xfe, 0xfe, "an atomic instruction (threads)"],
];

/**
 * Steps over what stands behind `opcode`, which begins at `start`.
 *
 * @returns The second code, where {@linkcode OPCODE.bulkPrefix} is the first, otherwise -1.
 * @throws {InvalidModuleError} If it is unknown, is not allowed, or names what is not there.
 */
export function skipImmediates(
  reader: Reader,
  opcode: number,
  start: number,
  indexes: Indexes,
): number {
  const skip = SKIPS[opcode];
  if (skip !== undefined) {
    skip(reader, indexes);
    return -1;
  }
  if (opcode === OPCODE.bulkPrefix) return skipBulk(reader, start, indexes);
  if (opcode === OPCODE.vectorPrefix) skipVector(reader, start);
  else throw unknownInstruction(opcode, start);
  return -1;
}

/** Reads the index of a function, global or type, of which there are `count`. */
export function readIndex(reader: Reader, what: string, count: number): number {
  const start = reader.offset;
  const value = reader.uint32();
  if (value < count) return value;
  throw new InvalidModuleError(`there is no ${what} ${value}`, start);
}

/** The error for an instruction that is not known, or is of a feature that is not allowed. */
export function unknownInstruction(opcode: number, start: number): InvalidModuleError {
  const feature = FEATURES.find(([first, last]) => opcode >= first && opcode <= last)?.[2];
  if (feature !== undefined) return refusedFeature(feature, start);
  return unknownCode(`0x${opcode.toString(16)}`, start);
}

function skipBulk(reader: Reader, start: number, indexes: Indexes): number {
  const opcode = reader.uint32();
  const skip = BULK_SKIPS[opcode];
  if (skip === undefined) throw unknownCode(`0xfc ${opcode}`, start);
  skip(reader, indexes);
  return opcode;
}

function skipVector(reader: Reader, start: number): void {
  const opcode = reader.uint32();
  if (opcode > VECTOR_CODE_MAX || FREE_VECTOR_CODES.has(opcode)) {
    throw unknownCode(`0xfd ${opcode}`, start);
  }
  if (opcode <= 0x0b || opcode === 0x5c || opcode === 0x5d) skipMemoryArgument(reader);
  else if (opcode === 0x0c || opcode === 0x0d) reader.take(V128_SIZE); // v128.const, shuffle
  else if (opcode >= 0x15 && opcode <= 0x22) reader.byte(); // lanes
  else if (opcode >= 0x54 && opcode <= 0x5b) { // loads and stores of lanes
    skipMemoryArgument(reader);
    reader.byte();
  }
}

function skipMemoryArgument(reader: Reader): void {
  const start = reader.offset;
  const alignment = reader.uint32();
  if (alignment >= HAS_MEMORY_INDEX_BIT) {
    throw refusedFeature("an instruction that names its memory (multi-memory)", start);
  }
  reader.uint32();
}

function skipMemoryIndex(reader: Reader): void {
  const start = reader.offset;
  if (reader.uint32() !== 0) throw refusedFeature("more than one memory (multi-memory)", start);
}

function unknownCode(code: string, start: number): InvalidModuleError {
  return new InvalidModuleError(`there is no instruction with code ${code}`, start);
}

function tableOf(rows: readonly (readonly [first: number, last: number, skip: Skip])[]) {
  const table: (Skip | undefined)[] = [];
  for (const [first, last, skip] of rows) {
    for (let opcode = first; opcode <= last; opcode++) table[opcode] = skip;
  }
  return table;
}
