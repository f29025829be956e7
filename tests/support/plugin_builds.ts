/**
 * Builds WebAssembly plugins from source, as their authors do: with the one command that the
 * template of their language has. What was built is kept, so that it is built again only when its
 * sources or the compiler are others.
 *
 * @module
 */

import { delimiter as DELIMITER, join, relative } from "node:path";
import { openCacheFolder } from "../../src/cli/demo/cache_folder.ts";
import { programFile, searchPath } from "../../src/cli/demo/find_postgres.ts";
import { runProgram } from "./programs.ts";

const SDKS = new URL("../../plugins/sdk/", import.meta.url).pathname;

const ASC = "assemblyscript@0.28.20";

const BUILD_TIMEOUT_MS = 300_000;

/** Go makes 2 MB, the others some kilobytes; the oldest ones go. */
const KEPT_COUNT_MAX = 200;

/** Folders and files that building makes, or that are no part of a plugin. */
const NO_SOURCE = /^(?:template|node_modules|\.zig-cache|target|(?:deno|Cargo)\.lock|.*\.wasm)$/;

/** One way to build a plugin of one language. */
export interface Toolchain {
  readonly name: string;
  /** Programs that must be on PATH. */
  readonly needs: readonly string[];
  /** A folder whose programs go before those on PATH. */
  readonly folder?: string;
  /** Says which version it is; fails where it does not work. */
  readonly probe: readonly string[];
  /** Run in the plugin's folder, makes one .wasm file in it. */
  readonly build: readonly string[];
}

/** Lists Rust's standard library for WebAssembly, or says that it is not there. */
const RUST_PROBE = "ls $(rustc --print target-libdir --target wasm32-unknown-unknown) && rustc -vV";

/** Fails before Go 1.24, which is the first that exports functions. */
const GO_PROBE = "go version | grep -E 'go1[.](2[4-9]|[3-9][0-9])'";

/** A language's folder in `plugins/sdk` and what builds it, what is best first. */
export const TOOLCHAINS: Readonly<Record<string, readonly Toolchain[]>> = {
  assemblyscript: [{
    name: "Deno",
    needs: [],
    probe: [Deno.execPath(), "run", "-A", "--no-config", `npm:${ASC}/asc`, "--version"],
    build: [Deno.execPath(), "task", "build"],
  }, {
    name: "Node",
    needs: ["npm", "npx"],
    probe: ["npx", "--yes", `--package=${ASC}`, "asc", "--version"],
    build: ["npm", "run", "build"],
  }],
  c: [{
    name: "clang",
    needs: ["make", "clang", "wasm-ld"],
    probe: ["clang", "--version"],
    build: ["make"],
  }, {
    name: "zig cc",
    needs: ["make", "zig"],
    probe: ["zig", "version"],
    build: ["make", "CC=zig cc"],
  }],
  go: [{
    name: "Go",
    needs: ["make", "go"],
    probe: ["sh", "-c", GO_PROBE],
    build: ["make"],
  }],
  rust: [{
    name: "the first Rust on PATH",
    needs: ["make", "cargo", "rustc"],
    probe: ["sh", "-c", RUST_PROBE],
    build: ["make"],
  }, {
    name: "the system's Rust",
    needs: ["make", "cargo", "rustc"],
    folder: "/usr/bin",
    probe: ["sh", "-c", RUST_PROBE],
    build: ["make"],
  }],
  zig: [{
    name: "zig",
    needs: ["zig"],
    probe: ["zig", "version"],
    build: [
      ..."zig build-exe plugin.zig -target wasm32-freestanding -O ReleaseSmall".split(" "),
      ..."-fno-entry -rdynamic -fstrip -femit-bin=hello.wasm".split(" "),
    ],
  }],
};

/** A file that only plugins of one language have. */
const SIGNS: Readonly<Record<string, string>> = {
  "assembly/plugin.ts": "assemblyscript",
  "main.go": "go",
  "plugin.c": "c",
  "plugin.zig": "zig",
  "src/lib.rs": "rust",
};

/** Why a plugin cannot be built on this machine. */
export type NoToolchain = `no toolchain: ${string}`;

const known = new Map<Toolchain, Promise<string | NoToolchain>>();

/**
 * Builds the plugin in `folder` with the first of its language's toolchains that there is, or with
 * the one that is given. The SDK is in the folder `sluice` below, as in a
 * new plugin; other files that it has not got are those of the template.
 *
 * @returns The module, or the reason why this machine cannot build it.
 * @throws {Error} If the language is unknown or the compiler finds fault with the plugin.
 */
export async function buildPlugin(
  folder: string,
  only?: Toolchain,
): Promise<Uint8Array<ArrayBuffer> | NoToolchain> {
  const own = await filesOf(folder);
  const language = languageOf(folder, own);
  const toolchains = only === undefined ? TOOLCHAINS[language]! : [only];
  return await buildWithFirst(toolchains, await withSdk(language, own));
}

/** The same for a folder that has all that it needs. */
export async function buildProject(
  folder: string,
): Promise<Uint8Array<ArrayBuffer> | NoToolchain> {
  const own = await filesOf(folder);
  return await buildWithFirst(TOOLCHAINS[languageOf(folder, own)]!, own);
}

