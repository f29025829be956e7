/**
 * The code that charges for other code, and the functions that it needs.
 *
 * @module
 */

import { BULK_OPCODE, OPCODE } from "./instructions.ts";
import { signedLeb, unsignedLeb } from "./writer.ts";

/**
 * What instructions cost whose work depends on an operand: something for each byte, page or element
 * and `base` for the call into the runtime that they all are.
 */
export interface BulkPrice {
  readonly base: number;
  /** Items are multiplied by this, */
  readonly factor: number;
  /** and then shifted right by this many bits. */
  readonly shift: number;
}

/** A growing memory gets pages of zeros, which cost as much as if they were filled. */
const BYTES_PER_PAGE = 65_536;

/** Bytes that are filled or copied for one unit: a memory that is seen for the first time. */
const BYTES_PER_UNIT_BITS = 3;

/** What is charged apart, in the order of the functions that do it. */
export const BULK_PRICES: readonly BulkPrice[] = [
  { base: 16, factor: 1, shift: BYTES_PER_UNIT_BITS }, // bytes
  { base: 2_000, factor: BYTES_PER_PAGE >> BYTES_PER_UNIT_BITS, shift: 0 }, // pages
  { base: 100, factor: 16, shift: 0 }, // elements of tables
];

const BYTES = 0;
const PAGES = 1;
const ELEMENTS = 2;

/** Which of {@linkcode BULK_PRICES} an instruction has; undefined if it has none of its own. */
export function bulkPriceOf(opcode: number, bulkOpcode: number): number | undefined {
  if (opcode === OPCODE.memoryGrow) return PAGES;
  if (opcode !== OPCODE.bulkPrefix) return undefined;
  switch (bulkOpcode) {
    case BULK_OPCODE.memoryInit:
    case BULK_OPCODE.memoryCopy:
    case BULK_OPCODE.memoryFill:
      return BYTES;
    case BULK_OPCODE.tableInit:
    case BULK_OPCODE.tableCopy:
    case BULK_OPCODE.tableGrow:
    case BULK_OPCODE.tableFill:
      return ELEMENTS;
    default:
      return undefined;
  }
}

/** The code that takes units off the fuel and traps if it goes below zero. */
export function chargeCode(fuelGlobal: number, units: number): number[] {
  return [
    ...readFuel(fuelGlobal),
    OPCODE.i64Const,
    ...signedLeb(units),
    OPCODE.i64Subtract,
    ...writeFuelOrTrap(fuelGlobal),
  ];
}

/**
 * The body of a function of type (i32) -> (i32) that charges for so many items and returns their
 * number. What it is asked for stays below 2^48 units, whatever the operand is, and fuel is not
 * negative before: nothing overflows.
 */
export function bulkChargeBody(fuelGlobal: number, price: BulkPrice): number[] {
  return [
    0, // no locals but the parameter
    ...readFuel(fuelGlobal),
    ...[OPCODE.localGet, 0, OPCODE.i64FromUnsignedI32],
    ...[OPCODE.i64Const, ...signedLeb(price.factor), OPCODE.i64Multiply],
    ...[OPCODE.i64Const, ...signedLeb(price.shift), OPCODE.i64ShiftRightUnsigned],
    ...[OPCODE.i64Const, ...signedLeb(price.base), OPCODE.i64Add],
    OPCODE.i64Subtract,
    ...writeFuelOrTrap(fuelGlobal),
    ...[OPCODE.localGet, 0, OPCODE.end],
  ];
}

/** The body of a function that charges and then calls an imported one with its own parameters. */
export function importWrapperBody(
  fuelGlobal: number,
  units: number,
  parameterCount: number,
  importedFunction: number,
): number[] {
  const body = [0, ...chargeCode(fuelGlobal, units)];
  for (let i = 0; i < parameterCount; i++) body.push(OPCODE.localGet, ...unsignedLeb(i));
  body.push(OPCODE.call, ...unsignedLeb(importedFunction), OPCODE.end);
  return body;
}

/** The body of a function of type () -> () after which there is so much fuel. */
export function refuelBody(fuelGlobal: number, units: number): number[] {
  const fuel = [OPCODE.i64Const, ...signedLeb(units)];
  return [0, ...fuel, OPCODE.globalSet, ...unsignedLeb(fuelGlobal), OPCODE.end];
}

function readFuel(fuelGlobal: number): number[] {
  return [OPCODE.globalGet, ...unsignedLeb(fuelGlobal)];
}

/** Stores what is on the stack. */
function writeFuelOrTrap(fuelGlobal: number): number[] {
  return [
    ...[OPCODE.globalSet, ...unsignedLeb(fuelGlobal)],
    ...readFuel(fuelGlobal),
    ...[OPCODE.i64Const, 0, OPCODE.i64LessThanSigned],
    ...[OPCODE.if, 0x40, OPCODE.unreachable, OPCODE.end],
  ];
}
