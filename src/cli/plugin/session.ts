/**
 * A session that never was, for plugins that are tried.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { LateMap } from "../../base/late_collections.ts";
import { FIELD, type SessionFacts } from "../../hooks/event.ts";

/** What the client's StartupMessage says. */
export const STARTUP_PARAMETERS = [
  ...["user", "app", "database", "shop"],
  ...["application_name", "psql", "client_encoding", "UTF8"],
].map((word) => `${word}\0`).join("");

const SETTINGS = new Map([
  ["server_version", "18.0"],
  ["client_encoding", "UTF8"],
  ["TimeZone", "Etc/UTC"],
  ["standard_conforming_strings", "on"],
]);

const FIELDS: Readonly<Record<number, Uint8Array>> = {
  [FIELD.user]: utf8("app"),
  [FIELD.database]: utf8("shop"),
  [FIELD.applicationName]: utf8("psql"),
  [FIELD.clientAddress]: utf8("192.0.2.1:50112"),
  [FIELD.serverAddress]: utf8("192.0.2.2:5432"),
  [FIELD.proxy]: utf8("default"),
  [FIELD.listener]: utf8("default"),
  [FIELD.startupParameters]: utf8(STARTUP_PARAMETERS),
  [FIELD.settings]: utf8([...SETTINGS].flat().map((word) => `${word}\0`).join("")),
};

/** A session of user app, at database shop. */
export function knownSession(): SessionFacts {
  return {
    number: 7,
    field: (field) => FIELDS[field],
    parameter: (name) => SETTINGS.get(name) ?? (name === "user" ? "app" : undefined),
    values: new LateMap(),
  };
}

/** A session whose client has said nothing yet. */
export function unknownSession(): SessionFacts {
  return {
    number: 8,
    field: (field) => field === FIELD.clientAddress ? FIELDS[field] : undefined,
    parameter: () => undefined,
    values: new LateMap(),
  };
}
