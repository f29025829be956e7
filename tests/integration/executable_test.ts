/**
 * What the executable is built with and its source is run with: a young generation of V8's heap
 * that is small. Without the limit each worker takes tens of MiB more for garbage.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";

const BINARY = Deno.env.get("SLUICE_BINARY");

/** As docs/adr/0017-epoll-through-ffi.md says. */
const FLAG = "--max-semi-space-size=4";

/** Says how large the heap of a Worker may become, in bytes. */
const PROGRAM = `
  const program = "import v8 from 'node:v8';" +
    "postMessage(v8.getHeapStatistics().heap_size_limit)";
  const url = "data:text/javascript," + encodeURIComponent(program);
  new Worker(url, { type: "module" }).onmessage = ({ data }) => {
    console.log(data);
    Deno.exit();
  };
`;

async function heapSizeLimit(...flags: readonly string[]): Promise<number> {
  const args = ["eval", ...flags, PROGRAM];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const said = new TextDecoder().decode(stdout).trim();
  assert.match(said, /^\d+$/, new TextDecoder().decode(stderr));
  return Number(said);
}

Deno.test("deno.json limits the young generation wherever the gateway runs, its workers' too", async () => {
  const file = new URL("../../deno.json", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(file));
  for (const task of ["run", "compile"]) {
    assert.ok(tasks[task].command.includes(` --v8-flags=${FLAG} `), task);
  }
  assert.ok(await heapSizeLimit(`--v8-flags=${FLAG}`) < await heapSizeLimit());
});

Deno.test({
  name: "the executable is built to limit the young generation",
  ignore: BINARY === undefined,
  fn: async () => {
    // Arguments for V8 are beside the program, in JSON; deno.json, which is in it too, has no such.
    const program = Buffer.from(await Deno.readFile(BINARY!));
    assert.ok(program.includes(JSON.stringify(FLAG)), `${BINARY} is compiled without ${FLAG}`);
  },
});
