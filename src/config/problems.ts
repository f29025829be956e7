/**
 * What is wrong with a configuration, and where. Problems are collected, never thrown, so that
 * somebody who made five mistakes sees five lines and not one line five times.
 *
 * @module
 */

/** `Place.file` of everything that an environment variable says. */
export const ENVIRONMENT = "environment";

/** More problems than a person reads; a file that is no configuration at all has many. */
const PROBLEMS_MAX = 1_000;

/** How much of a value a message repeats, in characters. */
const QUOTE_SIZE_MAX = 80;

/** Characters of what a program says: whole sentences. */
const MESSAGE_SIZE_MAX = 400;

/** Where something was written. */
export interface Place {
  /** Name of the file, or `environment`. */
  readonly file: string;
  /** From 1. Always 1 in the environment; 0 where there are no lines, as in what a plugin says. */
  readonly line: number;
  /** From 1, in UTF-16 code units. Always 1 in the environment. */
  readonly column: number;
  /** Such as `servers.default.address`; the variable's name in the environment; "" for the file. */
  readonly path: string;
}

/** Returns the place of a key that a group should have, or has by default: where the group is. */
export function keyPlace(group: Place, key: string): Place {
  // In the environment a path is a variable's name, and it stays the one that was set.
  return group.file === ENVIRONMENT ? group : { ...group, path: `${group.path}.${key}` };
}

/** One thing that is wrong, or worth knowing, and where it is written. */
export interface Problem extends Place {
  /** What is wrong, which rule it breaks, and what to do. One line without control characters. */
  readonly message: string;
}

/** Collects problems. It keeps at most 1000 and says when there were more. */
export class Problems {
  readonly #list: Problem[] = [];
  #count = 0;

  /** Problems so far, including those that no longer fit. */
  get count(): number {
    return this.#count;
  }

  /** True when the list is full: what is found from here on is counted, not kept. */
  get isFull(): boolean {
    return this.#count >= PROBLEMS_MAX;
  }

  /** Adds a problem. `message` may only repeat foreign text that went through `quote`. */
  add(place: Place, message: string): void {
    if (!this.isFull) {
      const { file, line, column, path } = place;
      this.#list.push({ file, line, column, path, message });
    }
    this.#count += 1;
  }

  /**
   * Every problem in the order of the main file, then those of other files, then those of the
   * environment by variable.
   */
  sorted(mainFile: string): readonly Problem[] {
    const rank = (file: string) => file === mainFile ? 0 : file === ENVIRONMENT ? 2 : 1;
    const sorted = this.#list.toSorted((a, b) => {
      const [aRank, bRank] = [rank(a.file), rank(b.file)];
      if (aRank !== bRank) return aRank - bRank;
      if (aRank === 2) return compare(a.path, b.path);
      return compare(a.file, b.file) || a.line - b.line || a.column - b.column;
    });
    const last = sorted.at(-1);
    if (last !== undefined && this.#count > sorted.length) {
      const message = `more than ${PROBLEMS_MAX} problems; fix the ones above first`;
      sorted.push({ ...last, path: "", message });
    }
    return sorted;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Returns one line for each problem, for people and for editors that follow `file:line:column`:
 *
 *     sluice.yaml:7:3: servers.default.proxie: unknown key; did you mean "proxies"?
 *     environment: SLUICE_POOLS_DEFAULT_SIZE: expected a whole number …
 */
export function problemsText(problems: readonly Problem[]): string {
  return problems.map((problem) => {
    const { file, line, column, path, message } = problem;
    const place = file === ENVIRONMENT || line === 0 ? file : `${file}:${line}:${column}`;
    return path === "" ? `${place}: ${message}\n` : `${place}: ${path}: ${message}\n`;
  }).join("");
}

/** Returns `text` in double quotes, cut at 80 characters, safe to print on a terminal. */
export function quote(text: string): string {
  return `"${printable(text).replaceAll('"', '\\"')}"`;
}

/** Returns `text` cut at 80 characters, with everything a terminal could act on escaped. */
export function printable(text: string): string {
  return cut(text, QUOTE_SIZE_MAX);
}

/** Returns the message of a program as {@linkcode printable} does, cut at 400 characters. */
export function printableMessage(text: string): string {
  return cut(text, MESSAGE_SIZE_MAX);
}

function cut(text: string, sizeMax: number): string {
  const shown = withoutPassword(text);
  // A character is at most two code units, so this prefix is enough to find the cut.
  const characters = [...shown.slice(0, 2 * sizeMax + 2)];
  const start = characters.slice(0, sizeMax).join("");
  const escaped = start.replaceAll(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, // controls, bidirectional marks, line separators
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
  return characters.length > sizeMax ? `${escaped}…` : escaped;
}

/**
 * People paste URLs where an address is wanted, and `user:password@host` may be in them, with any
 * character in the password, or `password=` behind a question mark. They also forget the space in
 * `password: x`. Rather too much is hidden.
 */
function withoutPassword(text: string): string {
  const start = text.indexOf(":");
  const end = text.lastIndexOf("@");
  const shown = start < 0 || end < start
    ? text
    : `${text.slice(0, start + 1)}...${text.slice(end)}`;
  return shown.replaceAll(/(passw(?:or)?d=)[^&\s]*/gi, "$1...")
    .replace(/(passw(?:or)?d\s*:).*/is, "$1...");
}

/** Returns `; did you mean "x"?` when there is a guess, otherwise "". */
export function didYouMean(guess: string | undefined): string {
  return guess === undefined ? "" : `; did you mean "${guess}"?`;
}

/** Returns the names for a message: `a, b, c`, at most ten of them. */
export function nameList(names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return "none";
  const shown = all.slice(0, 10).map(printable).join(", ");
  return all.length > 10 ? `${shown} and ${all.length - 10} more` : shown;
}
