/**
 * Runs one of PostgreSQL's programs to its end, as the right user, with a deadline and an
 * environment in which nothing of the caller's (`PGPORT`, `PGDATA`, a locale) changes what it does.
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import type { ServerUser } from "./server_user.ts";

/** Characters of output kept for an error message; programs that fail say why at the end. */
const OUTPUT_LENGTH_MAX = 4096;

/** What a program said and how it ended. */
export interface CommandResult {
  readonly success: boolean;
  /** Standard output, at most its last 4096 characters, trimmed. */
  readonly stdout: string;
  /** Standard error, at most its last 4096 characters, trimmed. */
  readonly stderr: string;
}

/** How to run a program. */
export interface CommandOptions {
  /** Absent: as the user that runs this process. */
  readonly user?: ServerUser | undefined;
  /** The program is killed after this many milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Runs `program` and waits for it. A program that fails is a result, not an exception.
 *
 * @throws {EmbeddedPostgresError} If it cannot be started, or is not done within `timeoutMs`.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), options.timeoutMs);
  try {
    const command = new Deno.Command(program, {
      ...spawnOptions(options.user),
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: deadline.signal,
    });
    const output = await command.output();
    if (deadline.signal.aborted) {
      throw new EmbeddedPostgresError(
        `Cannot run ${program}: it did not end within ${options.timeoutMs} ms. ${
          endOf(output.stderr)
        }`,
      );
    }
    return { success: output.success, stdout: endOf(output.stdout), stderr: endOf(output.stderr) };
  } catch (thrown) {
    if (thrown instanceof EmbeddedPostgresError) throw thrown;
    const user = options.user === undefined ? "" : ` as user ${options.user.name}`;
    throw new EmbeddedPostgresError(`Cannot run ${program}${user}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The part of Deno.Command's options that is the same for every program of the server. */
export function spawnOptions(
  user: ServerUser | undefined,
): Pick<Deno.CommandOptions, "uid" | "gid" | "cwd" | "env" | "clearEnv"> {
  // Windows programs need much of their environment (SystemRoot, TEMP) to start at all.
  if (Deno.build.os === "windows") return { env: { LC_ALL: "C" } };
  return {
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
    // The other user may not be allowed to enter the current folder, and initdb insists on that.
    cwd: "/",
    env: serverEnvironment(),
    clearEnv: true,
  };
}

function serverEnvironment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: "C", HOME: "/" };
  // LD_LIBRARY_PATH: how servers outside the system's folders (Nix, conda) find their libraries.
  for (const name of ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function endOf(output: Uint8Array): string {
  return new TextDecoder().decode(output).slice(-OUTPUT_LENGTH_MAX).trim();
}
