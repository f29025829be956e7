/**
 * Puts a module together from copies of another one's sections.
 *
 * @module
 */

import type { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Copies a section that is not changed. */
export function copyAll(from: Reader, to: Writer): void {
  to.put(from.take(from.end - from.offset));
}

/** Collects sections in the order in which it is asked for them. */
export class SectionCopier {
  readonly #contents: ReadonlyMap<number, Reader>;
  readonly #module: Writer;
  readonly #section: Writer;

  /**
   * @param contents The sections of the module to copy from, by id.
   * @param header What the copy begins with.
   * @param sizeMax The most bytes that the copy may have.
   */
  constructor(contents: ReadonlyMap<number, Reader>, header: Uint8Array, sizeMax: number) {
    this.#contents = contents;
    this.#module = new Writer(sizeMax);
    this.#section = new Writer(sizeMax);
    this.#module.put(header);
  }

  /** Copies a section with `copy`, if there is one. */
  copy(id: number, copy: (from: Reader, to: Writer) => void): void {
    const content = this.#contents.get(id);
    if (content !== undefined) this.make(id, (_, to) => copy(content.copy(), to));
  }

  /** Makes a section with `make`, from the one that there is, if any. */
  make(id: number, make: (from: Reader | undefined, to: Writer) => void): void {
    make(this.#contents.get(id)?.copy(), this.#section);
    this.#module.put([id]);
    this.#module.putSized(this.#section);
    this.#section.clear();
  }

  /** Makes a section that is a list, with more items at its end. */
  copyAndAdd(id: number, items: readonly (readonly number[])[]): void {
    this.make(id, (from, to) => {
      to.putUint32((from?.count("items") ?? 0) + items.length);
      if (from !== undefined) copyAll(from, to);
      for (const item of items) to.put(item);
    });
  }

  /** The whole module. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#module.view().slice();
  }
}
