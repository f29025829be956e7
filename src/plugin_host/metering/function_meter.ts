/**
 * Puts charges into the bodies of functions.
 *
 * A charge stands at the entry of every function and of every pass of a loop, and pays in advance
 * for what follows. One unit is one instruction; `block`, `else` and `end`, which make no machine
 * code, cost nothing, a local variable costs one unit at the entry, and some instructions cost
 * more. Code is paid for by a charge that surely was passed before it, at most once since: never
 * too little. It may be too much when a branch steps over code that was paid for: of such code a
 * charge pays for no more than {@linkcode DOUBTFUL_UNITS_MAX} units, then another one is put in. So
 *
 *     executed units <= charged units <= executed units + DOUBTFUL_UNITS_MAX * passed charges
 *
 * and a loop with a thousand cases does not pay for them all in each pass.
 *
 * @module
 */

import { bulkPriceOf, chargeCode } from "./charges.ts";
import { type Indexes, OPCODE, readIndex, skipImmediates } from "./instructions.ts";
import { InvalidModuleError } from "./invalid_module_error.ts";
import { ITEMS_MAX, type Reader } from "./reader.ts";
import { readValueType } from "./value_types.ts";
import { unsignedLeb, type Writer } from "./writer.ts";

/** The most units that a charge asks for code that may be stepped over. */
export const DOUBTFUL_UNITS_MAX = 64;

/** A table.set is a call into the runtime, some 40 ns, where other instructions take one or two. */
const TABLE_SET_UNITS = 32;

/** The most locals of a function that V8 accepts, parameters included. */
const LOCALS_MAX = 50_000;

/** The largest body of a function that V8 accepts, in bytes. */
const BODY_SIZE_MAX = 7_654_321;

/** Where things that the meter adds are found in the metered module. */
export interface MeteredIndexes extends Indexes {
  readonly fuelGlobal: number;
  /** The function to call instead of `index`, which is another one if that is imported. */
  callee(index: number): number;
  /** The function that charges by one of the prices for instructions with operands. */
  bulkCharge(price: number): number;
  /** The function that fills the fuel up. */
  readonly refuel: number;
}

/** Code that pays for what follows; its price is known only behind that. */
interface Charge {
  units: number;
  /** Those of them for code that a branch may step over. */
  doubtfulUnits: number;
  /** True until there is a branch behind it: then what follows may not be executed. */
  isCertain: boolean;
}

/** The bytes from `start` to `end` are replaced, which may be none. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly by: Charge | readonly number[];
}

/** Meters one body after the other. */
export class FunctionMeter {
  readonly #indexes: MeteredIndexes;
  #edits: Edit[] = [];
  /** For each construct that is open, the charge before it. */
  #openedBehind: Charge[] = [];
  #charge: Charge = { units: 0, doubtfulUnits: 0, isCertain: true };

  constructor(indexes: MeteredIndexes) {
    this.#indexes = indexes;
  }

  /**
   * Writes the body that `reader` is at, without its size, as a metered one.
   *
   * @throws {InvalidModuleError} If it is malformed, uses what is not allowed, or gets too large.
   */
  meter(reader: Reader, writer: Writer): void {
    const start = reader.offset;
    this.#edits = [];
    this.#openedBehind = [];
    const localCount = readLocals(reader);
    this.#addCharge(reader.offset, 1 + localCount);
    this.#openedBehind.push(this.#charge);
    while (this.#openedBehind.length > 0) this.#readInstruction(reader);
    reader.expectEnd("a function");
    this.#write(reader.bytes, start, reader.end, writer);
    if (writer.size <= BODY_SIZE_MAX) return;
    const problem = `a function has more than ${BODY_SIZE_MAX} bytes when metered`;
    throw new InvalidModuleError(problem, start);
  }

  #readInstruction(reader: Reader): void {
    const start = reader.offset;
    const opcode = reader.byte();
    switch (opcode) {
      case OPCODE.end:
        this.#goBehind(this.#openedBehind.pop()!);
        return;
      case OPCODE.else:
        this.#goBehind(this.#openedBehind.at(-1)!);
        return;
      case OPCODE.block:
        skipImmediates(reader, opcode, start, this.#indexes);
        this.#openedBehind.push(this.#charge);
        return;
      case OPCODE.loop:
        skipImmediates(reader, opcode, start, this.#indexes);
        this.#openedBehind.push(this.#charge);
        this.#addCharge(reader.offset, 1);
        return;
      case OPCODE.call:
      case OPCODE.referenceFunction:
        this.#countUnits(start, 1);
        this.#redirect(reader, opcode, start);
        return;
    }
    this.#countUnits(start, opcode === OPCODE.tableSet ? TABLE_SET_UNITS : 1);
    this.#readOther(reader, opcode, start);
  }

  #readOther(reader: Reader, opcode: number, start: number): void {
    const bulkOpcode = skipImmediates(reader, opcode, start, this.#indexes);
    switch (opcode) {
      case OPCODE.if:
        this.#openedBehind.push(this.#charge);
        this.#charge.isCertain = false;
        return;
      case OPCODE.unreachable:
      case OPCODE.branch:
      case OPCODE.branchIf:
      case OPCODE.branchTable:
      case OPCODE.return:
        this.#charge.isCertain = false;
        return;
    }
    const price = bulkPriceOf(opcode, bulkOpcode);
    if (price === undefined) return;
    const code = [OPCODE.call, ...unsignedLeb(this.#indexes.bulkCharge(price))];
    this.#edits.push({ start, end: start, by: code });
  }

  /** A call of an imported function, or a reference to it, becomes one of its wrapper. */
  #redirect(reader: Reader, opcode: number, start: number): void {
    const index = readIndex(reader, "function", this.#indexes.functionCount);
    const callee = this.#indexes.callee(index);
    if (callee === index) return;
    this.#edits.push({ start, end: reader.offset, by: [opcode, ...unsignedLeb(callee)] });
  }

  #countUnits(start: number, units: number): void {
    const isSpent = this.#charge.doubtfulUnits + units > DOUBTFUL_UNITS_MAX;
    if (isSpent && !this.#charge.isCertain) this.#addCharge(start, 0);
    this.#charge.units += units;
    if (!this.#charge.isCertain) this.#charge.doubtfulUnits += units;
  }

  #addCharge(offset: number, units: number): void {
    this.#charge = { units, doubtfulUnits: 0, isCertain: true };
    this.#edits.push({ start: offset, end: offset, by: this.#charge });
  }

  /**
   * Behind a construct, or at its `else`, charges inside may have been stepped over; the one before
   * it was surely passed, and in this pass of the loop that both stand in.
   */
  #goBehind(before: Charge): void {
    if (this.#charge === before) return;
    this.#charge = before;
    before.isCertain = false;
  }

  #write(bytes: Uint8Array, start: number, end: number, writer: Writer): void {
    let copied = start;
    for (const edit of this.#edits) {
      writer.put(bytes.subarray(copied, edit.start));
      const { by } = edit;
      writer.put("units" in by ? chargeCode(this.#indexes.fuelGlobal, by.units) : by);
      copied = edit.end;
    }
    writer.put(bytes.subarray(copied, end));
  }
}

/** Steps over the declarations of locals. @returns How many locals there are. */
function readLocals(reader: Reader): number {
  const start = reader.offset;
  let localCount = 0;
  for (let left = reader.count("groups of locals", ITEMS_MAX); left > 0; left--) {
    localCount += reader.uint32();
    readValueType(reader);
    if (localCount <= LOCALS_MAX) continue;
    throw new InvalidModuleError(`a function has more than ${LOCALS_MAX} locals`, start);
  }
  return localCount;
}
