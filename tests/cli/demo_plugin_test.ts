/**
 * The folder of the demo's plugin, and what is left of it by a demo that is killed.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { basename } from "node:path";
import { PluginFolder } from "../../src/cli/demo/demo_plugin.ts";
import { inFolder } from "../support/sluice_command.ts";

const isWindows = Deno.build.os === "windows";

/** Makes the folder in a process of its own, and lets `body` do with that what it likes. */
async function elsewhere(
  base: string,
  body: (child: Deno.ChildProcess, path: string) => Promise<void>,
): Promise<void> {
  const module = new URL("../../src/cli/demo/demo_plugin.ts", import.meta.url).href;
  const program = `import { PluginFolder } from ${JSON.stringify(module)};
    console.log(await new PluginFolder(${JSON.stringify(base)}).make());
    setInterval(() => {}, 1000);`;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", `--config=${config}`, program],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { value } = await reader.read();
    await body(child, value!.trim());
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has been killed.
    }
    await child.status;
    await reader.cancel();
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
      elsewhere(base, async (child, left) => {
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
        child.kill("SIGKILL");
        await child.status;
        using folder = new PluginFolder(base);
        const path = await folder.make();
        deepEqual(namesIn(base), [...kept, basename(path)].sort());
        equal(Deno.statSync(linked).isDirectory, true);
        Deno.removeSync(linked);
      })
    ),
});
