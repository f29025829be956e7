/**
 * Reads the text of a regular expression into a tree; see `linear_regexp.ts` for what is known.
 *
 * @module
 */

/** Longest expression, in characters. */
const PATTERN_LENGTH_MAX = 1000;

/** Deepest nesting of groups: reading them calls itself. */
const DEPTH_MAX = 50;

/** Most groups that can be asked for; maps have one. Their places are copied along every path. */
const GROUPS_MAX = 20;

/** Largest number in `{n,m}`: RE_DUP_MAX of POSIX. */
const REPEAT_MAX = 255;

/** Characters that stand for others, with what they match. */
const CLASSES: Readonly<Record<string, RegExp>> = {
  d: /^[0-9]$/,
  D: /^[^0-9]$/u,
  w: /^[\p{L}\p{N}_]$/u,
  W: /^[^\p{L}\p{N}_]$/u,
  s: /^\s$/,
  S: /^\S$/u,
};

/** A set of characters. */
export interface CharacterSet {
  has(character: string): boolean;
}

/** A part of an expression. */
export type PatternNode =
  | { readonly kind: "character"; readonly set: CharacterSet }
  | { readonly kind: "start" | "end" }
  | { readonly kind: "sequence" | "choice"; readonly items: readonly PatternNode[] }
  | { readonly kind: "group"; readonly index: number; readonly inner: PatternNode }
  | {
    readonly kind: "repeat";
    readonly inner: PatternNode;
    readonly min: number;
    /** Infinity without a limit. */
    readonly max: number;
  };

