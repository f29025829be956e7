/**
 * Regular expressions in rules and name maps: the text behind a `/`, as in pg_hba.conf.
 *
 * They are tried on names that strangers choose, so they are matched in linear time by an engine
 * that knows the common part of PostgreSQL's and JavaScript's expressions. What is not in it is a
 * problem here, and not a surprise when the first client comes.
 *
 * @module
 */

/** Nobody needs longer ones for names of at most 63 bytes. */
const PATTERN_SIZE_MAX = 256;

/** What is not in the common part, and what to say about it. */
const UNSUPPORTED: readonly (readonly [what: RegExp, name: string])[] = [
  [/\[[:.=]/, "a POSIX class such as [[:alpha:]]; write [A-Za-z]"],
  [/\[\^?\]/, "brackets that hold nothing; write \\[ or \\] for the characters themselves"],
  [/\(\?(?!:)/, 'a group that begins with "(?"; only "(?:" is supported'],
  [/\\[A-Za-z0-9]/, "an escape that is not supported; there are \\d, \\w, \\s and their opposites"],
  [/[*+?}][*+?]/, "a repetition that is repeated or reluctant"],
];

/** Says what is wrong with the pattern behind the `/`, to put behind "is"; undefined if nothing. */
export function wrongPattern(pattern: string): string | undefined {
  if (pattern === "") return "no regular expression; something must follow the /";
  if (pattern.length > PATTERN_SIZE_MAX) {
    return `a regular expression of more than ${PATTERN_SIZE_MAX} characters`;
  }
  // Characters that lost their meaning, and the escapes that are known, are in nobody's way.
  const signs = pattern.replaceAll(/\\([^A-Za-z0-9]|[dDwWsS])/gu, "x");
  const unsupported = UNSUPPORTED.find(([what]) => what.test(signs));
  if (unsupported !== undefined) return `a regular expression with ${unsupported[1]}`;
  try {
    new RegExp(pattern, "u");
    return undefined;
  } catch {
    return "no regular expression that can be read";
  }
}
