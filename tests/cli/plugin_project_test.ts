import { deepEqual, equal, match, ok } from "node:assert/strict";
import { buildCommand, LANGUAGES, projectFiles } from "../../src/cli/plugin/project.ts";
import { TOOLCHAINS } from "../support/plugin_builds.ts";

for (const language of LANGUAGES) {
  Deno.test(`A project in ${language} has the plugin's name, and the template's otherwise`, () => {
    const files = projectFiles(language, "query-counter");
    const as = projectFiles(language, "hello");
    equal(files.has("query-counter.yaml"), true);
    equal(files.has("hello.yaml"), false);
    match(files.get("query-counter.yaml")!, /^name: query-counter$/m);
    deepEqual(
      [...files.keys()].map((path) => path.replace("query-counter", "hello")),
      [...as.keys()],
    );
    for (const [path, text] of files) {
      if (path.startsWith("sluice/")) equal(text, as.get(path), path);
      else ok(!/hello\.(wasm|yaml)|^name.*hello|^module hello/m.test(text), path);
    }
    ok([...files.keys()].some((path) => path.startsWith("sluice/")), "the SDK is there");
    ok([...files.values()].some((text) => text.includes("select hello()")), "the example stays");
    ok(files.get("README.md")!.includes("query-counter.wasm"));
    ok(files.get("README.md")!.includes(buildCommand(language, "query-counter")));
  });

  Deno.test(`What builds a project in ${language} is what tests of its SDK build with`, () => {
    const commands = TOOLCHAINS[language]!.map(({ build }) => build.join(" "));
    ok(commands.includes(buildCommand(language, "hello")), commands.join("\n"));
  });
}

Deno.test("Names of packages are what their languages take", () => {
  const rust = projectFiles("rust", "query-counter");
  match(rust.get("Cargo.toml")!, /^name = "query-counter"$/m);
  match(rust.get("Makefile")!, /^query-counter\.wasm:/m);
  match(rust.get("Makefile")!, /release\/query_counter\.wasm \$@$/m);
  match(rust.get("src/lib.rs")!, /manifest = "\.\.\/query-counter\.yaml"/);
  match(projectFiles("go", "log").get("go.mod")!, /^module example\/log$/m);
  match(projectFiles("assemblyscript", "log").get("asconfig.json")!, /"outFile": "log\.wasm"/);
});
