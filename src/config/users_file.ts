/**
 * Users and their secrets, in the format of PgBouncer's userlist.txt: `"user" "secret"` in each
 * line, a quote inside of the quotes doubled, `;` or `#` in front of a comment. A secret is plain
 * text, `md5` and 32 hexadecimal digits, or `SCRAM-SHA-256$...` as pg_authid has it.
 *
 * A problem never repeats what a line says: it may be a secret, or half of one.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import { messageOf } from "../base/errors.ts";
import { parseSecret } from "../postgres/secrets/secret.ts";
import { type Line, linesOf, placeIn } from "./lines.ts";
import type { Problems } from "./problems.ts";

/** Size of a users file in bytes. */
export const USERS_FILE_SIZE_MAX = 16_777_216;

/** Users in one file: they are all in the memory of every worker. */
export const USERS_MAX = 100_000;

/** MAX_USERNAME in PgBouncer's include/bouncer.h. */
const USER_SIZE_MAX = 128;

/** Returns secrets by user, and adds everything that is wrong with a line to `problems`. */
export function parseUsersFile(
  text: string,
  fileName: string,
  problems: Problems,
): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  const lineOf = new Map<string, number>();
  for (const line of linesOf(text, fileName)) {
    if (/^\s*([;#]|$)/.test(line.text)) continue;
    const entry = parseEntry(line, problems);
    if (entry === undefined) continue;
    const first = lineOf.get(entry.user);
    if (first !== undefined) {
      problems.add(line.place, `this user is already in line ${first}; remove one of the lines`);
      continue;
    }
    if (users.size === USERS_MAX) {
      problems.add(line.place, `more than ${USERS_MAX} users; look others up with authQuery`);
      break;
    }
    lineOf.set(entry.user, line.place.line);
    users.set(entry.user, entry.secret);
  }
  return users;
}

function parseEntry(
  line: Line,
  problems: Problems,
): { readonly user: string; readonly secret: string } | undefined {
  const user = quoted(line, 0);
  if (!user.ok) {
    problems.add(placeIn(line, user.at), `${user.reason}; a line is "user" "secret"`);
    return undefined;
  }
  const secret = quoted(line, user.end);
  if (!secret.ok) {
    problems.add(placeIn(line, secret.at), `${secret.reason}; a line is "user" "secret"`);
    return undefined;
  }
  const rest = line.text.slice(secret.end);
  const reason = wrongUser(user.text) ?? wrongSecret(secret.text);
  if (!/^\s*([;#].*)?$/.test(rest) || !/^\s/.test(line.text.slice(user.end))) {
    const rule = 'a line is "user" "secret" and nothing else; a quote in either of them is doubled';
    problems.add(placeIn(line, secret.end), rule);
    return undefined;
  }
  if (reason !== undefined) {
    problems.add(placeIn(line, wrongUser(user.text) === undefined ? secret.at : user.at), reason);
    return undefined;
  }
  return { user: user.text, secret: secret.text };
}

type Quoted =
  | { readonly ok: true; readonly text: string; readonly at: number; readonly end: number }
  | { readonly ok: false; readonly at: number; readonly reason: string };

/** Reads a text in double quotes, after white space. */
function quoted(line: Line, start: number): Quoted {
  let at = start;
  while (/\s/.test(line.text[at] ?? "")) at += 1;
  if (line.text[at] !== '"') return { ok: false, at, reason: "expected a double quote" };
  let text = "";
  let from = at + 1;
  while (true) {
    const quote = line.text.indexOf('"', from);
    if (quote < 0) return { ok: false, at, reason: "this double quote is not closed" };
    text += line.text.slice(from, quote);
    from = quote + 1;
    if (line.text[from] !== '"') return { ok: true, text, at, end: from };
    text += '"';
    from += 1;
  }
}

function wrongUser(user: string): string | undefined {
  if (user === "") return "the user is empty; write a name";
  if (utf8(user).length <= USER_SIZE_MAX && !user.includes("\0")) {
    return undefined;
  }
  return `the user has more than ${USER_SIZE_MAX} bytes, or a NUL character`;
}

function wrongSecret(secret: string): string | undefined {
  if (secret === "") return "the secret is empty; remove the line to refuse the user";
  try {
    parseSecret(secret);
    return undefined;
  } catch (error) {
    return messageOf(error); // it says nothing of the secret
  }
}
