import { deepEqual, equal, ok } from "node:assert/strict";
import { buildPlugin, isMissing, TOOLCHAINS } from "../support/plugin_builds.ts";

const FOLDER = new URL("fixtures/extism", import.meta.url).pathname;

/** What Extism's PDK for AssemblyScript 1.0.0 imports here; sizes and offsets are 64 bits wide. */
class ExtismStandIn {
  output = "";
  readonly logs: string[] = [];
  readonly #blocks: Uint8Array[] = [new Uint8Array()];
  readonly #exports: WebAssembly.Exports;
  #input = new Uint8Array();

  constructor(wasm: Uint8Array<ArrayBuffer>) {
    const module = new WebAssembly.Module(wasm);
    const env = this.#functions();
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      equal(from, "extism:host/env");
      ok(name in env, name);
    }
    this.#exports = new WebAssembly.Instance(module, { "extism:host/env": env }).exports;
  }

  run(event: unknown): number {
    this.#input = new TextEncoder().encode(JSON.stringify(event));
    this.output = "";
    return (this.#exports["onQuery"] as () => number)();
  }

  /** A block begins at its number times 2^32. */
  #at(offset: bigint): [Uint8Array, number] {
    return [this.#blocks[Number(offset >> 32n)]!, Number(offset & 0xffff_ffffn)];
  }

  #text(offset: bigint): string {
    return new TextDecoder().decode(this.#at(offset)[0]);
  }

  #functions(): WebAssembly.ModuleImports {
    return {
      "input_length": () => BigInt(this.#input.length),
      "input_load_u8": (at: bigint) => this.#input[Number(at)]!,
      "input_load_u64": (at: bigint) =>
        new DataView(this.#input.buffer).getBigUint64(Number(at), true),
      alloc: (size: bigint) => BigInt(this.#blocks.push(new Uint8Array(Number(size))) - 1) << 32n,
      free: () => {},
      length: (offset: bigint) => BigInt(this.#at(offset)[0].length),
      "output_set": (offset: bigint) => {
        this.output = this.#text(offset);
      },
      "config_get": () => 0n,
      "log_info": (offset: bigint) => {
        this.logs.push(this.#text(offset));
      },
      "log_warn": () => {},
      "log_debug": () => {},
      "log_error": () => {},
      "load_u8": (offset: bigint) => {
        const [block, at] = this.#at(offset);
        return block[at]!;
      },
      "store_u8": (offset: bigint, value: number) => {
        const [block, at] = this.#at(offset);
        block[at] = value;
      },
      "load_u64": (offset: bigint) => {
        const [block, at] = this.#at(offset);
        return new DataView(block.buffer).getBigUint64(at, true);
      },
      "store_u64": (offset: bigint, value: bigint) => {
        const [block, at] = this.#at(offset);
        new DataView(block.buffer).setBigUint64(at, value, true);
      },
    };
  }
}

const [toolchain] = TOOLCHAINS["assemblyscript"]!;
const wasm = await buildPlugin(FOLDER, toolchain);
const name = "A plugin made with Extism's PDK answers JSON with JSON";

Deno.test({
  name: isMissing(wasm) ? `${name} (${wasm})` : name,
  ignore: isMissing(wasm),
  fn: () => {
    if (isMissing(wasm)) return;
    const plugin = new ExtismStandIn(wasm);
    equal(plugin.run({ hook: "onQuery", text: "select 1" }), 0);
    equal(plugin.output, "");
    equal(plugin.run({ hook: "onQuery", text: "drop table a" }), 0);
    equal(JSON.parse(plugin.output).verdict, "reject");
    equal(plugin.run({ hook: "onQuery", text: "select hello()" }), 0);
    deepEqual(JSON.parse(plugin.output).rows, [["hello"]]);
    deepEqual(plugin.logs, ["Said hello"]);
    equal(plugin.run({ hook: "onQuery", text: "fail" }), 1);
  },
});
