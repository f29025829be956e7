/**
 * The hash of method md5.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { NODE_PRIMITIVES, type Primitives } from "./scram.ts";

/**
 * The hash that PostgreSQL stores with password_encryption md5, without its "md5".
 *
 * @returns 32 lower-case hexadecimal digits.
 */
export function md5HashOf(
  password: Uint8Array,
  user: string,
  primitives: Primitives = NODE_PRIMITIVES,
): string {
  return primitives.md5(password, utf8(user));
}
