import assert from "node:assert/strict";
import { PLUGINS, sectionOf, withSection } from "../../bench/page_sections.ts";

const PAGE = "# Performance\n\nAll of it.\n";

Deno.test("withSection appends a section, and sectionOf finds it", () => {
  const page = withSection(PAGE, PLUGINS, "## What plugins cost\n");
  assert.ok(page.startsWith(PAGE));
  assert.equal(sectionOf(page, PLUGINS), "## What plugins cost\n");
  assert.equal(sectionOf(PAGE, PLUGINS), "");
});

Deno.test("withSection replaces a section where it is", () => {
  const page = withSection(PAGE, PLUGINS, "## Old $1\n") + "\nbehind it\n";
  const renewed = withSection(page, PLUGINS, "## New $& $1\n");
  assert.equal(renewed, page.replace("Old $1", () => "New $& $1"));
});

Deno.test("withSection leaves a page alone that has no section and gets none", () => {
  assert.equal(withSection(PAGE, PLUGINS, ""), PAGE);
});
