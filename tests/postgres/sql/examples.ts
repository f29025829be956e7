/**
 * Query texts and what a scan must find in each. The unit tests scan them; an integration test
 * runs them on real servers and compares what is found with what they leave behind.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { QueryScanner } from "../../../src/postgres/sql/query_scanner.ts";
import type { Command, Discard, Pin, Traits, Unpin } from "../../../src/postgres/sql/traits.ts";

/** Names of the traits that are true or false. */
export type FlagName = {
  [Name in keyof Traits]: Traits[Name] extends boolean ? Name : never;
}[keyof Traits];

/** Traits in short: what is empty, false or 1 is left out. */
export interface Seen {
  readonly command: Command;
  readonly count?: number;
  readonly parameters?: readonly string[];
  readonly resets?: readonly string[];
  readonly discards?: readonly Discard[];
  /** "prepare p", "execute p", "deallocate p", "deallocate all" */
  readonly names?: readonly string[];
  readonly pins?: readonly Pin[];
  readonly unpins?: readonly Unpin[];
  readonly flags?: readonly FlagName[];
}

/** A text, or its bytes, and what a scan must find in it. */
export type Example = readonly [text: string, expected: Seen];

const scanner = new QueryScanner();

/**
 * Scans a text, with standard_conforming_strings on unless told otherwise. What a quick look takes
 * for plain must be what the scan finds.
 */
export function traitsOf(text: string | Uint8Array, standardConformingStrings = true): Traits {
  const bytes = typeof text === "string" ? utf8(text) : text;
  const traits = scanner.scan(bytes, standardConformingStrings);
  const plain = scanner.scanPlain(bytes, 0, bytes.length);
  if (plain !== undefined) equal(plain, traits, new TextDecoder().decode(bytes));
  return traits;
}

/** What a scan finds in a text, in short. */
export function seen(text: string | Uint8Array, standardConformingStrings = true): Seen {
  return inShort(traitsOf(text, standardConformingStrings));
}

function inShort(traits: Traits): Seen {
  const short: Record<string, unknown> = { command: traits.command };
  if (traits.statementCount !== 1) short["count"] = traits.statementCount;
  const names = traits.statementNames.map(({ use, name }) => `${use} ${name}`.trimEnd());
  const lists = { ...traits, names, statementNames: [] };
  for (const [key, value] of Object.entries(lists)) {
    if (Array.isArray(value) && value.length > 0) short[key] = value;
  }
  const flags = Object.entries(traits).filter(([, value]) => value === true).map(([key]) => key);
  if (flags.length > 0) short["flags"] = flags;
  return short as unknown as Seen;
}
