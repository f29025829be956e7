import { equal } from "node:assert/strict";
import { toBase64 } from "../../src/base/base64.ts";
import { DEMO_PLUGIN } from "../../src/cli/demo/demo_plugin.ts";
import { assemble } from "../support/wasm.ts";

Deno.test("The demo's plugin is what its source says, as large as the story says", async () => {
  const folder = new URL("../../src/cli/demo/", import.meta.url);
  const bytes = assemble(await Deno.readTextFile(new URL("demo_plugin.wat", folder)));
  equal(DEMO_PLUGIN, toBase64(bytes), "write what the second text is into demo_plugin.ts");
  const story = await Deno.readTextFile(new URL("story.ts", folder));
  equal(/plugin of (\d+) bytes/.exec(story)?.[1], String(bytes.length));
});
