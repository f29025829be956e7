/**
 * Copies the code of a module, and adds functions: for each imported one a wrapper that charges
 * and calls it, behind them those that charge for instructions by their operands, and the one that
 * fills the fuel up.
 *
 * @module
 */

import { BULK_PRICES, bulkChargeBody, importWrapperBody, refuelBody } from "./charges.ts";
import type { Declarations } from "./declarations.ts";
import { FunctionMeter, type MeteredIndexes } from "./function_meter.ts";
import { InvalidModuleError } from "./invalid_module_error.ts";
import type { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** A function from i32 to i32, the type of what charges for bytes, pages and elements. */
export const BULK_CHARGE_TYPE: readonly number[] = [0x60, 1, 0x7f, 1, 0x7f];

/** A function without parameters or results, the type of what fills the fuel up. */
export const REFUEL_TYPE: readonly number[] = [0x60, 0, 0];

/** Where things are in the metered module: what is added stands behind what there was. */
export function meteredIndexes(declarations: Declarations): MeteredIndexes {
  const { types, functionTypes, importedFunctionCount, globalCount } = declarations;
  const functionCount = functionTypes.length;
  return {
    typeCount: types.length,
    functionCount,
    globalCount,
    fuelGlobal: globalCount,
    callee: (index) => index < importedFunctionCount ? functionCount + index : index,
    bulkCharge: (price) => functionCount + importedFunctionCount + price,
    refuel: functionCount + importedFunctionCount + BULK_PRICES.length,
  };
}

/** Those of the added functions: behind all other types. */
export const ADDED_TYPES = [BULK_CHARGE_TYPE, REFUEL_TYPE];

/** The types of the added functions, as indexes. */
export function addedFunctionTypes(declarations: Declarations): number[] {
  const { types, functionTypes, importedFunctionCount } = declarations;
  return [
    ...functionTypes.slice(0, importedFunctionCount),
    ...BULK_PRICES.map(() => types.length + ADDED_TYPES.indexOf(BULK_CHARGE_TYPE)),
    types.length + ADDED_TYPES.indexOf(REFUEL_TYPE),
  ];
}

/**
 * Copies the code that there is, if any, and adds functions.
 *
 * @param costs What calls of the imported functions cost, in their order.
 * @param callFuel What a call of a hook may use.
 * @param sizeMax The most bytes that the code may have.
 */
export function copyCode(
  reader: Reader | undefined,
  writer: Writer,
  declarations: Declarations,
  costs: readonly number[],
  callFuel: number,
  sizeMax: number,
): void {
  const indexes = meteredIndexes(declarations);
  const { types, functionTypes, importedFunctionCount } = declarations;
  const ownCount = functionTypes.length - importedFunctionCount;
  const start = reader?.offset ?? 0;
  const bodyCount = reader?.count("bodies of functions") ?? 0;
  if (bodyCount !== ownCount) {
    const problem = `there are ${bodyCount} bodies for ${ownCount} functions`;
    throw new InvalidModuleError(problem, start);
  }
  writer.putUint32(ownCount + importedFunctionCount + BULK_PRICES.length + 1);
  if (reader !== undefined) copyBodies(reader, writer, bodyCount, indexes, sizeMax);
  for (let i = 0; i < importedFunctionCount; i++) {
    const { parameters } = types[functionTypes[i]!]!;
    putSized(writer, importWrapperBody(indexes.fuelGlobal, costs[i]!, parameters.length, i));
  }
  for (const price of BULK_PRICES) putSized(writer, bulkChargeBody(indexes.fuelGlobal, price));
  putSized(writer, refuelBody(indexes.fuelGlobal, callFuel));
}

function copyBodies(
  reader: Reader,
  writer: Writer,
  bodyCount: number,
  indexes: MeteredIndexes,
  sizeMax: number,
): void {
  const functions = new FunctionMeter(indexes);
  const body = new Writer(sizeMax);
  for (let left = bodyCount; left > 0; left--) {
    functions.meter(reader.part(reader.uint32()), body);
    writer.putSized(body);
    body.clear();
  }
  reader.expectEnd("the code");
}

function putSized(writer: Writer, body: readonly number[]): void {
  writer.putUint32(body.length);
  writer.put(body);
}
