/**
 * What a client's StartupMessage says about replication.
 *
 * @module
 */

import { ProtocolError } from "./wire/errors.ts";
import type { StartupMessage } from "./wire/startup_packet.ts";

/** Whether a client asks for a walsender. @throws {ProtocolError} If it is no word for that. */
export function isReplication(startup: StartupMessage): boolean {
  const value = startup.parameters.get("replication");
  if (value === undefined) return false;
  // It asks for logical replication, which has a database; PostgreSQL takes no other spelling.
  const answer = value === "database" ? true : parseBoolean(value);
  if (answer !== undefined) return answer;
  throw new ProtocolError(`invalid value for parameter "replication": "${value}"`, "22023");
}

/** As PostgreSQL's parse_bool (bool.c): words, their unambiguous beginnings, and two digits. */
function parseBoolean(text: string): boolean | undefined {
  const value = text.toLowerCase();
  const begins = (word: string, lengthMin = 1) =>
    value.length >= lengthMin && word.startsWith(value);
  if (value === "1" || begins("true") || begins("yes") || begins("on", 2)) return true;
  if (value === "0" || begins("false") || begins("no") || begins("off", 2)) return false;
  return undefined;
}
