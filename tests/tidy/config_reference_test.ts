import { equal } from "node:assert/strict";
import { SECTIONS } from "../../src/config/declarations.ts";
import { configReference } from "../../src/config/reference.ts";

Deno.test("configReference is what docs/configuration.md says", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/configuration.md", import.meta.url));
  equal(page, configReference(), "run: deno run -A docs/generate_configuration.ts");
});

Deno.test("configReference has a row for every key, with as many cells as its table", () => {
  const all = SECTIONS.flatMap(({ keys, ownKeys = {} }) =>
    [...Object.values(ownKeys), ...Object.values(keys)].flatMap(({ type }) => [
      "",
      ...Object.keys(type.items ?? {}),
    ])
  );
  const rows = configReference().split("\n").filter((line) => line.startsWith("| `"));
  equal(rows.length, all.length);
  for (const row of rows) equal(row.replaceAll("\\|", "").split("|").length, 8, row);
});
