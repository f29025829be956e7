/**
 * Finds blocks in the WIT text. What is in them, each reader takes apart for what it is after.
 *
 * @module
 */

/**
 * What stands between the braces behind `head`, "interface hooks" for one.
 *
 * @throws {Error} If there is no such block, or it has no end.
 */
export function blockOf(wit: string, head: string): string {
  const start = wit.indexOf(`${head} {`);
  if (start < 0) throw new Error(`sluice.wit has no '${head}'`);
  const open = start + head.length + 1;
  let depth = 0;
  for (let at = open; at < wit.length; at++) {
    if (wit[at] === "{") depth += 1;
    if (wit[at] === "}") depth -= 1;
    if (depth === 0) return wit.slice(open + 1, at);
  }
  throw new Error(`'${head}' has no end`);
}
