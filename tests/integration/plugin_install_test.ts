/**
 * `sluice plugin install`: from files, folders and web servers, checked before anything is written.
 *
 * @module
 */

import assert from "node:assert/strict";
import { moduleOf } from "../support/plugins.ts";
import { inFolder, sluiceIn } from "../support/sluice_command.ts";
import { assemble } from "../support/wasm.ts";

const MODULE = assemble(moduleOf("(i32.const 0)"));
const OTHER = assemble(moduleOf("(i32.const 0)", "", "other"));
const MANIFEST = "name: good\nversion: 1.0.0\npermissions: [log, http]\nhosts: [example.com]\n";

const SHA256 = await sumOf(MODULE);

/** Of nothing. */
const WRONG = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

async function sumOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function install(folder: string, ...args: readonly string[]) {
  return await sluiceIn(folder, "plugin", "install", ...args);
}

/** Files of a folder and what is in them, in the order of their names. */
async function filesIn(folder: string): Promise<Readonly<Record<string, string>>> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  const sums = names.map(async (name) => {
    const bytes = await Deno.readFile(`${folder}/${name}`);
    return [name, name.includes(".yaml") ? new TextDecoder().decode(bytes) : await sumOf(bytes)];
  });
  return Object.fromEntries(await Promise.all(sums));
}

async function put(folder: string, files: Readonly<Record<string, string | Uint8Array>>) {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
}

Deno.test("plugin install says if traffic is refused without the plugin", async () => {
  await inFolder(async (folder) => {
    const manifest = "permissions: [reject]\nonFailure: closed\n";
    await put(`${folder}/good`, { "good.wasm": MODULE, "good.yaml": manifest });
    const { code, stdout } = await install(folder, "good");
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^Its manifest says onFailure: closed: when it fails, traffic is refused/m,
    );
    await put(`${folder}/good`, { "good.yaml": "permissions: [reject]\n" });
    assert.doesNotMatch((await install(folder, "good", "--force")).stdout, /onFailure/);
  });
});

Deno.test("plugin install takes a file or a folder, and says what to grant", async () => {
  await inFolder(async (folder) => {
    await put(`${folder}/good`, { "good.wasm": MODULE, "good.yaml": MANIFEST, "README.md": "" });
    for (const source of ["good", "good/good.wasm", "good/"]) {
      const { code, stdout, stderr } = await install(folder, source);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^WARNING: nothing says which SHA-256 good\.wasm should have/);
      assert.ok(stderr.includes(SHA256));
      assert.match(
        stdout,
        /^installed good 1\.0\.0 as plugins\/good\.wasm and plugins\/good\.yaml$/m,
      );
      const granted = stdout.slice(stdout.indexOf("plugins:\n"));
      const config =
        `servers: {a: {address: "127.0.0.1:0"}}\nclients: {a: {address: "127.0.0.1:1"}}\n`;
      await Deno.writeTextFile(`${folder}/sluice.yaml`, config + granted);
      const list = await sluiceIn(folder, "plugin", "list");
      assert.match(list.stdout, /^good +1\.0\.0 +would run/m);
      assert.deepEqual(await filesIn(`${folder}/plugins`), {
        "good.wasm": SHA256,
        "good.yaml": MANIFEST,
      });
    }
  });
});

Deno.test("plugin install keeps what is there, unless it is told to replace it", async () => {
  await inFolder(async (folder) => {
    const plugins = `${folder}/there`;
    const run = (...args: readonly string[]) =>
      install(folder, "new/good.wasm", "--directory", "there", ...args);
    await put(plugins, { "good.wasm": OTHER, "good.yaml": "name: good\n" });
    await put(`${folder}/new`, { "good.wasm": MODULE, "good.yaml": MANIFEST });
    const before = await filesIn(plugins);
    const refused = await run();
    assert.equal(refused.code, 1);
    const reason = '"there/good.wasm" or its manifest is another; --force replaces it';
    assert.equal(refused.stderr, `sluice: ${reason}\n`);
    assert.deepEqual(await filesIn(plugins), before);
    assert.equal((await run("--force")).code, 0);
    const after = {
      "good.wasm": SHA256,
      "good.wasm.bak": await sumOf(OTHER),
      "good.yaml": MANIFEST,
      "good.yaml.bak": "name: good\n",
    };
    assert.deepEqual(await filesIn(plugins), after);
    assert.equal((await run("--force")).code, 0);
    assert.deepEqual(await filesIn(plugins), after, "what is the same is no reason for a copy");
    await Deno.remove(`${folder}/new/good.yaml`);
    assert.equal((await run("--force")).code, 0);
    const { "good.yaml": _, ...rest } = after;
    assert.deepEqual(await filesIn(plugins), { ...rest, "good.yaml.bak": MANIFEST });
  });
});

