/**
 * Copies the sections of what holds values, with maxima for what could grow: memories, tables and
 * globals, to which the fuel is added.
 *
 * @module
 */

import { copyConstantExpression } from "./constant_expression.ts";
import { readMutability } from "./declarations.ts";
import type { MeteredIndexes } from "./function_meter.ts";
import { OPCODE } from "./instructions.ts";
import { InvalidModuleError } from "./invalid_module_error.ts";
import type { Reader } from "./reader.ts";
import { readLimits, readReferenceType, readValueType, refusedFeature } from "./value_types.ts";
import { signedLeb, type Writer } from "./writer.ts";

/** A memory has at most 4 GiB. */
const PAGES_MAX = 65_536;
const PAGES_PER_MEBIBYTE = 16;

/** Each table may grow on its own: many of them would be a way around the limit of one. */
const TABLES_MAX = 16;

/** What tables with an expression for their elements begin with. */
const TABLE_WITH_EXPRESSION = 0x40;

const HAS_MAX = 1;
const I64_TYPE = 0x7e;
const MUTABLE = 1;

/** The sizes of a memory in pages of 64 KiB. */
export interface MemoryPages {
  readonly min: number;
  readonly max: number;
}

/**
 * Copies the memory, of which there may be one.
 *
 * @throws {InvalidModuleError} If it needs more than `pagesMax`, or is of another kind.
 */
export function copyMemory(
  reader: Reader,
  writer: Writer,
  pagesMax: number,
): MemoryPages | undefined {
  const start = reader.offset;
  const count = reader.count("memories");
  if (count > 1) throw refusedFeature("more than one memory (multi-memory)", start);
  writer.putUint32(count);
  let pages: MemoryPages | undefined;
  if (count === 1) {
    const offset = reader.offset;
    const { min, max = PAGES_MAX } = readLimits(reader, "memory");
    if (min > pagesMax) {
      const problem = `the module needs at least ${mebibytes(min)} of memory, ` +
        `more than the ${mebibytes(pagesMax)} that are allowed; memoryMax allows more`;
      throw new InvalidModuleError(problem, offset);
    }
    if (max > PAGES_MAX) {
      throw new InvalidModuleError(`a memory has at most ${PAGES_MAX} pages, not ${max}`, offset);
    }
    pages = { min, max: Math.min(max, pagesMax) };
    putLimits(writer, pages);
  }
  reader.expectEnd("the memories");
  return pages;
}

/**
 * Copies the tables.
 *
 * @throws {InvalidModuleError} If one needs more than `sizeMax` elements, or is of another kind.
 */
export function copyTables(reader: Reader, writer: Writer, sizeMax: number): void {
  const count = reader.count("tables", TABLES_MAX);
  writer.putUint32(count);
  for (let left = count; left > 0; left--) {
    const start = reader.offset;
    if (reader.bytes[start] === TABLE_WITH_EXPRESSION) {
      throw refusedFeature("a table with an expression (function references)", start);
    }
    writer.put([readReferenceType(reader)]);
    const { min, max = sizeMax } = readLimits(reader, "table");
    if (min > sizeMax) {
      const problem = `a table needs at least ${min} elements, more than the ${sizeMax} allowed`;
      throw new InvalidModuleError(problem, start);
    }
    putLimits(writer, { min, max: Math.min(max, sizeMax) });
  }
  reader.expectEnd("the tables");
}

/** Copies the globals that the module has, if any, and adds the one for the fuel. */
export function copyGlobals(
  reader: Reader | undefined,
  writer: Writer,
  indexes: MeteredIndexes,
  initialFuel: number,
): void {
  const count = reader?.count("globals") ?? 0;
  writer.putUint32(count + 1);
  if (reader !== undefined) {
    for (let left = count; left > 0; left--) {
      const start = reader.offset;
      readValueType(reader);
      readMutability(reader);
      writer.put(reader.bytes.subarray(start, reader.offset));
      copyConstantExpression(reader, writer, indexes);
    }
    reader.expectEnd("the globals");
  }
  writer.put([I64_TYPE, MUTABLE, OPCODE.i64Const, ...signedLeb(initialFuel), OPCODE.end]);
}

function putLimits(writer: Writer, { min, max }: MemoryPages): void {
  writer.put([HAS_MAX]);
  writer.putUint32(min);
  writer.putUint32(max);
}

/** As people say it, with at most two digits behind the point: "0.06 MiB" is one page. */
function mebibytes(pages: number): string {
  return `${Number((pages / PAGES_PER_MEBIBYTE).toFixed(2))} MiB`;
}