async function buildWithFirst(
  toolchains: readonly Toolchain[],
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Uint8Array<ArrayBuffer> | NoToolchain> {
  const reasons: string[] = [];
  for (const toolchain of toolchains) {
    const version = await versionOf(toolchain);
    if (!isMissing(version)) return await build(files, toolchain, version);
    reasons.push(version.replace("no toolchain: ", ""));
  }
  return `no toolchain: ${reasons.join("; ")}`;
}

/** Whether something is a reason and no result. */
export function isMissing(built: Uint8Array | string): built is NoToolchain {
  return typeof built === "string" && built.startsWith("no toolchain: ");
}

function languageOf(folder: string, files: ReadonlyMap<string, Uint8Array>): string {
  const sign = Object.keys(SIGNS).find((path) => files.has(path));
  if (sign === undefined) {
    const known = Object.keys(SIGNS).join(", ");
    throw new Error(`Cannot build '${folder}': it has none of the files ${known}`);
  }
  return SIGNS[sign]!;
}

async function withSdk(
  language: string,
  own: ReadonlyMap<string, Uint8Array>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const template = await filesOf(join(SDKS, language, "template"));
  const sdk = [...await filesOf(join(SDKS, language))].map(([path, bytes]) =>
    [`sluice/${path}`, bytes] as const
  );
  return new Map([...template, ...sdk, ...own]);
}

/** Every source file below a folder, by its path in it. */
async function filesOf(folder: string, top = folder): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (NO_SOURCE.test(name)) continue;
    const path = join(folder, name);
    if (isDirectory) {
      for (const [inner, bytes] of await filesOf(path, top)) files.set(inner, bytes);
    } else {
      files.set(relative(top, path).replaceAll("\\", "/"), await Deno.readFile(path));
    }
  }
  return files;
}

/** Asked once for each toolchain: some of them are downloaded then. */
function versionOf(toolchain: Toolchain): Promise<string | NoToolchain> {
  const found = known.get(toolchain) ?? lookUp(toolchain);
  known.set(toolchain, found);
  return found;
}

async function lookUp(toolchain: Toolchain): Promise<string | NoToolchain> {
  const { needs, probe } = toolchain;
  for (const program of needs) {
    if (!await isOnPath(program)) return `no toolchain: ${program} is not on PATH`;
  }
  const { code, stdout, stderr } = await run(toolchain, probe);
  if (code === 0) return stdout;
  return `no toolchain: ${probe.join(" ")}: ${stderr.trim().split("\n").at(-1)}`;
}

async function isOnPath(program: string): Promise<boolean> {
  for (const folder of searchPath()) {
    const info = await Deno.stat(join(folder, programFile(program))).catch(() => undefined);
    if (info?.isFile) return true;
  }
  return false;
}

function run({ folder }: Toolchain, command: readonly string[], cwd?: string) {
  const [program, ...args] = command;
  const where = cwd === undefined ? {} : { cwd };
  const path = [...folder === undefined ? [] : [folder], ...searchPath()].join(DELIMITER);
  return runProgram(program!, args, {
    ...where,
    env: { PATH: path },
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}

async function build(
  files: ReadonlyMap<string, Uint8Array>,
  toolchain: Toolchain,
  version: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const cache = join(await openCacheFolder(), "plugin-builds");
  await Deno.mkdir(cache, { recursive: true });
  const kept = join(cache, `${await hashOf(files, toolchain, version)}.wasm`);
  try {
    return await Deno.readFile(kept);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const scratch = await Deno.makeTempDir({ dir: cache, prefix: "build-" });
  try {
    const wasm = await compile(files, toolchain, scratch);
    const bytes = await Deno.readFile(wasm);
    // At once: another test process may build the same.
    await Deno.rename(wasm, kept);
    await removeOldest(cache);
    return bytes;
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** @returns The path of what was made. */
async function compile(
  files: ReadonlyMap<string, Uint8Array>,
  toolchain: Toolchain,
  folder: string,
): Promise<string> {
  for (const [path, bytes] of files) {
    await Deno.mkdir(join(folder, path, ".."), { recursive: true });
    await Deno.writeFile(join(folder, path), bytes);
  }
  const { code, stdout, stderr } = await run(toolchain, toolchain.build, folder);
  if (code !== 0) throw new Error(`${toolchain.build.join(" ")}:\n${stdout}${stderr}`);
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".wasm")) return join(folder, name);
  }
  throw new Error(`${toolchain.build.join(" ")} made no .wasm file`);
}

async function hashOf(
  files: ReadonlyMap<string, Uint8Array>,
  toolchain: Toolchain,
  version: string,
): Promise<string> {
  const names = [...files.keys()].sort();
  const parts: BlobPart[] = [JSON.stringify([toolchain, version, names])];
  for (const name of names) {
    const bytes = files.get(name)!;
    parts.push(`\0${bytes.length}\0`, new Uint8Array(bytes));
  }
  const digest = await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer());
  return new Uint8Array(digest).toHex();
}

async function removeOldest(cache: string): Promise<void> {
  const files: { readonly path: string; readonly time: number }[] = [];
  for await (const { name, isFile } of Deno.readDir(cache)) {
    const path = join(cache, name);
    const info = isFile ? await Deno.stat(path).catch(() => undefined) : undefined;
    if (info !== undefined) files.push({ path, time: info.mtime?.getTime() ?? 0 });
  }
  files.sort((a, b) => b.time - a.time);
  for (const { path } of files.slice(KEPT_COUNT_MAX)) await Deno.remove(path).catch(() => {});
}
