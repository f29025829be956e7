/**
 * Files that a configuration names: certificates, users, rules, limits. Each is read once, however
 * many groups name it, and what is wrong with it is reported where it is named.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path";
import { systemReason } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { type Place, printable, type Problems, quote } from "./problems.ts";

/** A file that was read. */
export interface ReadFile {
  readonly text: string;
  /** Permission bits; null where the system has none. */
  readonly mode: number | null;
}

/** Reads a file of at most `sizeMax` bytes, or throws an Error that says why it cannot. */
export type FileReader = (path: string, sizeMax: number) => ReadFile;

/** Takes the text of a file apart. */
export type FileParser<T> = (text: string, fileName: string, problems: Problems) => T;

/**
 * Reads a file from the disk.
 *
 * @throws {Error} when it cannot be read, is too large, or is no text in UTF-8.
 */
export function readFromDisk(path: string, sizeMax: number): ReadFile {
  const { isFile, size, mode } = Deno.statSync(path);
  // A pipe or a device could block, or never end.
  if (!isFile) throw new Error("it is no regular file");
  if (size > sizeMax) throw new Error(`it is larger than ${formatSize(sizeMax)}`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
    return { text, mode };
  } catch (error) {
    throw error instanceof TypeError ? new Error("it is no text in UTF-8") : error;
  }
}

/** A file that a key names. */
export interface NamedFile {
  /** As `resolve` returned it, not "". */
  readonly path: string;
  /** Of the key that names it. */
  readonly place: Place;
  readonly sizeMax: number;
  /** True when nobody else on this machine should be able to read it. */
  readonly isSecret: boolean;
}

/** The files that one configuration names. */
export class ConfigFiles {
  readonly #reader: FileReader;
  readonly #folder: string;
  readonly #problems: Problems;
  readonly #notes: Problems;
  /** What was made of a file, by its path and by the function that did. */
  readonly #parsed = new Map<string, Map<unknown, unknown>>();

  /**
   * @param configFile Path of the configuration file, whose folder relative paths start from; ""
   * for the working directory.
   */
  constructor(reader: FileReader, configFile: string, problems: Problems, notes: Problems) {
    this.#reader = reader;
    this.#folder = dirname(configFile);
    this.#problems = problems;
    this.#notes = notes;
  }

  /** Returns the path of a file as it is written in the configuration; "" stays "". */
  resolve(path: string): string {
    return path === "" || isAbsolute(path) ? path : join(this.#folder, path);
  }

  /**
   * Returns what `parse` makes of a file, or undefined when it cannot be read. A file that was read
   * for the same function before is not read again, so that its mistakes are reported once.
   */
  read<T>(file: NamedFile, parse: FileParser<T>): T | undefined {
    const { path, place, sizeMax, isSecret } = file;
    let byParser = this.#parsed.get(path);
    if (byParser?.has(parse)) return byParser.get(parse) as T;
    let found: ReadFile;
    try {
      found = this.#reader(path, sizeMax);
    } catch (error) {
      this.#problems.add(place, `cannot read ${quote(path)}: ${printable(systemReason(error))}`);
      return undefined;
    }
    // S_IROTH, <sys/stat.h>: others may read.
    if (isSecret && found.mode !== null && (found.mode & 0o004) !== 0) {
      const advice = `make it unreadable for others: chmod o-r ${printable(path)}`;
      this.#notes.add(place, `every user of this machine can read ${quote(path)}; ${advice}`);
    }
    const value = parse(found.text, path, this.#problems);
    if (byParser === undefined) {
      byParser = new Map();
      this.#parsed.set(path, byParser);
    }
    byParser.set(parse, value);
    return value;
  }
}
