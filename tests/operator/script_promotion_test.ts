import { equal, rejects } from "node:assert/strict";
import { runScript, scriptPromotion } from "../../src/operator/script_promotion.ts";
import { inFolder } from "../support/sluice_command.ts";
import { PATIENCE_MS, within } from "../support/wait.ts";
import { OperatorWorld } from "./world.ts";

/** Writes a program of the shell. */
async function script(folder: string, text: string): Promise<string> {
  const path = `${folder}/script.sh`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
  return path;
}

Deno.test("scriptPromotion tells the program of the old primary and of the new one", async () => {
  await inFolder(async (folder) => {
    const path = await script(folder, `printf '%s\\n' "$@" > ${folder}/said`);
    const world = new OperatorWorld();
    const change = { from: world.member("a"), to: world.member("b"), timeoutMs: PATIENCE_MS };
    await scriptPromotion(path)(change);
    equal(await Deno.readTextFile(`${folder}/said`), "a\n5432\nb\n5432\n");
  });
});

Deno.test("runScript says what a program that fails has said last", async () => {
  await inFolder(async (folder) => {
    const lines = "i=0; while [ $i -lt 200 ]; do echo 'line after line' >&2; i=$((i+1)); done";
    const path = await script(folder, `${lines}; printf 'cannot\\033[1m stop\\n' >&2; exit 7`);
    await rejects(runScript(path, [], PATIENCE_MS), ({ message }: Error) => {
      equal(message.startsWith(`${path} ended with exit code 7: `), true, message);
      equal(message.endsWith("line after line cannot [1m stop"), true, message);
      equal(message.length < path.length + 600, true);
      return true;
    });
  });
});

Deno.test("runScript kills a program that takes too long, whatever it has started", async () => {
  await inFolder(async (folder) => {
    const path = await script(folder, "sleep 5 & sleep 5");
    await rejects(
      within(PATIENCE_MS, "it is over", runScript(path, [], 100)),
      /script\.sh was killed: it took longer than 100ms$/,
    );
  });
});

Deno.test("runScript says why a program cannot be run", async () => {
  await rejects(
    runScript("/nowhere/at/all", [], 1_000),
    /^Error: \/nowhere\/at\/all cannot be run/,
  );
});