/** A regular expression that cannot be used. Its message says why, without quoting it. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}

/** @throws {PatternError} If it is malformed, too long, or uses what is not known here. */
export function parsePattern(
  pattern: string,
): { readonly node: PatternNode; readonly groupCount: number } {
  const parser = new Parser(pattern);
  const node = parser.choice(0);
  if (!parser.isAtEnd) throw new PatternError("a closing parenthesis has no opening one");
  return { node, groupCount: parser.groupCount };
}

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  groupCount = 0;

  constructor(pattern: string) {
    if (pattern.length > PATTERN_LENGTH_MAX) {
      throw new PatternError(`it must have at most ${PATTERN_LENGTH_MAX} characters`);
    }
    this.#characters = [...pattern];
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#characters.length;
  }

  choice(depth: number): PatternNode {
    if (depth > DEPTH_MAX) throw new PatternError(`groups nest at most ${DEPTH_MAX} deep`);
    const items = [this.#sequence(depth)];
    while (this.#takes("|")) items.push(this.#sequence(depth));
    return items.length === 1 ? items[0]! : { kind: "choice", items };
  }

  #sequence(depth: number): PatternNode {
    const items: PatternNode[] = [];
    while (!this.isAtEnd && !this.#isAt("|") && !this.#isAt(")")) {
      items.push(this.#repeated(this.#atom(depth)));
    }
    return { kind: "sequence", items };
  }

  #atom(depth: number): PatternNode {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group(depth);
      case "[":
        return { kind: "character", set: this.#bracket() };
      case ".":
        return { kind: "character", set: { has: () => true } };
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case "\\":
        return { kind: "character", set: this.#escaped() };
      case "*":
      case "+":
      case "?":
      case "{":
        throw new PatternError(`"${character}" repeats nothing`);
    }
    return { kind: "character", set: { has: (other) => other === character } };
  }

  #group(depth: number): PatternNode {
    const isSilent = this.#takes("?");
    if (isSilent && !this.#takes(":")) {
      throw new PatternError('of the groups that begin with "(?", only "(?:" is supported');
    }
    const index = isSilent ? 0 : ++this.groupCount;
    if (index > GROUPS_MAX) throw new PatternError(`it must have at most ${GROUPS_MAX} groups`);
    const inner = this.choice(depth + 1);
    if (!this.#takes(")")) throw new PatternError("a group is not closed");
    return isSilent ? inner : { kind: "group", index, inner };
  }

  #repeated(atom: PatternNode): PatternNode {
    let range: readonly [number, number];
    if (this.#takes("*")) range = [0, Infinity];
    else if (this.#takes("+")) range = [1, Infinity];
    else if (this.#takes("?")) range = [0, 1];
    else if (this.#takes("{")) range = this.#bounds();
    else return atom;
    if (["*", "+", "?", "{"].some((sign) => this.#isAt(sign))) {
      throw new PatternError("a repetition cannot be repeated, and none is reluctant");
    }
    if (atom.kind === "start" || atom.kind === "end") {
      throw new PatternError('"^" and "$" cannot be repeated');
    }
    return { kind: "repeat", inner: atom, min: range[0], max: range[1] };
  }

  #bounds(): readonly [number, number] {
    const close = this.#characters.indexOf("}", this.#at);
    const text = close < 0 ? "" : this.#characters.slice(this.#at, close).join("");
    const match = /^([0-9]{1,3})(,([0-9]{1,3})?)?$/.exec(text);
    const min = Number(match?.[1]);
    const max = match?.[3] !== undefined ? Number(match[3]) : match?.[2] ? Infinity : min;
    const isValid = min <= max && min <= REPEAT_MAX && (max <= REPEAT_MAX || max === Infinity);
    if (match === null || !isValid) {
      throw new PatternError(`"{" must be followed by n}, n,} or n,m} up to ${REPEAT_MAX}`);
    }
    this.#at = close + 1;
    return [min, max];
  }

  /** What follows a backslash. */
  #escaped(): CharacterSet {
    const character = this.isAtEnd ? "" : this.#next();
    const known = CLASSES[character];
    if (known !== undefined) return { has: (other) => known.test(other) };
    if (character === "" || /^[A-Za-z0-9]$/.test(character)) {
      throw new PatternError(
        "a backslash must come before d, w, s, D, W, S, or a sign that stands for itself",
      );
    }
    return { has: (other) => other === character };
  }

  #bracket(): CharacterSet {
    const isNegated = this.#takes("^");
    const sets: CharacterSet[] = [];
    do sets.push(this.#bracketItem()); while (!this.#takes("]"));
    return { has: (character) => sets.some((set) => set.has(character)) !== isNegated };
  }

  #bracketItem(): CharacterSet {
    const first = this.#bracketCharacter();
    const isRange = this.#isAt("-") && this.#characters[this.#at + 1] !== "]";
    if (!isRange) return typeof first === "string" ? { has: (other) => other === first } : first;
    this.#at += 1;
    const last = this.#bracketCharacter();
    const areCharacters = typeof first === "string" && typeof last === "string";
    if (!areCharacters || last.codePointAt(0)! < first.codePointAt(0)!) {
      throw new PatternError("a range in brackets must go from a character to a later one");
    }
    const [low, high] = [first.codePointAt(0)!, last.codePointAt(0)!];
    return { has: (other) => other.codePointAt(0)! >= low && other.codePointAt(0)! <= high };
  }

  #bracketCharacter(): string | CharacterSet {
    const character = this.isAtEnd ? "" : this.#next();
    if (character === "") throw new PatternError("a bracket is not closed");
    if (character === "[" && /^[:.=]$/.test(this.#characters[this.#at] ?? "")) {
      throw new PatternError(
        "classes like [:alpha:] are not supported in brackets: write [A-Za-z]",
      );
    }
    if (character !== "\\") return character;
    const escaped = this.#characters[this.#at] ?? "";
    const set = this.#escaped();
    return CLASSES[escaped] === undefined ? escaped : set;
  }

  #isAt(character: string): boolean {
    return this.#characters[this.#at] === character;
  }

  #takes(character: string): boolean {
    if (!this.#isAt(character)) return false;
    this.#at += 1;
    return true;
  }

  #next(): string {
    return this.#characters[this.#at++]!;
  }
}
