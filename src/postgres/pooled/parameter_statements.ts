/**
 * The SQL that sets, resets and reads parameters. Values are one character a byte.
 *
 * @module
 */

import { ProtocolError } from "../wire/errors.ts";
import { nameBytes } from "../wire/extended_messages.ts";

/** What the encoding of a text is has to be settled before a text in it is sent. */
export function statementsFor(
  resets: string[],
  sets: [string, string][],
  isStandardStrings: boolean,
): Uint8Array[] {
  const isEncoding = (name: string) => name === "client_encoding";
  const texts: Uint8Array[] = [];
  const encoding = sets.find(([name]) => isEncoding(name));
  if (encoding !== undefined || resets.some(isEncoding)) {
    texts.push(statement(resets.filter(isEncoding), encoding ? [encoding] : [], true));
  }
  const otherResets = resets.filter((name) => !isEncoding(name));
  // Becoming another user resets the role.
  const isUser = ([name]: readonly [string, string]) => name === "session_authorization";
  const otherSets = sets.filter(([name]) => !isEncoding(name))
    .sort((a, b) => Number(isUser(b)) - Number(isUser(a)));
  if (otherResets.length > 0 || otherSets.length > 0) {
    texts.push(statement(otherResets, otherSets, isStandardStrings));
  }
  return texts;
}

function statement(
  resets: readonly string[],
  sets: readonly (readonly [string, string])[],
  isStandardStrings: boolean,
): Uint8Array {
  const parts = resets.map((name) => `RESET ${identifier(name)}`);
  if (sets.length > 0) parts.push(setStatement(sets, isStandardStrings));
  return nameBytes(parts.join(";"));
}

/**
 * Sets parameters for the session; the row that it returns says what they have become.
 *
 * @throws {ProtocolError} As `literal`.
 */
export function setStatement(
  sets: readonly (readonly [string, string])[],
  isStandardStrings: boolean,
): string {
  const calls = sets.map((pair) => {
    const [name, value] = pair.map((text) => literal(text, isStandardStrings));
    return `pg_catalog.set_config(${name},${value},false)`;
  });
  return `SELECT ${calls.join(",")}`;
}

/** Asks what parameters are now; NULL for one that does not exist. */
export function readStatement(names: readonly string[]): Uint8Array {
  const calls = names.map((name) => {
    // No parameter's name has a backslash, and some encodings and settings make it a danger.
    const text = name.includes("\\") ? "''" : literal(name, true);
    return `pg_catalog.current_setting(${text},true)`;
  });
  return nameBytes(`SELECT ${calls.join(",")}`);
}

/**
 * A string literal that means the same whatever `standard_conforming_strings` is. Where a byte
 * above 127 could be half of a character whose other half is a backslash, none is escaped: then the
 * setting must be on.
 *
 * @throws {ProtocolError} If it is off then: there is no safe way to write the text.
 */
export function literal(value: string, isStandardStrings: boolean): string {
  const quoted = value.replaceAll("'", "''");
  if (!quoted.includes("\\")) return `'${quoted}'`;
  // deno-lint-ignore no-control-regex -- any byte of ASCII is meant
  const isAscii = /^[\x00-\x7f]*$/.test(quoted);
  if (isAscii) return `E'${quoted.replaceAll("\\", "\\\\")}'`;
  if (isStandardStrings) return `'${quoted}'`;
  const rule = "a value with a backslash and characters that are not ASCII";
  throw new ProtocolError(`${rule} needs standard_conforming_strings = on`, "0A000");
}

/** A parameter's name; a custom one has two parts. */
function identifier(name: string): string {
  return name.split(".").map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
}
