/**
 * Which key bounds what was too long: its sender only sees a number.
 *
 * @module
 */

import { type ProtocolError, TooLongError } from "./wire/errors.ts";

/** What to add to the fields of the error that a client is told; nothing if it is another error. */
export function sizeHint(
  error: ProtocolError,
  listener: string,
  key: "startupPacketSizeMax" | "messageSizeMax",
): { readonly hint?: string } {
  if (!(error instanceof TooLongError)) return {};
  return { hint: `The limit is servers.${listener}.${key}.` };
}
