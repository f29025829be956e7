/**
 * Which file a logger writes to.
 *
 * @module
 */

import { normalize } from "node:path";
import { type CheckedGroup, placeOf } from "./check.ts";
import type { LOGGER_KEYS } from "./declarations.ts";
import { quote } from "./problems.ts";
import type { Checking } from "./tls_config.ts";

/** Returns the path of a logger's file, or "" if it has none. */
export function logFile(
  group: CheckedGroup<typeof LOGGER_KEYS>,
  { files, problems }: Checking,
): string {
  const path = files.resolve(group.values.file ?? "");
  const normal = normalize(path);
  // Those files are devices, and windows into the kernel: the executable may not use them.
  if (!/^\/(dev|proc|sys)\//.test(normal) || normal === "/dev/null") return path;
  const stream = ["stdout", "stderr"].find((name) => normal === `/dev/${name}`);
  const advice = stream === undefined
    ? "choose another path, or write output: stdout or stderr"
    : `write output: ${stream} without a file`;
  problems.add(placeOf(group, "file"), `a log file cannot be ${quote(path)}; ${advice}`);
  return path;
}
