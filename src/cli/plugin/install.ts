/**
 * `sluice plugin install`: puts a plugin into the folder that a gateway loads plugins from. What
 * would not load is not installed, and what is replaced is kept beside it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { messageOf, systemReason } from "../../base/errors.ts";
import { quote } from "../../config/problems.ts";
import {
  loadPlugin,
  manifestPath,
  type PluginContents,
  PluginRefusedError,
  readPlugin,
} from "../../plugins/plugin_loader.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { print, printError } from "../terminal.ts";
import { type Origin, readOrigin, SUMS_FILE } from "./origin.ts";
import { refusalText, unconfiguredPlugins } from "./subject.ts";
import { listed } from "./table.ts";
import { Trial } from "./trial.ts";

/** What the command line says beside the source. */
export interface InstallOptions {
  /** 64 hexadecimal digits. */
  readonly sha256?: string;
  readonly directory: string;
  /** Whether a plugin of this name is replaced. */
  readonly force?: boolean;
}

const CLOSED_TEXT = "Its manifest says onFailure: closed: when it fails, traffic is refused, and " +
  "without it the gateway does\nnot start. To have it otherwise, add onFailure: open.";

const SHA256 = /^[0-9a-f]{64}$/i;

/** Installs a plugin. */
export async function installPlugin(
  source: string,
  { sha256, directory, force = false }: InstallOptions,
): Promise<ExitCode> {
  if (sha256 !== undefined && !SHA256.test(sha256)) {
    printError(`sluice: ${quote(sha256)} is no SHA-256: expected 64 hexadecimal digits\n`);
    return EXIT.usage;
  }
  try {
    const origin = await readOrigin(source);
    const checked = checkSums(origin, sha256);
    const file = join(directory, `${origin.name}.wasm`);
    if (!force && (isOther(file, origin.module) || isOther(manifestPath(file), origin.manifest))) {
      throw new Error(`${quote(file)} or its manifest is another; --force replaces it`);
    }
    const contents = await place(origin, directory, file);
    if (checked === undefined) printError(uncheckedText(origin, contents));
    print(installedText(origin, file, contents, checked));
    return EXIT.ok;
  } catch (error) {
    printError(errorText(error).trimEnd().split("\n").map((line) => `sluice: ${line}\n`).join(""));
    return EXIT.failed;
  }
}

/**
 * @returns What says that the module is the right one; undefined if nothing does.
 * @throws {Error} If it is not.
 */
function checkSums({ name, module, manifest, sums }: Origin, given?: string): string | undefined {
  const expected = new Map<string, string>();
  if (given !== undefined) expected.set("--sha256", given);
  for (const [sumsName, text] of sums) {
    const isOfOne = sumsName !== SUMS_FILE;
    const sum = sumIn(text, `${name}.wasm`, isOfOne);
    if (sum !== undefined) expected.set(sumsName, sum);
    const ofManifest = sumIn(text, `${name}.yaml`, false);
    if (manifest !== undefined && ofManifest !== undefined) {
      compare(`${name}.yaml`, hashOf(manifest), ofManifest, sumsName);
    }
  }
  for (const [sumsName, sum] of expected) compare(`${name}.wasm`, hashOf(module), sum, sumsName);
  return expected.size === 0 ? undefined : [...expected.keys()].join(" and ");
}

function compare(fileName: string, is: string, expected: string, sumsName: string): void {
  if (is === expected.toLowerCase()) return;
  throw new Error(`${fileName} has SHA-256 ${is}, and ${sumsName} says ${expected.toLowerCase()}`);
}

/** The sum of one file in what `sha256sum` wrote: digits, a blank, a blank or `*`, the name. */
function sumIn(text: string, fileName: string, mayBeAlone: boolean): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    const [, sum, name] = /^([0-9a-f]{64})(?: [ *](?:\.\/)?(.+))?$/i.exec(line.trim()) ?? [];
    if (sum !== undefined && (name === fileName || (name === undefined && mayBeAlone))) return sum;
  }
  return undefined;
}

/**
 * Writes the files into a folder of their own, tries them there, and moves them to their places.
 *
 * @throws {Error} If the plugin would not load, or cannot be written.
 */
