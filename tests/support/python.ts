/**
 * psycopg, the PostgreSQL driver of Python, with the libpq that comes with it: another language,
 * and a libpq newer than the system's.
 *
 * @module
 */

import { openCacheFolder } from "../../src/cli/demo/cache_folder.ts";
import { type ProgramResult, runProgram } from "./programs.ts";

/** psycopg 3.2.10 and newer bring libpq 18 with their binary package, 3.3 among them. */
const REQUIREMENT = "psycopg[binary]>=3.3,<3.4";
const FOLDER_NAME = "psycopg-3.3";

const INSTALL_TIMEOUT_MS = 180_000;

/** A Python that has psycopg, or the reason why there is none. */
export type Python =
  | { readonly run: (script: URL, args: readonly string[], env: Env) => Promise<ProgramResult> }
  | { readonly unavailable: string };

type Env = Readonly<Record<string, string>>;

let known: Promise<Python> | undefined;

/** Finds python3, and installs psycopg beside the downloaded servers, the first time. */
export function findPython(): Promise<Python> {
  known ??= lookUp();
  return known;
}

async function lookUp(): Promise<Python> {
  try {
    const cache = await openCacheFolder();
    const folder = `${cache}/${FOLDER_NAME}`;
    if (!await hasPsycopg(folder)) await install(cache, folder);
    return {
      run: (script, args, env) =>
        runProgram("python3", [script.pathname, ...args], {
          env: { ...env, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1" },
        }),
    };
  } catch (error) {
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
}

async function hasPsycopg(folder: string): Promise<boolean> {
  const env = { "PYTHONPATH": folder };
  const { code } = await runProgram("python3", ["-c", "import psycopg.pq; psycopg.pq.version()"], {
    env,
  });
  return code === 0;
}

/** Into a folder of its own, so that nothing of the machine's Python changes. */
async function install(cache: string, folder: string): Promise<void> {
  const scratch = await Deno.makeTempDir({ dir: cache, prefix: "psycopg-" });
  try {
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    const args = [...pip, "--target", scratch, REQUIREMENT];
    const { code, stderr } = await runProgram("python3", args, { timeoutMs: INSTALL_TIMEOUT_MS });
    if (code !== 0) throw new Error(`pip cannot install psycopg: ${stderr.trim()}`);
    if (!await hasPsycopg(scratch)) throw new Error("psycopg does not work with this python3");
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await Deno.rename(scratch, folder);
  } catch (error) {
    await Deno.remove(scratch, { recursive: true });
    throw error;
  }
}
