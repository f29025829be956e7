/**
 * Where a plugin is installed from: a file, a folder or a web server. All of it is read into
 * memory, within limits, before anything is written.
 *
 * @module
 */

import { basename, join } from "node:path";
import { systemReason } from "../../base/errors.ts";
import { formatSize } from "../../base/size.ts";
import { FILE_SIZE_MAX } from "../../config/declarations.ts";
import { PLUGIN_NAME_PATTERN, PLUGIN_NAME_RULE } from "../../config/plugin_keys.ts";
import { printable, quote } from "../../config/problems.ts";
import { manifestPath } from "../../plugins/plugin_loader.ts";
import { MODULE_SIZE_MAX } from "../../plugin_host/plugin_module.ts";
import { download, urlText } from "./download.ts";

/** A file with checksums of others, as `sha256sum` writes it. */
export const SUMS_FILE = "SHA256SUMS";

/** What is installed, and what says whether it is what was meant. */
export interface Origin {
  /** Of the plugin. */
  readonly name: string;
  readonly module: Uint8Array;
  readonly manifest: Uint8Array | undefined;
  /** Texts of files with checksums that are beside it, by their names. */
  readonly sums: ReadonlyMap<string, string>;
}

/** Reads one file of an origin. @returns Undefined if there is none. @throws {Error} */
type Reader = (fileName: string, sizeMax: number) => Promise<Uint8Array | undefined>;

/**
 * Reads everything of a plugin.
 *
 * @param source As the user wrote it.
 * @throws {Error} If it cannot be read, or is no plugin by its name; it says why.
 */
export async function readOrigin(source: string): Promise<Origin> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) return await readUrl(source);
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(source);
  } catch (error) {
    throw new Error(`cannot read ${quote(source)}: ${systemReason(error)}`);
  }
  const fileName = info.isDirectory ? moduleIn(source) : basename(source);
  const folder = info.isDirectory ? source : join(source, "..");
  return await readAll(fileName, (name, sizeMax) => readFile(join(folder, name), sizeMax));
}

async function readAll(fileName: string, read: Reader): Promise<Origin> {
  const name = fileName.replace(/\.wasm$/, "");
  if (name === fileName || !new RegExp(PLUGIN_NAME_PATTERN).test(name)) {
    const rule = `a plugin's file is called NAME.wasm, and a name is ${PLUGIN_NAME_RULE}`;
    throw new Error(`${quote(fileName)} cannot be installed: ${rule}`);
  }
  const module = await read(fileName, MODULE_SIZE_MAX);
  if (module === undefined) throw new Error(`there is no ${quote(fileName)}`);
  const manifest = await read(manifestPath(fileName), FILE_SIZE_MAX);
  const sums = new Map<string, string>();
  for (const sumsName of [SUMS_FILE, `${fileName}.sha256`]) {
    const bytes = await read(sumsName, FILE_SIZE_MAX);
    if (bytes !== undefined) sums.set(sumsName, new TextDecoder().decode(bytes));
  }
  return { name, module, manifest, sums };
}

/** The one module in a folder, or the one that is called as the folder is. */
function moduleIn(folder: string): string {
  const modules = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".wasm"));
  const own = `${basename(folder)}.wasm`;
  if (modules.includes(own)) return own;
  if (modules.length === 1) return modules[0]!;
  const there = modules.length === 0 ? "no .wasm file" : `${modules.length} .wasm files`;
  throw new Error(`${quote(folder)} has ${there}; name the one to install`);
}

async function readFile(path: string, sizeMax: number): Promise<Uint8Array | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    // A pipe or a device could block, or never end.
    if (!isFile) throw new Error("it is no regular file");
    if (size > sizeMax) throw new Error(`it is larger than ${formatSize(sizeMax)}`);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`cannot read ${quote(path)}: ${printable(systemReason(error))}`);
  }
}

async function readUrl(source: string): Promise<Origin> {
  const url = URL.parse(source);
  if (url === null) throw new Error("the source is no valid URL");
  const last = url.pathname.split("/").at(-1)!;
  let fileName: string;
  try {
    fileName = decodeURIComponent(last);
  } catch {
    throw new Error(`${quote(urlText(url))} has no valid name of a file`);
  }
  return await readAll(fileName, async (name, sizeMax) => {
    const beside = new URL(url);
    const path = url.pathname.slice(0, url.pathname.length - last.length);
    beside.pathname = `${path}${encodeURIComponent(name)}`;
    return await download(beside, sizeMax);
  });
}
