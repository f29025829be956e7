/**
 * Which session parameters can follow a client from server to server. Names are lower case.
 *
 * @module
 */

/** Reported by servers, but not for a client to set. */
const FIXED: ReadonlySet<string> = new Set([
  "server_version",
  "server_encoding",
  "integer_datetimes",
  "is_superuser",
  "in_hot_standby",
]);

/** Belong to a transaction, or cannot be read back: they never follow a client. */
const TRANSIENT: ReadonlySet<string> = new Set([
  "transaction_isolation",
  "transaction_read_only",
  "transaction_deferrable",
  "seed",
]);

/** RESET ALL leaves these (GUC_NO_RESET_ALL in guc_tables.c). */
export const ROLE_PARAMETERS: ReadonlySet<string> = new Set(["role", "session_authorization"]);

/** Longest name: NAMEDATALEN - 1 for each of a class and a name, and the dot between. */
const NAME_SIZE_MAX = 127;

/** Whether a parameter of this name may be sent from one server to another. */
export function follows(name: string): boolean {
  return !FIXED.has(name) && !TRANSIENT.has(name) && name.length <= NAME_SIZE_MAX;
}
