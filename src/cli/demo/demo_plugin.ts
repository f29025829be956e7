/**
 * The plugin that the demo's gateway runs. Its source is `demo_plugin.wat`: who only wants to see
 * the demo has no assembler, so that what it makes is here as text, and a test keeps both equal.
 *
 * @module
 */

import { join } from "node:path";
import { fromBase64 } from "../../base/base64.ts";

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

/** A folder in the system's folder for temporary files, which is gone when this is disposed of. */
export class PluginFolder implements Disposable {
  #path: string | undefined;

  /**
   * Makes the folder, with the plugin `demo` and its manifest in it.
   *
   * @returns Its absolute path.
   * @throws {Error} If nothing can be written there.
   */
  make(): string {
    this.#path = Deno.makeTempDirSync({ prefix: "sluice-demo-plugins-" });
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
