/**
 * Settings as somebody wrote them, before anything is checked: the same shape whether they come
 * from the file or from the environment, so that both meet the same checks and messages.
 *
 * @module
 */

import type { SectionName } from "./declarations.ts";
import type { Place } from "./problems.ts";

/** A value as written. Nothing is converted yet: `5s`, `50` and `true` are all text. */
export type WrittenValue =
  | {
    readonly kind: "text";
    readonly text: string;
    /** True when quotes say that this is text even if it looks like a number. */
    readonly isQuoted: boolean;
    readonly place: Place;
  }
  | { readonly kind: "list"; readonly items: readonly WrittenValue[]; readonly place: Place }
  /** Keys where a value should be, or where a type has keys of its own. */
  | { readonly kind: "keys"; readonly entries: readonly WrittenEntry[]; readonly place: Place }
  /** A key with nothing behind it, `~` or `null`. */
  | { readonly kind: "nothing"; readonly place: Place };

/** One key below another, with what it says. */
export interface WrittenEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: WrittenValue;
}

/** The keys of one group, such as `servers.default`. */
export interface WrittenGroup {
  readonly place: Place;
  readonly keys: Map<string, WrittenValue>;
}

/** One section. What is no group's but the section's own is in the group called "". */
export interface WrittenSection {
  readonly place: Place;
  readonly groups: Map<string, WrittenGroup>;
}

/** Every section, also those that nobody wrote. */
export type Settings = ReadonlyMap<SectionName, WrittenSection>;
