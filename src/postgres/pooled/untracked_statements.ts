/**
 * Statements that keep the client's own names, because the session keeps its server: nothing is
 * translated, but what executes them may do to the session has to be known.
 *
 * @module
 */

import { LateMap } from "../../base/late_collections.ts";
import type { QueryScanner } from "../sql/query_scanner.ts";
import { isPlain, type Traits } from "../sql/traits.ts";
import { nameOf } from "../wire/extended_messages.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import type { Backend } from "./backend.ts";
import type { Piece } from "./unnamed_statement.ts";

/** Names that are kept; a statement beyond counts as executed when it is prepared. */
const NAMES_MAX = 1_000;

/** Whose they are. */
export interface UntrackedOwner {
  /** A statement is going to be executed that is not plain. */
  onExecute(backend: Backend, traits: Traits): void;
}

/** Those of one client. */
export class UntrackedStatements {
  readonly #scanner: QueryScanner;
  readonly #owner: UntrackedOwner;
  /** Those that do anything to the session. */
  readonly #traits = new LateMap<string, Traits>();

  constructor(scanner: QueryScanner, owner: UntrackedOwner) {
    this.#scanner = scanner;
    this.#owner = owner;
  }

  onParse(backend: Backend, { view, start, end, isWhole }: Piece): void {
    const nameStart = start + HEADER_SIZE;
    const nameEnd = view.indexOf(0, nameStart);
    if (nameEnd < 0 || nameEnd >= end) return; // for the server to refuse
    if (nameEnd > nameStart) backend.isDirty = true;
    const text = view.subarray(nameEnd + 1, end);
    const size = isWhole ? text.indexOf(0) : text.length;
    const traits = this.#scanner.scan(text.subarray(0, size), true);
    const name = nameOf(view.subarray(nameStart, nameEnd));
    this.#traits.delete(name);
    if (isPlain(traits) || this.#traits.size >= NAMES_MAX) this.#owner.onExecute(backend, traits);
    else this.#traits.set(name, traits);
  }

  /** What a statement does, if it is anything. */
  get(name: string): Traits | undefined {
    return this.#traits.get(name);
  }

  onBind(backend: Backend, { view, start, end }: Piece): void {
    if (this.#traits.size === 0) return;
    const portalEnd = view.indexOf(0, start + HEADER_SIZE);
    const nameEnd = portalEnd < 0 ? -1 : view.indexOf(0, portalEnd + 1);
    if (nameEnd < 0 || nameEnd >= end) return;
    const traits = this.#traits.get(nameOf(view.subarray(portalEnd + 1, nameEnd)));
    if (traits !== undefined) this.#owner.onExecute(backend, traits);
  }
}