Deno.test("plugin install compares checksums, wherever they are said", async () => {
  await inFolder(async (folder) => {
    await put(`${folder}/new`, { "good.wasm": MODULE, "good.yaml": MANIFEST });
    const run = (...args: readonly string[]) => install(folder, "new", ...args);
    const given = await run("--sha256", SHA256.toUpperCase());
    assert.equal(given.stderr, "");
    assert.match(given.stdout, new RegExp(`^SHA-256 ${SHA256}, as --sha256 says$`, "m"));
    await Deno.remove(`${folder}/plugins`, { recursive: true });
    const noSum = await run("--sha256", "abc");
    assert.equal(noSum.code, 2);
    assert.match(noSum.stderr, /"abc" is no SHA-256: expected 64 hexadecimal digits/);
    const manifestSum = await sumOf(new TextEncoder().encode(MANIFEST));
    const wrong: readonly (readonly [Readonly<Record<string, string>>, readonly string[]])[] = [
      [{}, ["--sha256", WRONG]],
      [{ "SHA256SUMS": `${WRONG}  good.wasm\n` }, []],
      [{ "SHA256SUMS": `${SHA256}  good.wasm\n${WRONG} *good.yaml\n` }, []],
      [{ "good.wasm.sha256": `${WRONG}\n` }, []],
      [{ "good.wasm.sha256": `${WRONG}  good.wasm\n` }, ["--sha256", SHA256]],
    ];
    for (const [files, args] of wrong) {
      await put(`${folder}/new`, files);
      const { code, stderr } = await run(...args);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(`^sluice: good\\.\\w+ has SHA-256 .*, and .* says ${WRONG}\n$`),
      );
      for (const name of Object.keys(files)) await Deno.remove(`${folder}/new/${name}`);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["new"]);
    await put(`${folder}/new`, {
      "SHA256SUMS": `${WRONG}  other.wasm\n${SHA256}  ./good.wasm\n${manifestSum}  good.yaml\n`,
      "good.wasm.sha256": `${SHA256}\n`,
    });
    const fine = await run();
    assert.equal(fine.stderr, "");
    assert.match(fine.stdout, /, as SHA256SUMS and good\.wasm\.sha256 says$/m);
  });
});

Deno.test("plugin install installs nothing that would not load, and leaves nothing behind", async () => {
  await inFolder(async (folder) => {
    const initiated = '(func (export "sluice_init") (result i32) (i32.const 1))';
    await put(`${folder}/new`, {
      "text.wasm": "hello",
      "refuses.wasm": assemble(moduleOf("(i32.const 0)", initiated)),
      "named.wasm": MODULE,
      "named.yaml": "name: other\n",
      "1st.wasm": MODULE,
    });
    await Deno.mkdir(`${folder}/empty`);
    const expected: readonly (readonly [string, RegExp])[] = [
      ["new/text.wasm", /^sluice: cannot use "text\.wasm": this is no WebAssembly/],
      ["new/refuses.wasm", /sluice_init refused: it returned 1/],
      ["new/named.wasm", /named\.yaml is the manifest of a plugin named "other"/],
      ["new/1st.wasm", /"1st\.wasm" cannot be installed: .*a letter first/],
      ["new", /"new" has 4 \.wasm files; name the one to install/],
      ["empty", /"empty" has no \.wasm file/],
      ["nowhere", /cannot read "nowhere": there is no such file/],
      ["/dev/null", /"null" cannot be installed: a plugin's file is called NAME\.wasm/],
    ];
    for (const [source, pattern] of expected) {
      const { code, stdout, stderr } = await install(folder, source);
      assert.equal(stdout, "");
      assert.match(stderr, pattern);
      assert.equal(code, 1, source);
    }
    assert.deepEqual(await filesIn(`${folder}/plugins`), {});
  });
});

Deno.test("plugin install takes a plugin that has to be told something", async () => {
  await inFolder(async (folder) => {
    const manifest = "name: told\nconfig: { type: object, required: [key] }\n";
    await put(folder, { "told.wasm": MODULE, "told.yaml": manifest });
    const { code, stdout, stderr } = await install(folder, "told.wasm", "--sha256", SHA256);
    assert.equal(stderr, "");
    assert.match(stdout, /^ {4}config: \{\} # as its manifest says$/m);
    assert.equal(code, 0);
  });
});

Deno.test("plugin install suggests no configuration to a plugin that has none", async () => {
  await inFolder(async (folder) => {
    const manifest = "name: told\nconfig: { type: object, additionalProperties: false }\n";
    await put(folder, { "told.wasm": MODULE, "told.yaml": manifest });
    const { code, stdout } = await install(folder, "told.wasm");
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /config:/);
  });
});

/** Serves files below `/files/`, and some traps. */
function serve(files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>): {
  readonly origin: string;
  readonly asked: string[];
  readonly [Symbol.asyncDispose]: () => Promise<void>;
} {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    asked.push(`${pathname}${search}`);
    if (pathname === "/away/good.wasm") return Response.redirect("http://192.0.2.1/good.wasm");
    if (pathname === "/on/good.wasm") {
      return Response.redirect(new URL("/files/good.wasm", request.url));
    }
    if (pathname === "/round/good.wasm") return Response.redirect(request.url);
    if (pathname === "/broken/good.wasm") return new Response("", { status: 500 });
    if (pathname === "/endless/good.wasm") return new Response(endless());
    const content = files[pathname.replace("/files/", "")];
    return content === undefined ? new Response("", { status: 404 }) : new Response(content);
  });
  const { port } = server.addr;
  const origin = `http://127.0.0.1:${port}`;
  return { origin, asked, [Symbol.asyncDispose]: () => server.shutdown() };
}

