/**
 * The parser's lexer reads a run of operator characters to its end, and where a comment begins in
 * it, goes back and reads it again (`parser/scan.l`, `xcstart` and `operator`): a time in
 * proportion to the square of its length. 100 kB of slashes and asterisks were seen to take 30 s.
 *
 * @module
 */

/** `op_chars` of `parser/scan.l` */
const IS_OPERATOR = new Uint8Array(256);
for (const char of "~!@#^&|`?+-*/%<>=") IS_OPERATOR[char.charCodeAt(0)] = 1;

/** Squares of the runs' lengths, in sum: a run of 3,000, or some thousands of comments' frames. */
const COST_MAX = 10_000_000;

/** Whether a text has runs of operator characters that are too long to be parsed. */
export function hasLongOperatorRuns(text: Uint8Array): boolean {
  let cost = 0;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    if (IS_OPERATOR[text[i]!] === 1) {
      length += 1;
      continue;
    }
    cost += length * length;
    length = 0;
  }
  return cost + length * length > COST_MAX;
}
