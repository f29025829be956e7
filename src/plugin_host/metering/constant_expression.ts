/**
 * Copies expressions that make constants, for globals and for the places and elements of tables.
 *
 * @module
 */

import type { MeteredIndexes } from "./function_meter.ts";
import { OPCODE, readIndex, skipImmediates, unknownInstruction } from "./instructions.ts";
import { InvalidModuleError } from "./invalid_module_error.ts";
import type { Reader } from "./reader.ts";
import { unsignedLeb, type Writer } from "./writer.ts";

/** Instructions that are allowed, but for those with a prefix. */
const CONSTANT_OPCODES: ReadonlySet<number> = new Set([
  ...[0x41, 0x42, 0x43, 0x44, 0xd0, 0xd2], // constants, null, references to functions
  0x23, // global.get
  ...[0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e], // sums, differences, products
]);

/** The second code of v128.const. */
const VECTOR_CONSTANT = 0x0c;

/**
 * Copies an expression, its end included. References to imported functions become those to what
 * charges for them.
 *
 * @throws {InvalidModuleError} If there is an instruction that makes no constant.
 */
export function copyConstantExpression(
  reader: Reader,
  writer: Writer,
  indexes: MeteredIndexes,
): void {
  while (true) {
    const start = reader.offset;
    const opcode = reader.byte();
    if (opcode === OPCODE.end) {
      writer.put([opcode]);
      return;
    }
    if (opcode === OPCODE.referenceFunction) {
      const index = readIndex(reader, "function", indexes.functionCount);
      writer.put([opcode, ...unsignedLeb(indexes.callee(index))]);
      continue;
    }
    if (!isConstant(reader, opcode)) throw unfit(opcode, start);
    skipImmediates(reader, opcode, start, indexes);
    writer.put(reader.bytes.subarray(start, reader.offset));
  }
}

function isConstant(reader: Reader, opcode: number): boolean {
  if (opcode !== OPCODE.vectorPrefix) return CONSTANT_OPCODES.has(opcode);
  return reader.copy().uint32() === VECTOR_CONSTANT;
}

function unfit(opcode: number, start: number): InvalidModuleError {
  if (opcode > 0xd2 && opcode !== OPCODE.vectorPrefix) return unknownInstruction(opcode, start);
  return new InvalidModuleError("an instruction is not one of those that make constants", start);
}
