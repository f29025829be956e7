/**
 * Who logs in to a database, and the password, wherever it is written.
 *
 * @module
 */

import { addRequired, type CheckedGroup, placeOf } from "./check.ts";
import type { CLIENT_KEYS } from "./client_keys.ts";
import type { ClientConfig } from "./config.ts";
import type { Problems } from "./problems.ts";
import type { Checking } from "./tls_config.ts";

/** Size of a password's file in bytes: twice MAX_PASSWORD in PgBouncer's include/bouncer.h. */
const PASSWORD_FILE_SIZE_MAX = 131_072;

/** Returns who logs in. */
export function clientLogin(
  group: CheckedGroup<typeof CLIENT_KEYS>,
  { files, problems }: Checking,
): Pick<ClientConfig, "user" | "password" | "passwordFile" | "database"> {
  const { values } = group;
  const passwordFile = files.resolve(values.passwordFile ?? "");
  const place = placeOf(group, "passwordFile");
  const user = values.user ?? "";
  let password = values.password ?? "";
  if (password !== "" && passwordFile !== "") {
    problems.add(place, "password is written as well; remove one of both");
  } else if (passwordFile !== "") {
    const file = { path: passwordFile, place, sizeMax: PASSWORD_FILE_SIZE_MAX, isSecret: true };
    password = files.read(file, firstLine) ?? "";
  }
  const isGiven = passwordFile !== "" || password !== "";
  if (isGiven && values.user === "") {
    const because = passwordFile === "" ? "password" : "passwordFile";
    addRequired(group, "user", "app", because, problems);
  }
  return { user, password, passwordFile, database: values.database ?? "" };
}

function firstLine(text: string, fileName: string, problems: Problems): string {
  const line = text.replace(/^\uFEFF/, "").split(/\r?\n/, 1)[0]!;
  if (line !== "" && !line.includes("\0")) return line;
  const place = { file: fileName, line: 1, column: 1, path: "" };
  problems.add(place, "the first line is not a password; it is empty, or has a NUL character");
  return "";
}
