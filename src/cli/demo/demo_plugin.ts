/**
 * The plugin that the demo's gateway runs. Its source is `demo_plugin.wat`: who only wants to see
 * the demo has no assembler, so that what it makes is here as text, and a test keeps both equal.
 *
 * @module
 */

import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBase64 } from "../../base/base64.ts";
import { isRunning } from "./process_tree.ts";

/** The module, in base64. */
export const DEMO_PLUGIN = [
  "AGFzbQEAAAABJQZgBH9/f38Bf2ADf39/AX9gAn9/AX9gAn98AX9gAAF/YAF/AX8CYwUGc2x1aWNlBHJlYWQAAAZzbHVp",
  "Y2UNcmVzdWx0X2NvbHVtbgABBnNsdWljZQxyZXN1bHRfdmFsdWUAAgZzbHVpY2UGbWV0cmljAAEGc2x1aWNlDW1ldHJp",
  "Y19yZWNvcmQAAwMFBAQEBAUFAwEAAQYGAX8BQQALBzEEBm1lbW9yeQIADHNsdWljZV9ldmVudAAFC3NsdWljZV9pbml0",
  "AAYHb25RdWVyeQAHCpsBBAUAQYAICw8AQQBBwAFBDRADJABBAAtIAEGECCgCAEECcUUEQEEADwtBAUEAQYAQQRAQABAI",
  "RQRAQQAPCyMARAAAAAAAAPA/EAQaQeAAQQZBGRABGkGAAUEfEAIaQQILOgAgAEEPRwRAIABBEEdBjxAtAABBO0dyBEBB",
  "AA8LC0GAECkDAEHAACkDAFFBhxApAwBBxwApAwBRcQsLWgQAQcAACw9zZWxlY3QgcGx1Z2luKCkAQeAACwZwbHVnaW4A",
  "QYABCx9IZWxsbyBmcm9tIGEgV2ViQXNzZW1ibHkgcGx1Z2luAEHAAQsNYW5zd2Vyc190b3RhbA==",
].join("");

const MANIFEST = `name: demo
version: 1.0.0
description: Answers "select plugin()" itself, and counts how often it did.
permissions: [respond]
`;

/** What the folders are called, up to a random end: with the process that made each. */
const PREFIX = "sluice-demo-plugins-";
const NAME_PATTERN = /^sluice-demo-plugins-([1-9][0-9]{0,9})-[0-9a-z]+$/;

/** A folder in the system's folder for temporary files, which is gone when this is disposed of. */
export class PluginFolder implements Disposable {
  readonly #base: string;
  #path: string | undefined;

  /** @param base Where to make it. */
  constructor(base: string = tmpdir()) {
    this.#base = base;
  }

  /**
   * Makes the folder, with the plugin `demo` and its manifest in it. What demos have left that were
   * killed is removed.
   *
   * @returns Its absolute path.
   * @throws {Error} If nothing can be written there.
   */
  async make(): Promise<string> {
    await removeLeft(this.#base).catch(() => {}); // the next demo tries again
    this.#path = Deno.makeTempDirSync({ dir: this.#base, prefix: `${PREFIX}${Deno.pid}-` });
    Deno.writeFileSync(join(this.#path, "demo.wasm"), fromBase64(DEMO_PLUGIN)!);
    Deno.writeTextFileSync(join(this.#path, "demo.yaml"), MANIFEST);
    return this.#path;
  }

  [Symbol.dispose](): void {
    try {
      if (this.#path !== undefined) Deno.removeSync(this.#path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // somebody tidied up before
    }
  }
}

/**
 * Removes folders of this user's whose processes have ended without doing so. A gateway has read
 * its plugin when it has started, so that nobody is harmed whose process cannot be seen from here.
 */
async function removeLeft(base: string): Promise<void> {
  if (Deno.build.os === "windows") return; // which processes run is not known there
  for (const { name } of Deno.readDirSync(base)) {
    const processId = NAME_PATTERN.exec(name)?.[1];
    if (processId === undefined || await isRunning(Number(processId))) continue;
    const path = join(base, name);
    const { isDirectory, uid } = Deno.lstatSync(path);
    if (isDirectory && uid === Deno.uid()) Deno.removeSync(path, { recursive: true });
  }
}
