/**
 * The folder of the demo's plugin, and what is left of it by a demo that is killed.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { basename } from "node:path";
import { PluginFolder } from "../../src/cli/demo/demo_plugin.ts";
import { type LastingProgram, startLasting } from "../support/lasting_program.ts";
import { inFolder } from "../support/sluice_command.ts";

const isWindows = Deno.build.os === "windows";

/** Makes the folder in a process of its own, and lets `body` do with that what it likes. */
async function elsewhere(
  base: string,
  body: (program: LastingProgram) => Promise<void>,
): Promise<void> {
  const module = new URL("../../src/cli/demo/demo_plugin.ts", import.meta.url).href;
  const program = await startLasting(`import { PluginFolder } from ${JSON.stringify(module)};
    console.log(await new PluginFolder(${JSON.stringify(base)}).make());`);
  try {
    await body(program);
  } finally {
    await program.kill();
  }
}

function namesIn(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("PluginFolder has a plugin and its manifest, until it is disposed of", async () => {
  await inFolder(async (base) => {
    {
      using folder = new PluginFolder(base);
      const path = await folder.make();
      deepEqual(namesIn(path), ["demo.wasm", "demo.yaml"]);
      deepEqual(namesIn(base), [basename(path)]);
    }
    deepEqual(namesIn(base), []);
  });
});

Deno.test({
  name: "PluginFolder removes what a killed demo has left, and nothing else",
  ignore: isWindows,
  fn: () =>
    inFolder((base) =>
      elsewhere(base, async ({ child, line: left, kill }) => {
        match(basename(left), new RegExp(`^sluice-demo-plugins-${child.pid}-`));
        const others = ["sluice-demo-plugins-abc", "other", "x-sluice-demo-plugins-999999999-1"];
        for (const name of others) Deno.mkdirSync(`${base}/${name}`);
        const linked = Deno.makeTempDirSync();
        Deno.symlinkSync(linked, `${base}/sluice-demo-plugins-999999999-1`);
        const kept = [...others, "sluice-demo-plugins-999999999-1"];
        {
          using folder = new PluginFolder(base);
          const path = await folder.make();
          deepEqual(namesIn(base), [...kept, basename(path), basename(left)].sort());
        }
        await kill();
        using folder = new PluginFolder(base);
        const path = await folder.make();
        deepEqual(namesIn(base), [...kept, basename(path)].sort());
        equal(Deno.statSync(linked).isDirectory, true);
        Deno.removeSync(linked);
      })
    ),
});
