/**
 * Finds the sections of a module.
 *
 * Source: https://webassembly.github.io/spec/core/binary/modules.html
 *
 * @module
 */

import { InvalidModuleError } from "./invalid_module_error.ts";
import { Reader } from "./reader.ts";
import { refusedFeature } from "./value_types.ts";

/** What sections begin with. */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const;

/** Sections in the order in which they stand in a module, by name. */
const ORDER: ReadonlyMap<number, string> = new Map([
  [SECTION.type, "types"],
  [SECTION.import, "imports"],
  [SECTION.function, "functions"],
  [SECTION.table, "tables"],
  [SECTION.memory, "memories"],
  [SECTION.global, "globals"],
  [SECTION.export, "exports"],
  [SECTION.start, "the start function"],
  [SECTION.element, "elements"],
  [SECTION.dataCount, "the count of data"],
  [SECTION.code, "code"],
  [SECTION.data, "data"],
]);

const PLACES: ReadonlyMap<number, number> = new Map([...ORDER.keys()].map((id, i) => [id, i]));

const TAG_SECTION = 13;
const STRING_SECTION = 14;

/** "\0asm" and the version of modules; components have the same magic and another version. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d];
const MODULE_VERSION = [0x01, 0x00, 0x00, 0x00];
const COMPONENT_LAYER_OFFSET = 6;

/** The one name of custom sections that is kept; others are names and notes for debuggers. */
const MANIFEST_SECTION = "sluice.manifest";

/** The parts of a module. */
export interface Sections {
  /** Contents by id, without id and size; none is there twice. */
  readonly contents: ReadonlyMap<number, Reader>;
  /** Copies of custom sections, by name. */
  readonly customSections: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/**
 * Finds every section.
 *
 * @throws {InvalidModuleError} If one is cut off, unknown, twice there, or in the wrong place.
 */
export function findSections(bytes: Uint8Array): Sections {
  const reader = new Reader(bytes, 0, bytes.length);
  expectHeader(reader);
  const contents = new Map<number, Reader>();
  const customSections = new Map<string, Uint8Array<ArrayBuffer>>();
  let placeBefore = -1;
  while (!reader.isAtEnd) {
    const start = reader.offset;
    const id = reader.byte();
    const content = reader.part(reader.uint32());
    if (id === SECTION.custom) {
      keepManifest(content, customSections);
      continue;
    }
    const place = PLACES.get(id);
    if (place === undefined) throw unknownSection(id, start);
    if (place <= placeBefore) {
      const problem = `the section of ${ORDER.get(id)} stands behind one that must follow it`;
      throw new InvalidModuleError(
        contents.has(id) ? `${problem}, or is a second one` : problem,
        start,
      );
    }
    placeBefore = place;
    contents.set(id, content);
  }
  return { contents, customSections };
}

function expectHeader(reader: Reader): void {
  const isModule = MAGIC.every((byte, i) => reader.bytes[i] === byte);
  if (!isModule) throw new InvalidModuleError("this is no WebAssembly: it begins otherwise", 0);
  const version = reader.take(8).subarray(MAGIC.length);
  if (reader.bytes[COMPONENT_LAYER_OFFSET] !== 0) {
    throw refusedFeature("a WebAssembly component, which is no core module,", MAGIC.length);
  }
  if (MODULE_VERSION.some((byte, i) => version[i] !== byte)) {
    throw new InvalidModuleError("only version 1 of WebAssembly is known", MAGIC.length);
  }
}

function keepManifest(
  content: Reader,
  customSections: Map<string, Uint8Array<ArrayBuffer>>,
): void {
  const start = content.offset;
  const name = content.text();
  if (name !== MANIFEST_SECTION) return;
  if (customSections.has(name)) {
    throw new InvalidModuleError(`there are two custom sections named "${name}"`, start);
  }
  customSections.set(name, content.take(content.end - content.offset).slice());
}

function unknownSection(id: number, start: number): InvalidModuleError {
  if (id === TAG_SECTION) return refusedFeature("exception handling", start);
  if (id === STRING_SECTION) return refusedFeature("a section of string literals", start);
  return new InvalidModuleError(`there is no section with id ${id}`, start);
}
