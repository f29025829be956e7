/**
 * What is prepared in place of a statement that a client prepares: an error for one that may not
 * be, or the same with the names that servers know for EXECUTE and DEALLOCATE of what was prepared
 * by Parse.
 *
 * @module
 */

import { concat, utf8 } from "../../base/bytes.ts";
import type { Traits } from "../sql/traits.ts";
import { nameOf } from "../wire/extended_messages.ts";
import {
  NOBODYS_NAME,
  SERVER_NAME_PREFIX,
  type Statement,
  type UnnamedStatement,
} from "./statements.ts";

/** What is prepared in place of a statement. */
export interface Meant {
  readonly definition: Uint8Array;
  readonly requires?: Statement;
}

/** Whose statements they are. */
export interface StatementsOwner {
  /** The definition of a statement that raises an error, for one that may not be. */
  refusalOf(traits: Traits): Uint8Array | undefined;
  /** What the names in a text depend on: see {@linkcode Meaning}. */
  namesNow(): string | undefined;
}

/** Who knows what statements mean. */
export interface Meanings {
  /** What is prepared in place of a statement, if it is not what it is. */
  meantBy(statement: UnnamedStatement): Meant | undefined;
}

/**
 * What is prepared in place of a statement that may be, if it is not what it is.
 *
 * @param named What a name of the client stands for, if it was prepared by Parse.
 */
export function meantBy(
  { definition, traits }: UnnamedStatement,
  named: { get(name: string): Statement | undefined },
): Meant | undefined {
  const [range] = traits.statementNames;
  if (range === undefined || traits.statementCount !== 1) return undefined;
  if (range.use === "prepare") return undefined;
  const requires = named.get(nameOf(utf8(range.name)));
  if (requires !== undefined) {
    return { definition: renamedText(definition, range, requires.serverName), requires };
  }
  // Another client's statement may have such a name.
  if (!range.name.startsWith(SERVER_NAME_PREFIX)) return undefined;
  return { definition: renamedText(definition, range, NOBODYS_NAME) };
}

/** SQL that names a statement: the client's name replaced by one of the server's. */
export function renamedText(
  text: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  serverName: Uint8Array,
): Uint8Array {
  return concat(text.subarray(0, start), serverName, text.subarray(end));
}

/** What a server takes in a transaction that has failed. */
export const ENDS_TRANSACTION: ReadonlySet<string> = new Set([
  "abort",
  "commit",
  "end",
  "prepare",
  "rollback",
]);
