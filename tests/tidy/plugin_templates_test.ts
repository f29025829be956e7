import { deepEqual, equal } from "node:assert/strict";
import { TEMPLATES_FILE, templatesText } from "../../plugins/templates.ts";
import { LANGUAGES } from "../../src/cli/plugin/project.ts";

Deno.test("src/cli/plugin/templates.json is what plugins/sdk says", async () => {
  const text = await templatesText();
  equal(await Deno.readTextFile(TEMPLATES_FILE), text, "run: deno task templates");
  deepEqual([...LANGUAGES].sort(), Object.keys(JSON.parse(text)));
});