function endless(): ReadableStream<Uint8Array> {
  const piece = new Uint8Array(1_048_576);
  return new ReadableStream({ pull: (controller) => controller.enqueue(piece) });
}

Deno.test("plugin install downloads a plugin with what is beside it", async () => {
  await using server = serve({
    "good.wasm": MODULE,
    "good.yaml": MANIFEST,
    "SHA256SUMS": `${SHA256}  good.wasm\n`,
  });
  const { origin, asked } = server;
  await inFolder(async (folder) => {
    const { code, stdout, stderr } = await install(folder, `${origin}/files/good.wasm?token=t`);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.match(stdout, /, as SHA256SUMS says$/m);
    assert.deepEqual(await filesIn(`${folder}/plugins`), {
      "good.wasm": SHA256,
      "good.yaml": MANIFEST,
    });
    assert.deepEqual(asked.sort(), [
      "/files/SHA256SUMS?token=t",
      "/files/good.wasm.sha256?token=t",
      "/files/good.wasm?token=t",
      "/files/good.yaml?token=t",
    ]);
    const alone = await install(folder, `${origin}/on/good.wasm`, "--directory", "alone");
    assert.equal(alone.code, 0);
    assert.match(alone.stderr, /^WARNING: /);
    assert.deepEqual(await filesIn(`${folder}/alone`), { "good.wasm": SHA256 });
  });
});

Deno.test("plugin install follows nobody where bytes could be changed or never end", async () => {
  await using server = serve({});
  const { origin } = server;
  const expected: readonly (readonly [string, RegExp])[] = [
    [`${origin}/away/good.wasm`, /"http:\/\/192\.0\.2\.1\/good\.wasm" is not used: only https/],
    [`${origin}/round/good.wasm`, /more than 5 redirects/],
    [`${origin}/broken/good.wasm?token=t`, /the server says 500/],
    [`${origin}/endless/good.wasm`, /it is larger than 64MiB/],
    [`${origin}/files/good.wasm`, /there is no "good\.wasm"/],
    [`${origin}/files/..%2f..%2fgood.wasm`, /"\.\.\/\.\.\/good\.wasm" cannot be installed/],
    [`${origin}/files/%2e%2e%5cgood.wasm`, /cannot be installed/],
    [`${origin}/files/%ff.wasm`, /has no valid name of a file/],
    [`${origin}/files/`, /"" cannot be installed/],
    ["http://192.0.2.1/good.wasm", /only https, or http to this machine/],
    ["ftp://127.0.0.1/good.wasm", /only https, or http to this machine/],
    ["https://me:secret@127.0.0.1/good.wasm", /a URL with a user or a password is not used/],
    ["https://", /the source is no valid URL/],
  ];
  await inFolder(async (folder) => {
    for (const [source, pattern] of expected) {
      const { code, stdout, stderr } = await install(folder, source);
      assert.equal(stdout, "");
      assert.match(stderr, pattern, source);
      assert.ok(!/token|secret/.test(stderr), stderr);
      assert.equal(code, 1, source);
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});
