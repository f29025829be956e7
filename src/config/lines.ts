/**
 * Lines of text that are no YAML: those of users, rules, name maps and limits, in files of their
 * own or as items of a list. Here they are cut into words; what the words mean is said elsewhere.
 *
 * The words are those of pg_hba.conf (PostgreSQL manual, section 20.1): white space between them,
 * lists with commas, `"` around what has either of those in it, `#` in front of a comment.
 *
 * @module
 */

import type { Place, Problems } from "./problems.ts";

/** One line and where it is. */
export interface Line {
  readonly text: string;
  readonly place: Place;
  /** True when a character's place in the text is its place in the line of the file. */
  readonly hasColumns: boolean;
}

/** One word, or one item of a list with commas. */
export interface Word {
  /** Without the quotes around it. */
  readonly text: string;
  /** True when it began with a quote: then it is a name, even if it looks like a keyword. */
  readonly isQuoted: boolean;
  readonly place: Place;
}

/** What stands between white space: one word, or several with commas between them. */
export type Field = readonly [Word, ...Word[]];

/** Returns the lines of a file. */
export function linesOf(text: string, fileName: string): readonly Line[] {
  // A byte order mark is no character of the first line.
  const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
  return source.split(/\r?\n/).map((line, i) => ({
    text: line,
    place: { file: fileName, line: i + 1, column: 1, path: "" },
    hasColumns: true,
  }));
}

/** Returns a line that is an item of a list in YAML, where quotes may have moved its columns. */
export function writtenLine(text: string, place: Place): Line {
  return { text, place, hasColumns: false };
}

/** Returns the place of the character at `index` of a line, as exactly as it is known. */
export function placeIn({ place, hasColumns }: Line, index: number): Place {
  return hasColumns ? { ...place, column: place.column + index } : place;
}

/**
 * Joins lines that end with `\` to the next one, as pg_hba.conf does. A place in what follows is
 * that of the first line, as PostgreSQL counts them.
 */
export function joinContinued(lines: readonly Line[]): readonly Line[] {
  const joined: Line[] = [];
  let open: Line | undefined;
  for (const line of lines) {
    const isOpen = line.text.endsWith("\\");
    const text = isOpen ? line.text.slice(0, -1) : line.text;
    const whole: Line = open === undefined
      ? { ...line, text }
      : { ...open, text: open.text + text, hasColumns: false };
    open = isOpen ? whole : undefined;
    if (!isOpen) joined.push(whole);
  }
  if (open !== undefined) joined.push(open);
  return joined;
}

/** Returns the fields of a line; none when it is empty, a comment, or wrong, which is reported. */
export function fieldsOf(line: Line, problems: Problems): readonly Field[] {
  const fields: [Word, ...Word[]][] = [];
  let isList = false;
  let at = 0;
  while (true) {
    while (/\s/.test(line.text[at] ?? "")) at += 1;
    const first = line.text[at];
    if (first === undefined || first === "#") break;
    if (first === ",") {
      problems.add(placeIn(line, at), "a name is missing in front of this comma");
      return [];
    }
    const word = readWord(line, at);
    if (word === undefined) {
      problems.add(placeIn(line, at), 'a double quote is not closed; add a " behind the name');
      return [];
    }
    const last = fields.at(-1);
    if (isList && last !== undefined) last.push(word.word);
    else fields.push([word.word]);
    at = word.end;
    isList = line.text[at] === ",";
    if (isList) at += 1;
  }
  if (!isList) return fields;
  problems.add(placeIn(line, at - 1), "a name is missing behind this comma");
  return [];
}

/** Reads a word up to white space, a comma or a comment; undefined when a quote is left open. */
function readWord(
  line: Line,
  start: number,
): { readonly word: Word; readonly end: number } | undefined {
  const isQuoted = line.text[start] === '"';
  let isInside = false;
  let text = "";
  let at = start;
  for (; at < line.text.length; at++) {
    const character = line.text[at]!;
    if (!isInside && /[\s,#]/.test(character)) break;
    if (character !== '"') {
      text += character;
    } else if (isInside && line.text[at + 1] === '"') {
      text += '"';
      at += 1;
    } else {
      isInside = !isInside;
    }
  }
  if (isInside) return undefined;
  return { word: { text, isQuoted, place: placeIn(line, start) }, end: at };
}
