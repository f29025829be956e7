/**
 * Whom a client certificate stands for: the user of the same name, or what a map says. The map is
 * that of pg_ident.conf: names are compared as they are, and one that begins with a slash is a
 * regular expression whose first group a user's name may hold as \1.
 *
 * Source: https://www.postgresql.org/docs/current/auth-username-maps.html
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";
import { LinearRegExp } from "../../base/linear_regexp.ts";

/** A line of a map. */
export interface NameMapEntry {
  /** The certificate's common name, or a slash and a regular expression that finds it. */
  readonly certificateName: string;
  /** The user, with \1 for what the expression's first group found. */
  readonly user: string;
}

/**
 * Longest name that is matched, in characters. X.520 gives common names 64, PostgreSQL users 63;
 * nobody is called like that.
 */
const NAME_LENGTH_MAX = 256;

const FIRST_GROUP = "\\1";

/** A map that cannot be used. Its message names the entry. */
export class NameMapError extends Error {
  override readonly name = "NameMapError";
}

interface CompiledEntry {
  readonly certificateName: string | LinearRegExp;
  readonly user: string;
}

/** Answers which users a certificate may log in as. */
export class NameMap {
  readonly #entries: readonly CompiledEntry[] | undefined;

  /**
   * @param entries Any one of them is enough; undefined means that the names must be equal.
   * @throws {NameMapError} If an expression is not one, or \1 stands for nothing.
   */
  constructor(entries?: readonly NameMapEntry[]) {
    this.#entries = entries?.map(compiled);
  }

  /**
   * Whether a certificate stands for a user.
   *
   * @param certificateName The common name of a certificate that was verified; names are compared
   * letter by letter. A NUL in it, which makes other programs read a shorter name, fits nobody.
   */
  allows(certificateName: string, user: string): boolean {
    if (certificateName === "" || certificateName.length > NAME_LENGTH_MAX) return false;
    if (certificateName.includes("\0")) return false;
    if (this.#entries === undefined) return certificateName === user;
    return this.#entries.some((entry) => userOf(entry, certificateName) === user);
  }
}

function compiled({ certificateName, user }: NameMapEntry): CompiledEntry {
  if (!certificateName.startsWith("/")) return { certificateName, user };
  const expression = compiledExpression(certificateName);
  if (user.includes(FIRST_GROUP) && expression.groupCount === 0) {
    throw new NameMapError(
      `invalid name map: user "${user}" has \\1, but "${certificateName}" has no group`,
    );
  }
  return { certificateName: expression, user };
}

function compiledExpression(certificateName: string): LinearRegExp {
  try {
    return new LinearRegExp(certificateName.slice(1));
  } catch (cause) {
    const why = messageOf(cause);
    throw new NameMapError(`invalid name map: "${certificateName}": ${why}`, { cause });
  }
}

/** The user that an entry gives a certificate's name, if any. */
function userOf({ certificateName, user }: CompiledEntry, name: string): string | undefined {
  if (typeof certificateName === "string") return certificateName === name ? user : undefined;
  const groups = certificateName.exec(name);
  if (groups === undefined) return undefined;
  const first = groups[1];
  if (!user.includes(FIRST_GROUP)) return user;
  // An empty group would turn "\1" into the name of nobody, and "app\1" into somebody else.
  return first === undefined || first === "" ? undefined : user.replace(FIRST_GROUP, () => first);
}