async function place(origin: Origin, directory: string, file: string): Promise<PluginContents> {
  let scratch: string;
  try {
    Deno.mkdirSync(directory, { recursive: true });
    scratch = Deno.makeTempDirSync({ dir: directory, prefix: ".installing-" });
  } catch (error) {
    throw new Error(`cannot write to ${quote(directory)}: ${systemReason(error)}`);
  }
  try {
    const written = join(scratch, `${origin.name}.wasm`);
    Deno.writeFileSync(written, origin.module);
    if (origin.manifest !== undefined) {
      Deno.writeFileSync(manifestPath(written), origin.manifest);
    }
    const contents = await tryPlugin(origin.name, written);
    put(origin.manifest, manifestPath(written), manifestPath(file));
    put(origin.module, written, file);
    return contents;
  } catch (error) {
    // What is wrong is in what was given, and not in the copy of it.
    throw new Error(errorText(error).replaceAll(join(scratch, "/"), ""));
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}

/** @throws {Error} If it would not load, whatever it were granted and told. */
async function tryPlugin(name: string, file: string): Promise<PluginContents> {
  const { others } = unconfiguredPlugins();
  const contents = await readPlugin({ name, file, settings: others });
  const { permissions, hosts } = contents.manifest;
  try {
    const loaded = await loadPlugin({ name, file, settings: { ...others, permissions, hosts } });
    using _started = await Trial.start(loaded, others.kvMax);
  } catch (error) {
    // What it has to be told, only the configuration can say.
    const isUntold = error instanceof PluginRefusedError && error.result === "configuration";
    if (!isUntold) throw error;
  }
  return contents;
}

/** Moves what was written to its place, where what is there and is another is kept as .bak. */
function put(bytes: Uint8Array | undefined, written: string, file: string): void {
  if (isOther(file, bytes)) Deno.copyFileSync(file, `${file}.bak`);
  if (bytes !== undefined) Deno.renameSync(written, file);
  else if (isOther(file, bytes)) Deno.removeSync(file);
}

/** Whether a file is there and has not these bytes. */
function isOther(file: string, bytes: Uint8Array | undefined): boolean {
  try {
    return hashOf(Deno.readFileSync(file)) !== (bytes === undefined ? "" : hashOf(bytes));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new Error(`cannot read ${quote(file)}: ${systemReason(error)}`);
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function errorText(error: unknown): string {
  return error instanceof PluginRefusedError ? refusalText(error, false) : messageOf(error);
}

function uncheckedText({ name }: Origin, { sha256 }: PluginContents): string {
  return `WARNING: nothing says which SHA-256 ${name}.wasm should have: neither --sha256, nor ` +
    `${SUMS_FILE}\nor ${name}.wasm.sha256 beside it. What was installed has ${sha256}.\n`;
}

function installedText(
  origin: Origin,
  file: string,
  { sha256, onFailure, manifest }: PluginContents,
  checked: string | undefined,
): string {
  const { name } = origin;
  const { version, permissions, hosts, configuration } = manifest;
  const what = `${name} ${version}`.trim();
  const beside = origin.manifest === undefined ? "" : ` and ${manifestPath(file)}`;
  const lines = [
    `installed ${what} as ${file}${beside}`,
    ...(checked === undefined ? [] : [`SHA-256 ${sha256}, as ${checked} says`]),
    "",
    permissions.length + hosts.length === 0
      ? "It asks for nothing. To have this file and no other, write in sluice.yaml:"
      : `It asks for ${listed([...permissions, ...hosts])}. To grant that, write in sluice.yaml:`,
    "",
    "plugins:",
    `  ${name}:`,
    `    sha256: ${sha256}`,
    ...(permissions.length === 0 ? [] : [`    permissions: [${permissions.join(", ")}]`]),
    ...(hosts.length === 0 ? [] : [`    hosts: [${hosts.map((one) => `"${one}"`).join(", ")}]`]),
    ...(configuration?.hasKeys === true ? ["    config: {} # as its manifest says"] : []),
    ...(onFailure === "open" ? [] : ["", CLOSED_TEXT]),
  ];
  return `${lines.join("\n")}\n`;
}
