/**
 * `sluice plugin new`: what it makes builds with one command, in every language.
 *
 * @module
 */

import assert from "node:assert/strict";
import { LANGUAGES } from "../../src/cli/plugin/project.ts";
import { buildProject, isMissing, TOOLCHAINS } from "../support/plugin_builds.ts";
import { inFolder, sluiceIn as sluice } from "../support/sluice_command.ts";

for (const language of LANGUAGES) {
  // What was built once is kept, so the name is the same each time.
  Deno.test(`plugin new --lang ${language} makes a project that builds`, async (test) => {
    await inFolder(async (folder) => {
      const made = await sluice(folder, "plugin", "new", "my-plugin", "--lang", language);
      assert.equal(made.stderr, "");
      assert.equal(made.code, 0);
      const [command] = TOOLCHAINS[language]!.map(({ build }) => build);
      assert.match(made.stdout, /^made my-plugin; /);
      assert.match(made.stdout, /\n {2}cd my-plugin && \S/);
      assert.match(made.stdout, /\n {2}sluice plugin check my-plugin\.wasm\n$/);
      const wasm = await buildProject(`${folder}/my-plugin`);
      await test.step({
        name: `built with ${command![0]}`,
        ignore: isMissing(wasm),
        fn: async () => {
          assert.ok(!isMissing(wasm));
          await Deno.writeFile(`${folder}/my-plugin/my-plugin.wasm`, wasm);
          const file = "my-plugin/my-plugin.wasm";
          const { code, stdout, stderr } = await sluice(
            folder,
            ...["plugin", "check", file, "--query", "select hello()", "select hello();"],
          );
          assert.equal(stderr, "");
          assert.match(stdout, /^my-plugin 0\.1\.0, /);
          assert.match(stdout, /^onQuery .* forward \d+, respond 2 /m);
          assert.match(stdout, /^metrics: hellos_total$/m);
          assert.match(stdout, /\nmy-plugin\/my-plugin\.wasm: fine\n$/);
          assert.equal(code, 0);
        },
      });
    });
  });
}

Deno.test("plugin new writes over nothing", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/here`);
    const first = await sluice(folder, "plugin", "new", "a", "--lang", "c", "--dir", "here");
    assert.equal(first.code, 0, first.stderr);
    await Deno.writeTextFile(`${folder}/here/plugin.c`, "mine");
    const second = await sluice(folder, "plugin", "new", "a", "--lang", "c", "--dir", "here");
    assert.equal(second.code, 1);
    assert.equal(second.stderr, "sluice: here is not empty; name another folder with --dir\n");
    assert.equal(await Deno.readTextFile(`${folder}/here/plugin.c`), "mine");
    const file = await sluice(
      folder,
      ...["plugin", "new", "a", "--lang", "c", "--dir", "here/plugin.c"],
    );
    assert.equal(file.code, 1);
    assert.match(file.stderr, /^sluice: cannot make here\/plugin\.c: a part of its path is no/);
  });
});

Deno.test("plugin new says what is wrong with a name or a language", async () => {
  await inFolder(async (folder) => {
    for (const name of ["../up", "1st", "with space", "directory", "", "a".repeat(64)]) {
      const { code, stderr } = await sluice(folder, "plugin", "new", "--lang", "c", "--", name);
      assert.equal(code, 2, name);
      assert.match(stderr, /^sluice: ".*" cannot be a plugin's name; take 1 to 63 letters/);
    }
    const near = await sluice(folder, "plugin", "new", "a", "--lang", "rsut");
    assert.equal(near.code, 2);
    assert.match(near.stderr, /there is no SDK for "rsut"; did you mean rust\? \(rust, go, /);
    const none = await sluice(folder, "plugin", "new", "a");
    assert.equal(none.code, 2);
    assert.match(none.stderr, /required option '-l, --lang <language>' not specified/);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  });
});
