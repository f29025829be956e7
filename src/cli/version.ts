/**
 * `sluice version`.
 *
 * @module
 */

import { VERSION } from "../version.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import { print } from "./terminal.ts";

/** Prints what a bug report needs to say. */
export function printVersion(): ExitCode {
  const { deno, v8 } = Deno.version;
  print(`sluice ${VERSION}\ndeno ${deno}\nv8 ${v8}\n${Deno.build.target}\n`);
  return EXIT.ok;
}
