/**
 * The dialogues once more, with plugins that look on: with them no conversation may go another way.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { runProgram } from "../support/programs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What is said there goes through sessions that plugins may look into. */
const FILES = [
  "tests/dialogue",
  "tests/fuzz/pooled_session_fuzz_test.ts",
  "tests/fuzz/split_fuzz_test.ts",
];

const TIMEOUT_MS = 600_000;

for (const hooks of ["ask", "query", "all"]) {
  const name = `the dialogues go the same way with SLUICE_TEST_HOOKS=${hooks}`;
  Deno.test({ name, ignore: Deno.env.get("SLUICE_BINARY") !== undefined }, async () => {
    const args = ["test", "-A", "--no-check", "--quiet", ...FILES];
    const env = { SLUICE_TEST_HOOKS: hooks, NO_COLOR: "1" };
    const options = { env, cwd: ROOT, timeoutMs: TIMEOUT_MS };
    const { code, stdout, stderr } = await runProgram(Deno.execPath(), args, options);
    const end = stdout.lastIndexOf("\n ERRORS");
    assert.equal(code, 0, `${stdout.slice(end < 0 ? -2_000 : end)}\n${stderr.slice(-2_000)}`);
    assert.match(stdout, /ok \| [1-9]\d{2,} passed/);
  });
}
