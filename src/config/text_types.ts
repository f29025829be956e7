/**
 * The types of keys whose values are text of some kind: names, paths, SQL, secrets and lines.
 *
 * @module
 */

import { describe, type KeyType, scalar, wrong } from "./key_types.ts";
import { type Line, writtenLine } from "./lines.ts";

/** Lines in one list; pg_hba.conf files that people maintain have a few hundred. */
export const LINES_MAX = 10_000;

/** Length of one line in characters: 63 bytes a name, and a list of a hundred of them. */
const LINE_SIZE_MAX = 8_192;

/** PgBouncer's MAX_PASSWORD is 65531: tokens of identity providers are longer than passwords. */
const SECRET_SIZE_MAX = 65_531;

/**
 * Text that fits a pattern, which may allow empty text.
 *
 * @param rule Says in words what `pattern` demands.
 */
export function text(rule: string, pattern: string): KeyType<string> {
  return scalar({
    name: "text",
    range: rule,
    rule,
    allowsEmpty: new RegExp(pattern, "u").test(""),
    schema: { type: "string", pattern },
    parse: (value) => new RegExp(pattern, "u").test(value) ? value : undefined,
  });
}

/**
 * What a name of PostgreSQL may look like: NAMEDATALEN in src/include/pg_config_manual.h is 64 with
 * the NUL at the end. Control characters are allowed there and mistakes here.
 */
export const USER_NAME_PATTERN = "^[^\\u0000-\\u001f\\u007f]{1,63}$";

/** {@linkcode USER_NAME_PATTERN} in words. */
export const USER_NAME_RULE = "1 to 63 characters without control characters";

/** The name of a user, or nothing. */
export const USER_NAME: KeyType<string> = text(
  "the name of a user, at most 63 characters",
  "^[^\\u0000-\\u001f\\u007f]{0,63}$",
);

/** The name of a database, or nothing. */
export const DATABASE_NAME: KeyType<string> = text(
  "the name of a database, at most 63 characters",
  "^[^\\u0000-\\u001f\\u007f]{0,63}$",
);

/**
 * The path of a file. A relative one is relative to the configuration file.
 *
 * @param sizeMin 0 where there may be none.
 */
export function path(sizeMin: 0 | 1 = 0): KeyType<string> {
  // PATH_MAX in linux/limits.h is 4096 with the NUL at the end.
  const size = sizeMin === 0 ? "at most 4095 characters" : "1 to 4095 characters";
  const pattern = `^[^\\u0000-\\u001f\\u007f]{${sizeMin},4095}$`;
  return { ...text(`the path of a file, ${size}`, pattern), name: "path" };
}

/**
 * Text that must never be shown, or nothing. `${NAME}` in it stands for an environment variable;
 * `expand_secrets.ts` puts its value there.
 */
export function secret(): KeyType<string> {
  const type = scalar<string>({
    name: "secret",
    range: "text, with ${VARIABLE} for an environment variable",
    rule: `text of at most ${SECRET_SIZE_MAX} characters without NUL`,
    namesEveryValue: true,
    allowsEmpty: true,
    schema: { type: "string", maxLength: SECRET_SIZE_MAX, pattern: "^[^\\u0000]*$" },
    parse: () => undefined,
  });
  return {
    ...type,
    isSecret: true,
    read: (written) => {
      if (written.kind !== "text") return wrong(written, describe(written));
      if (written.text.length > SECRET_SIZE_MAX) return wrong(written, "more than that");
      if (written.text.includes("\0")) return wrong(written, "a NUL character");
      return { ok: true, value: written.text };
    },
  };
}

/**
 * A list of lines in a syntax of their own, which is read later: a type sees one value at a time.
 *
 * @param rule Says what the lines are.
 * @param example One line.
 */
export function lines(rule: string, example: string): KeyType<readonly Line[]> {
  return {
    name: "list of lines",
    range: rule,
    rule: `a list of ${rule} ("${example}")`,
    namesEveryValue: true,
    isList: true,
    separator: "\n",
    isSecret: false,
    schema: {
      type: "array",
      maxItems: LINES_MAX,
      items: { type: "string", minLength: 1, maxLength: LINE_SIZE_MAX, pattern: "^[^\\n\\r]*$" },
    },
    json: (value) => value,
    read: (written) => {
      if (written.kind !== "list") return wrong(written, describe(written));
      if (written.items.length > LINES_MAX) return wrong(written, `${written.items.length} lines`);
      const found: Line[] = [];
      for (const item of written.items) {
        if (item.kind !== "text") return wrong(item, describe(item));
        if (item.text === "") return wrong(item, "empty text");
        if (/[\n\r]/.test(item.text)) return wrong(item, "a line end inside of a line");
        if (item.text.length > LINE_SIZE_MAX) return wrong(item, "a line that is too long");
        found.push(writtenLine(item.text, item.place));
      }
      return { ok: true, value: found };
    },
  };
}
