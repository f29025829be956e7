/**
 * What a comment at the beginning or the end of a text says of where it is to run:
 *
 *     /* sluice: role=replica *\/ SELECT ...
 *     SELECT ... /* sluice: role=primary, proxy=reports *\/
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import { FOLD } from "../sql/keywords.ts";
import { Lexer } from "../sql/lexer.ts";

/**
 * The setting that says the same for a session. It is a custom one, which every PostgreSQL server
 * takes as it is, so that its value is known like that of any parameter:
 * https://www.postgresql.org/docs/current/runtime-config-custom.html
 */
export const ROLE_SETTING = "sluice.role";

/** A side that a client asks for. */
export type Role = "primary" | "replica";

/** What the comments of a text say, or why it is not understood. */
export type RoutingHint =
  | {
    readonly role?: Role;
    /** The name of a proxy of the configuration; whether there is one is not looked at. */
    readonly proxy?: string;
    readonly problem?: undefined;
  }
  | {
    /** What is wrong, for whoever wrote it: one line, with at most some words of the comment. */
    readonly problem: string;
  };

const SLASH = 0x2f;
const ASTERISK = 0x2a;
const BLANK = 0x20;

/** What a hint begins with, in lower case. */
const NAME = utf8("sluice");

/** A longer comment is none of ours: nothing that it can say is that long. */
const HINT_LENGTH_MAX = 500;

/** What a problem quotes of a comment, in characters. */
const QUOTE_LENGTH_MAX = 60;

const ROLES: ReadonlySet<string> = new Set<Role>(["primary", "replica"]);

/** A name as the configuration has them, or anything else that might be meant to be one. */
const VALUE = /^[\w.-]{1,100}$/;

/**
 * Reads the hint of a text. Only comments between slashes and asterisks count that stand before
 * the first word of the text or behind the last, and that begin with `sluice:`.
 *
 * @param standardConformingStrings The session's parameter of that name.
 * @returns Undefined if there is no such comment.
 */
export function hintOf(
  text: Uint8Array,
  standardConformingStrings = true,
): RoutingHint | undefined {
  if (!mayHaveHint(text)) return undefined;
  const found = new Map<string, string>();
  for (const comment of outerComments(text, standardConformingStrings)) {
    const problem = readComment(comment, found);
    if (problem !== undefined) return { problem };
  }
  if (found.size === 0) return undefined;
  const [role, proxy] = [found.get("role"), found.get("proxy")];
  return {
    ...(role === undefined ? {} : { role: role as Role }),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

/** Whether there is something like a hint in a text, perhaps in a string, at a glance. */
function mayHaveHint(text: Uint8Array): boolean {
  for (let at = text.indexOf(SLASH); at !== -1; at = text.indexOf(SLASH, at + 1)) {
    if (text[at + 1] !== ASTERISK) continue;
    let word = at + 2;
    while (word < text.length && text[word]! <= BLANK) word += 1;
    if (isNameAt(text, word)) return true;
  }
  return false;
}

function isNameAt(text: Uint8Array, at: number): boolean {
  return NAME.every((letter, i) => ((text[at + i] ?? 0) | FOLD) === letter);
}

/** What stands in the comments before the first token and behind the last, semicolons aside. */
function outerComments(text: Uint8Array, standardConformingStrings: boolean): string[] {
  const lexer = new Lexer();
  lexer.begin(text, standardConformingStrings);
  let headEnd = 0;
  let tailStart = 0;
  for (let kind = lexer.next(); kind !== "end"; kind = lexer.next()) {
    if (kind === ";") continue;
    if (tailStart === 0) headEnd = lexer.start;
    tailStart = lexer.end;
  }
  if (lexer.isCut) return [];
  const tail = text.subarray(tailStart);
  return tailStart === 0
    ? commentsIn(tail)
    : [...commentsIn(text.subarray(0, headEnd)), ...commentsIn(tail)];
}

/** What stands in the comments of bytes that are nothing else but space and semicolons. */
function commentsIn(bytes: Uint8Array): string[] {
  const comments: string[] = [];
  const text = textOf(bytes);
  for (let at = 0; at < text.length;) {
    if (text.startsWith("--", at)) {
      const line = /[\n\r]|$/g;
      line.lastIndex = at;
      at = line.exec(text)!.index;
    } else if (text.startsWith("/*", at)) {
      const end = commentEnd(text, at);
      comments.push(text.slice(at + 2, end - 2));
      at = end;
    } else {
      at += 1;
    }
  }
  return comments;
}

/** Where the comment that begins here ends; comments nest. */
function commentEnd(text: string, start: number): number {
  let depth = 0;
  const edges = /\/\*|\*\//g;
  edges.lastIndex = start;
  for (let edge = edges.exec(text); edge !== null; edge = edges.exec(text)) {
    depth += edge[0] === "/*" ? 1 : -1;
    if (depth === 0) return edges.lastIndex;
  }
  return text.length;
}

/** Adds what a comment says to what was found. @returns What is wrong with it. */
function readComment(comment: string, found: Map<string, string>): string | undefined {
  const hint = /^\s*sluice\s*:/i.exec(comment);
  if (hint === null) return undefined;
  if (comment.length > HINT_LENGTH_MAX) {
    return `a hint may have ${HINT_LENGTH_MAX} characters, and has ${comment.length}`;
  }
  for (const part of comment.slice(hint[0].length).split(",")) {
    const pair = /^\s*([^\s=]+)\s*=\s*(\S+)\s*$/.exec(part);
    if (pair === null) return `"${shown(part)}" must be KEY=VALUE, such as role=replica`;
    const [key, value] = [pair[1]!.toLowerCase(), pair[2]!];
    const problem = problemOf(key, value);
    if (problem !== undefined) return problem;
    if (found.has(key) && found.get(key) !== value) {
      return `${key} is both "${shown(found.get(key)!)}" and "${shown(value)}"`;
    }
    found.set(key, value);
  }
  return undefined;
}

function problemOf(key: string, value: string): string | undefined {
  switch (key) {
    case "role":
      return ROLES.has(value)
        ? undefined
        : `role must be "primary" or "replica", not "${shown(value)}"`;
    case "proxy":
      return VALUE.test(value)
        ? undefined
        : `proxy must be the name of a proxy, not "${shown(value)}"`;
    default:
      return `there is no "${shown(key)}": a hint has role and proxy`;
  }
}

/** A piece of a comment as an error may show it: printable, and not long. */
function shown(text: string): string {
  const printable = text.trim().replaceAll(/[^\x20-\x7e]/g, "?");
  return printable.length <= QUOTE_LENGTH_MAX
    ? printable
    : `${printable.slice(0, QUOTE_LENGTH_MAX)}...`;
}
