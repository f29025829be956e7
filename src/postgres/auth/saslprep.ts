/**
 * SASLprep: the form of a password that SCRAM hashes, so that an "e" with an accent is the same
 * password whether a keyboard sends it as one character or as two.
 *
 * It follows PostgreSQL where that differs from the RFC, because the result must be the same as
 * that of the server and of every libpq: ASCII passes as it is, control characters included, and
 * prohibited characters are looked for before normalization.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc4013 and src/common/saslprep.c of PostgreSQL
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import {
  LEFT_TO_RIGHT,
  MAPPED_TO_NOTHING,
  PROHIBITED,
  RIGHT_TO_LEFT,
  SPACES,
  UNASSIGNED,
} from "./saslprep_tables.ts";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Returns a password as SCRAM hashes it. What is not UTF-8, or what SASLprep does not allow, is
 * returned as it came: PostgreSQL and libpq hash the raw bytes then.
 */
export function saslprep(password: Uint8Array): Uint8Array {
  if (password.every((byte) => byte < 0x80)) return password;
  const text = decoded(password);
  if (text === undefined) return password;
  const mapped = [...text].map((character) => character.codePointAt(0)!)
    .filter((code) => !MAPPED_TO_NOTHING.has(code) || SPACES.has(code))
    .map((code) => SPACES.has(code) ? 0x20 : code);
  if (!isAllowed(mapped)) return password;
  return utf8(mapped.map((code) => String.fromCodePoint(code)).join("").normalize("NFKC"));
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function isAllowed(codes: readonly number[]): boolean {
  if (codes.length === 0) return false;
  if (codes.some((code) => PROHIBITED.has(code) || UNASSIGNED.has(code))) return false;
  if (!codes.some((code) => RIGHT_TO_LEFT.has(code))) return true;
  return !codes.some((code) => LEFT_TO_RIGHT.has(code)) &&
    RIGHT_TO_LEFT.has(codes[0]!) && RIGHT_TO_LEFT.has(codes.at(-1)!);
}
