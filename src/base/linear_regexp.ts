/**
 * Regular expressions whose time cannot explode. They are tried on names that strangers choose,
 * and JavaScript's own engine backtracks: `(a+)+b` hangs on thirty letters "a". This one follows
 * all possibilities at once, one character after the other, so its time is bounded by the sizes of
 * the expression and of the text multiplied.
 *
 * It knows what such expressions are made of everywhere: characters, `.`, `[...]`,
 * `(...)`, `(?:...)`, `|`, `*`, `+`, `?`, `{n,m}`, `^`, `$`, `\d`, `\w`, `\s` with their opposites,
 * and `\` before a sign. Letter case counts; an expression without `^` and `$` is searched for
 * everywhere. Of several ways to match, the one that JavaScript would find counts for the groups.
 *
 * Source: https://swtch.com/~rsc/regexp/regexp2.html
 *
 * @module
 */

import { type CharacterSet, parsePattern, PatternError, type PatternNode } from "./pattern.ts";

/** Most steps of a compiled expression; `{n,m}` multiplies them. */
const STEPS_MAX = 2000;

type Instruction =
  | { readonly kind: "character"; readonly set: CharacterSet }
  /** Tries `first`, then `second`. */
  | { readonly kind: "split"; first: number; second: number }
  | { readonly kind: "jump"; to: number }
  | { readonly kind: "save"; readonly slot: number }
  | { readonly kind: "start" | "end" | "match" };

/** One possibility: where it is in the program, and where its groups began and ended. */
interface Thread {
  readonly at: number;
  readonly slots: readonly (number | undefined)[];
}

/** A compiled expression. Its text may be of any length, but callers limit it. */
export class LinearRegExp {
  readonly #program: readonly Instruction[];
  /** How many groups there are to ask for. */
  readonly groupCount: number;

  /** @throws {PatternError} If it is malformed, too large, or uses what is not known here. */
  constructor(pattern: string) {
    const { node, groupCount } = parsePattern(pattern);
    const program: Instruction[] = [];
    emit({ kind: "group", index: 0, inner: node }, program);
    push(program, { kind: "match" });
    this.#program = program;
    this.groupCount = groupCount;
  }

  /** Steps of the program: the time for a text is at most these for each of its characters. */
  get size(): number {
    return this.#program.length;
  }

  /** Whether the expression matches anywhere in `text`. */
  test(text: string): boolean {
    return this.exec(text) !== undefined;
  }

  /** What was found, whole and then group by group, or undefined if nothing was. */
  exec(text: string): readonly (string | undefined)[] | undefined {
    const characters = [...text];
    const slots = new Array<number | undefined>(2 * (this.groupCount + 1));
    let threads: Thread[] = [];
    let found: Thread | undefined;
    for (let at = 0; at <= characters.length; at++) {
      const list = new ThreadList(this.#program, at, characters.length);
      for (const thread of threads) list.add(thread.at, thread.slots);
      // Matches that begin further left go first, so a new beginning goes last.
      if (found === undefined) list.add(0, slots);
      threads = [];
      for (const thread of list.threads) {
        const instruction = this.#program[thread.at]!;
        if (instruction.kind === "match") {
          found = thread;
          break; // what comes after it in the list is less preferred
        }
        if (instruction.kind !== "character" || at === characters.length) continue;
        if (instruction.set.has(characters[at]!)) {
          threads.push({ at: thread.at + 1, slots: thread.slots });
        }
      }
      if (threads.length === 0 && found !== undefined) break;
    }
    if (found === undefined) return undefined;
    const ends = found.slots;
    return Array.from({ length: this.groupCount + 1 }, (_, group) => {
      const start = ends[2 * group];
      const end = ends[2 * group + 1];
      if (start === undefined || end === undefined) return undefined;
      return characters.slice(start, end).join("");
    });
  }
}

/** The possibilities at one place of the text, in order of preference, each instruction once. */
class ThreadList {
  readonly #program: readonly Instruction[];
  readonly #at: number;
  readonly #length: number;
  readonly #seen: Uint8Array;
  readonly threads: Thread[] = [];

  constructor(program: readonly Instruction[], at: number, length: number) {
    this.#program = program;
    this.#at = at;
    this.#length = length;
    this.#seen = new Uint8Array(program.length);
  }

  /** Follows everything that needs no character; never deeper than the program is long. */
  add(start: number, slots: Thread["slots"]): void {
    if (this.#seen[start] === 1) return;
    this.#seen[start] = 1;
    const instruction = this.#program[start]!;
    switch (instruction.kind) {
      case "jump":
        return this.add(instruction.to, slots);
      case "split":
        this.add(instruction.first, slots);
        return this.add(instruction.second, slots);
      case "save":
        return this.add(start + 1, slots.with(instruction.slot, this.#at));
      case "start":
        return this.#at === 0 ? this.add(start + 1, slots) : undefined;
      case "end":
        return this.#at === this.#length ? this.add(start + 1, slots) : undefined;
      case "character":
      case "match":
        this.threads.push({ at: start, slots });
    }
  }
}

function push<Kind extends Instruction>(program: Instruction[], instruction: Kind): Kind {
  if (program.length >= STEPS_MAX) {
    throw new PatternError(`it is too large: it must have at most ${STEPS_MAX} steps`);
  }
  program.push(instruction);
  return instruction;
}

function emit(node: PatternNode, program: Instruction[]): void {
  switch (node.kind) {
    case "character":
    case "start":
    case "end":
      push(program, node);
      return;
    case "sequence":
      for (const item of node.items) emit(item, program);
      return;
    case "group":
      push(program, { kind: "save", slot: 2 * node.index });
      emit(node.inner, program);
      push(program, { kind: "save", slot: 2 * node.index + 1 });
      return;
    case "choice":
      return emitChoice(node.items, program);
    case "repeat":
      return emitRepeat(node.inner, node.min, node.max, program);
  }
}

function emitChoice(items: readonly PatternNode[], program: Instruction[]): void {
  const jumps: { to: number }[] = [];
  items.forEach((item, i) => {
    if (i === items.length - 1) return emit(item, program);
    const split = push(program, { kind: "split" as const, first: program.length + 1, second: 0 });
    emit(item, program);
    jumps.push(push(program, { kind: "jump" as const, to: 0 }));
    split.second = program.length;
  });
  for (const jump of jumps) jump.to = program.length;
}

function emitRepeat(inner: PatternNode, min: number, max: number, program: Instruction[]): void {
  for (let i = 0; i < min; i++) emit(inner, program);
  if (max === Infinity) {
    const start = program.length;
    const split = push(program, { kind: "split" as const, first: program.length + 1, second: 0 });
    emit(inner, program);
    push(program, { kind: "jump", to: start });
    split.second = program.length;
    return;
  }
  const splits: { second: number }[] = [];
  for (let i = min; i < max; i++) {
    splits.push(push(program, { kind: "split" as const, first: program.length + 1, second: 0 }));
    emit(inner, program);
  }
  for (const split of splits) split.second = program.length;
}
