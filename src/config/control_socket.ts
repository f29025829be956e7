/**
 * Where operators' commands come in.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import { UNIX_PATH_SIZE_MAX } from "./address.ts";
import { type CheckedGroup, placeOf } from "./check.ts";
import type { RUNTIME_KEYS } from "./declarations.ts";
import { quote } from "./problems.ts";
import type { Checking } from "./tls_config.ts";

/** Returns the path of the control socket, or "" if there is none. */
export function controlSocket(
  group: CheckedGroup<typeof RUNTIME_KEYS>,
  { files, problems }: Checking,
): string {
  const path = files.resolve(group.values.controlSocket ?? "");
  const advice = path.endsWith("/")
    ? "which is a folder; write the path of a file in it"
    : utf8(path).length > UNIX_PATH_SIZE_MAX
    ? `which is longer than ${UNIX_PATH_SIZE_MAX} bytes; choose a shorter one`
    : undefined;
  if (advice !== undefined) {
    problems.add(
      placeOf(group, "controlSocket"),
      `a Unix socket cannot be ${quote(path)}, ${advice}`,
    );
  }
  return path;
}
