import { equal, ok, throws } from "node:assert/strict";
import { pluginReference } from "../../docs/generate_plugin_reference.ts";
import { HOOKS } from "../../src/hooks/hooks.ts";

const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));

Deno.test("pluginReference is what docs/plugins/reference.md says", async () => {
  const page = await read("docs/plugins/reference.md");
  const made = pluginReference(await read("wit/sluice.wit"));
  equal(page, made, "run: deno run -A docs/generate_plugin_reference.ts");
});

Deno.test("pluginReference has a row for every hook, and something to say of it", async () => {
  const page = pluginReference(await read("wit/sluice.wit"));
  for (const { name } of HOOKS) {
    ok(new RegExp(`^\\| \`[a-z-]+\` \\| \`${name}\` \\| \\S.{10,} \\|$`, "m").test(page), name);
  }
});

Deno.test("pluginReference notices when nothing is found", () => {
  throws(
    () => pluginReference("interface types {\n}\ninterface hooks {\n}\n"),
    /Nothing was found/,
  );
});
