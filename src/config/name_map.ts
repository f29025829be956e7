/**
 * Name maps: which name in a certificate may log in as which user. The lines are those of
 * pg_ident.conf (PostgreSQL manual, section 20.2), whose first word, the name of the map, may be
 * left out where there is one map only.
 *
 * @module
 */

import type { NameMapEntry } from "./config.ts";
import { fieldsOf, type Line, type Word } from "./lines.ts";
import { type Problems, quote } from "./problems.ts";
import { groupCountOf, wrongPattern } from "./regular_expression.ts";

/** Returns the entries, and adds everything that is wrong with the others to `problems`. */
export function parseNameMap(
  lines: readonly Line[],
  problems: Problems,
): readonly NameMapEntry[] {
  const entries: NameMapEntry[] = [];
  for (const line of lines) {
    const fields = fieldsOf(line, problems);
    if (fields.length === 0) continue;
    const lists = fields.find((field) => field.length > 1);
    if (fields.length < 2 || fields.length > 3 || lists !== undefined) {
      const rule = "expected a certificate's name and a user, or a map's name in front of them";
      problems.add(line.place, `${rule}; got ${quote(line.text)}`);
      continue;
    }
    const words = fields.map(([word]) => word);
    const [certificateName, user] = words.slice(-2) as [Word, Word];
    if (!isRight(certificateName, user, problems)) continue;
    const map = words.length === 3 ? words[0]!.text : "";
    entries.push({ map, certificateName: certificateName.text, user: user.text });
  }
  return entries;
}

function isRight(certificateName: Word, user: Word, problems: Problems): boolean {
  const isPattern = certificateName.text.startsWith("/");
  const reason = isPattern ? wrongPattern(certificateName.text.slice(1)) : undefined;
  if (reason !== undefined) {
    problems.add(certificateName.place, `${quote(certificateName.text)} is ${reason}`);
    return false;
  }
  if (certificateName.text === "" || user.text === "") {
    problems.add((user.text === "" ? user : certificateName).place, "a name is empty; write it");
    return false;
  }
  if (/^[+/]/.test(user.text) || (user.text === "all" && !user.isQuoted)) {
    const got = `got ${quote(user.text)}`;
    problems.add(user.place, `expected one user, or a text with \\1 for what matched; ${got}`);
    return false;
  }
  const hasGroup = isPattern && groupCountOf(certificateName.text.slice(1)) > 0;
  if (user.text.includes("\\1") && !hasGroup) {
    const rule = "\\1 needs a regular expression with parentheses in front of it";
    problems.add(user.place, `${rule}, such as "/^(.*)@example\\.com$"`);
    return false;
  }
  return true;
}
