/**
 * Unpacks a tar stream into a folder, for archives made by npm: regular files and folders, and
 * nothing else. What is not understood is refused rather than skipped.
 *
 * An archive is a sequence of entries, each a header block and its content in whole blocks:
 *
 *     | header: 512 bytes | content: size bytes | zeros up to the next multiple of 512 |
 *
 * Source: POSIX.1-2017, `pax`, "ustar Interchange Format",
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 *
 * @module
 */

import { dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";

/** What an archive may contain. */
export interface TarLimits {
  /** Files and folders together. */
  readonly entriesMax: number;
  /** Bytes of all files together, unpacked. */
  readonly sizeMax: number;
}

const BLOCK_SIZE = 512;

/** Any of the three executable bits, as in <sys/stat.h>. */
const EXECUTABLE_BITS = 0o111;

interface TarEntry {
  readonly kind: "file" | "folder";
  /** Relative, with `/`, already found safe. */
  readonly path: string;
  readonly size: number;
  readonly isExecutable: boolean;
}

/**
 * Writes the entries of `archive` below `folder`, which must be new and empty. Everything is
 * readable by all users, whatever the umask says, since the server may run as another user.
 *
 * @throws {EmbeddedPostgresError} If the archive is cut, damaged, above a limit, or has an entry
 * that is a link, a device, there twice, or outside of the folder.
 */
export async function unpackTar(
  archive: ReadableStream<Uint8Array>,
  folder: string,
  limits: TarLimits,
): Promise<void> {
  const source = new BlockSource(archive);
  const folders = new Set<string>();
  let entries = 0;
  let size = 0;
  try {
    while (true) {
      const header = await source.readBlock();
      // Two zero blocks end an archive; the second says nothing that the first does not.
      if (header === undefined || header.every((byte) => byte === 0)) return;
      const entry = parseHeader(header);
      entries += 1;
      size += entry.size;
      if (entries > limits.entriesMax || size > limits.sizeMax) {
        throw refusal(
          `it must have at most ${limits.entriesMax} entries and ${limits.sizeMax} bytes`,
        );
      }
      const isFolder = entry.kind === "folder";
      await makeFolder(folder, isFolder ? entry.path : dirname(entry.path), folders);
      if (!isFolder) await writeFile(join(folder, entry.path), entry, source);
    }
  } finally {
    await source.close();
  }
}

/**
 * True for a relative path with `/` that cannot leave the folder it is joined to, on any operating
 * system: no `..`, no empty segment, no drive, no backslash, no control character.
 */
export function isSafePath(path: string): boolean {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (path.length === 0 || /[\\:\u0000-\u001f]/.test(path)) return false;
  return path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

async function makeFolder(root: string, path: string, made: Set<string>): Promise<void> {
  if (path === "." || made.has(path)) return;
  await makeFolder(root, dirname(path), made);
  const folder = join(root, path);
  await Deno.mkdir(folder);
  if (Deno.build.os !== "windows") await Deno.chmod(folder, 0o755);
  made.add(path);
}

async function writeFile(path: string, entry: TarEntry, source: BlockSource): Promise<void> {
  let file: Deno.FsFile;
  try {
    // createNew also never follows a link, so a file lands nowhere else.
    file = await Deno.open(path, { write: true, createNew: true });
  } catch (thrown) {
    if (thrown instanceof Deno.errors.AlreadyExists) throw refusal(`${entry.path} is there twice`);
    throw thrown;
  }
  try {
    let sizeLeft = entry.size;
    while (sizeLeft > 0) {
      const bytes = await source.read(sizeLeft);
      for (let written = 0; written < bytes.length;) {
        written += await file.write(bytes.subarray(written));
      }
      sizeLeft -= bytes.length;
    }
  } finally {
    file.close();
  }
  await source.skip((BLOCK_SIZE - entry.size % BLOCK_SIZE) % BLOCK_SIZE);
  if (Deno.build.os !== "windows") await Deno.chmod(path, entry.isExecutable ? 0o755 : 0o644);
}

function parseHeader(header: Uint8Array): TarEntry {
  // The checksum counts its own eight bytes as spaces.
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK_SIZE; i += 1) if (i < 148 || i >= 156) sum += header[i]!;
  if (sum !== octal(header, 148, 8)) throw refusal("a header's checksum is wrong");

  const type = String.fromCharCode(header[156]!);
  const isUstar = text(header, 257, 5) === "ustar";
  const prefix = isUstar ? text(header, 345, 155) : "";
  const name = text(header, 0, 100);
  const path = (prefix === "" ? name : `${prefix}/${name}`).replace(/\/$/, "");
  if (!isSafePath(path)) throw refusal(`the path ${JSON.stringify(path)} is not safe`);
  if (type !== "0" && type !== "\0" && type !== "5") {
    throw refusal(`${path} must be a file or a folder, and its type is ${JSON.stringify(type)}`);
  }
  return {
    kind: type === "5" ? "folder" : "file",
    path,
    size: type === "5" ? 0 : octal(header, 124, 12),
    isExecutable: (octal(header, 100, 8) & EXECUTABLE_BITS) !== 0,
  };
}

function text(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function octal(header: Uint8Array, start: number, length: number): number {
  const digits = text(header, start, length).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw refusal("a number in a header is not octal");
  return parseInt(digits, 8);
}

function refusal(rule: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(`Cannot unpack the PostgreSQL archive: ${rule}`);
}

/** Gives the bytes of a stream in the pieces that the format asks for. */
class BlockSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** What came and is not yet given away. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** One block, or undefined at the end of the stream. */
  async readBlock(): Promise<Uint8Array | undefined> {
    if (!await this.#fill()) return undefined;
    const block = new Uint8Array(BLOCK_SIZE);
    for (let filled = 0; filled < BLOCK_SIZE;) {
      const bytes = await this.read(BLOCK_SIZE - filled);
      block.set(bytes, filled);
      filled += bytes.length;
    }
    return block;
  }

  /** 1 to `sizeMax` bytes: a view, good until the next call. */
  async read(sizeMax: number): Promise<Uint8Array> {
    if (!await this.#fill()) throw refusal("it ends in the middle of an entry");
    const bytes = this.#rest.subarray(0, sizeMax);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  async skip(size: number): Promise<void> {
    for (let left = size; left > 0;) left -= (await this.read(left)).length;
  }

  async close(): Promise<void> {
    // The stream may have failed, which the caller was already told by a read.
    await this.#reader.cancel().catch(() => {});
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return false;
      this.#rest = value;
    }
    return true;
  }
}
