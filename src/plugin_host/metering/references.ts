/**
 * Copies the sections that name functions: exports, the start function and the elements of tables.
 * Where they name an imported function, the copy names the one that charges and then calls it.
 *
 * @module
 */

import { copyConstantExpression } from "./constant_expression.ts";
import { type Declarations, KINDS, readKind } from "./declarations.ts";
import type { MeteredIndexes } from "./function_meter.ts";
import { readIndex } from "./instructions.ts";
import { InvalidModuleError } from "./invalid_module_error.ts";
import type { Reader } from "./reader.ts";
import { type FunctionType, readReferenceType } from "./value_types.ts";
import type { Writer } from "./writer.ts";

/** The global that the host sets, and reads behind a call. */
export const FUEL_EXPORT = "__sluice_fuel";

/** The function that fills it up: a tenth of what it takes the host to set it, for each call. */
export const REFUEL_EXPORT = "__sluice_refuel";

/** Names with this at their start are ours. */
const RESERVED_PREFIX = "__sluice";

/** Something that a module gives to the host. */
export type ModuleExport =
  & { readonly name: string }
  & (
    | { readonly kind: "function"; readonly type: FunctionType }
    | { readonly kind: "table" | "memory" | "global" }
  );

/** Bits of an element segment's flags. */
const IS_NOT_ACTIVE_BIT = 1;
/** Of an active one: the table is named. Of another one: it only declares functions. */
const HAS_TABLE_BIT = 2;
const HAS_EXPRESSIONS_BIT = 4;
const FLAGS_MAX = 7;

const FUNCTION_ELEMENTS = 0;

const encoder = new TextEncoder();

/** Copies the exports that the module has, if any, and adds the fuel and what fills it up. */
export function copyExports(
  reader: Reader | undefined,
  writer: Writer,
  indexes: MeteredIndexes,
  { types, functionTypes }: Declarations,
): ModuleExport[] {
  const exports: ModuleExport[] = [];
  const count = reader?.count("exports") ?? 0;
  writer.putUint32(count + 2);
  if (reader !== undefined) {
    for (let left = count; left > 0; left--) {
      const start = reader.offset;
      const name = reader.text();
      if (name.startsWith(RESERVED_PREFIX)) {
        const problem = `a module may not export "${name}": names with ${RESERVED_PREFIX} are ours`;
        throw new InvalidModuleError(problem, start);
      }
      const kind = readKind(reader);
      writer.put(reader.bytes.subarray(start, reader.offset));
      if (kind === "function") {
        const index = readIndex(reader, kind, indexes.functionCount);
        writer.putUint32(indexes.callee(index));
        exports.push({ name, kind, type: types[functionTypes[index]!]! });
      } else {
        const count = kind === "global" ? indexes.globalCount : Infinity;
        writer.putUint32(readIndex(reader, kind, count));
        exports.push({ name, kind });
      }
    }
    reader.expectEnd("the exports");
  }
  for (
    const [ours, kind, index] of [
      [FUEL_EXPORT, "global", indexes.fuelGlobal],
      [REFUEL_EXPORT, "function", indexes.refuel],
    ] as const
  ) {
    const name = encoder.encode(ours);
    writer.put([name.length, ...name, KINDS.indexOf(kind)]);
    writer.putUint32(index);
  }
  return exports;
}

/** Copies which function runs when the module is instantiated. */
export function copyStart(reader: Reader, writer: Writer, indexes: MeteredIndexes): void {
  writer.putUint32(indexes.callee(readIndex(reader, "function", indexes.functionCount)));
  reader.expectEnd("the start function");
}

/** Copies the elements of tables. */
export function copyElements(reader: Reader, writer: Writer, indexes: MeteredIndexes): void {
  const count = reader.count("segments of elements");
  writer.putUint32(count);
  for (let left = count; left > 0; left--) copySegment(reader, writer, indexes);
  reader.expectEnd("the elements");
}

function copySegment(reader: Reader, writer: Writer, indexes: MeteredIndexes): void {
  const start = reader.offset;
  const flags = reader.uint32();
  if (flags > FLAGS_MAX) {
    throw new InvalidModuleError(`a segment of elements has unknown flags ${flags}`, start);
  }
  const isActive = (flags & IS_NOT_ACTIVE_BIT) === 0;
  const hasExpressions = (flags & HAS_EXPRESSIONS_BIT) !== 0;
  writer.putUint32(flags);
  if (isActive) {
    if ((flags & HAS_TABLE_BIT) !== 0) writer.putUint32(reader.uint32());
    copyConstantExpression(reader, writer, indexes);
  }
  const hasType = (flags & (IS_NOT_ACTIVE_BIT | HAS_TABLE_BIT)) !== 0;
  if (hasType) writer.put([hasExpressions ? readReferenceType(reader) : readElementKind(reader)]);
  const count = reader.count("elements", Infinity);
  writer.putUint32(count);
  for (let left = count; left > 0; left--) {
    if (hasExpressions) copyConstantExpression(reader, writer, indexes);
    else writer.putUint32(indexes.callee(readIndex(reader, "function", indexes.functionCount)));
  }
}

function readElementKind(reader: Reader): number {
  const start = reader.offset;
  const kind = reader.byte();
  if (kind === FUNCTION_ELEMENTS) return kind;
  throw new InvalidModuleError(`there are no elements of kind ${kind}`, start);
}
