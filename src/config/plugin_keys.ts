/**
 * Keys of `plugins`, and of each plugin in it.
 *
 * @module
 */

import { formatSize } from "../base/size.ts";
import { PERMISSIONS } from "../base/permissions.ts";
import { freeKeys } from "./free_keys.ts";
import { key } from "./key.ts";
import { bool, duration, int, oneOf, size } from "./key_types.ts";
import { listOf } from "./list_type.ts";
import { path, text } from "./text_types.ts";

/** Keys of `plugins` itself. */
export const PLUGINS_KEYS = {
  directory: key(
    path(1),
    "./plugins",
    "Folder whose .wasm files are loaded, and watched while the gateway runs.",
  ),
  enabled: key(bool(), "true", "Whether any plugin is loaded."),
  tickInterval: key(duration("10ms", "1h"), "1s", "How often onTick is called in each worker."),
};

/** What a plugin may be called. Names become values of metric labels, so they are bounded. */
export const PLUGIN_NAME_PATTERN = `^(?!(?:${Object.keys(PLUGINS_KEYS).join("|")})$)` +
  "[A-Za-z][A-Za-z0-9_-]{0,62}$";

/** {@linkcode PLUGIN_NAME_PATTERN} in words. */
export const PLUGIN_NAME_RULE = "1 to 63 letters, digits, _ and -, a letter first, and no key";

/** Whom a plugin may send HTTP requests to. */
export const HOST = text(
  "a host as in a URL, with the port if it is not the usual one",
  "^([a-z0-9._-]{1,253}|\\[[0-9a-f:.]{2,45}\\])(:[0-9]{1,5})?$",
);

/** Units that a call may use where nobody says otherwise. */
export const FUEL_PER_CALL = 5_000_000;

/** Bytes of memory that an instance may have where nobody says otherwise. */
export const MEMORY_MAX = 16 * 1_048_576;

/** Keys of `plugins.NAME`. */
export const PLUGIN_KEYS = {
  file: key(
    path(),
    "",
    "The module. A name without / is a file in plugins.directory; empty is the group's name and " +
      ".wasm.",
  ),
  enabled: key(bool(), "true", "Whether the plugin is loaded."),
  sha256: key(
    text("64 hexadecimal digits, or nothing", "^([0-9A-Fa-f]{64})?$"),
    "",
    "SHA-256 that the file must have. Empty takes any.",
  ),
  priority: key(int(0, 10_000), "100", "Plugins are called in this order, lower numbers first."),
  onFailure: key(
    oneOf("open", "closed"),
    "open",
    "What becomes of traffic when the plugin fails: it goes on without the plugin, or is " +
      "refused. Where it is not written, the manifest of a plugin that may reject may say closed.",
  ),
  fuelPerCall: key(
    int(1_000, 1_000_000_000_000),
    String(FUEL_PER_CALL),
    "Units that one call may use, about one for each instruction. Where it is not written, the " +
      "plugin's manifest may ask for up to 10 times the default, and so it may for memoryMax.",
  ),
  memoryMax: key(
    size(65_536, 1_073_741_824),
    formatSize(MEMORY_MAX),
    "Memory that each instance may have, down to whole pages of 64 KiB.",
  ),
  outputMax: key(size(1_024, 1_073_741_824), "16MiB", "Bytes that one call may write."),
  kvMax: key(
    size(65_536, 1_073_741_824),
    "1MiB",
    "Size of the plugin's key-value store, which all workers share.",
  ),
  maxFailures: key(
    int(0, 1_000_000),
    "10",
    "Failures within failureWindow in one worker that switch it off there. 0 never does.",
  ),
  failureWindow: key(duration("1s", "24h"), "1m", "How long a failure counts."),
  permissions: key(
    listOf(oneOf(...PERMISSIONS), "words", PERMISSIONS.length),
    { kind: "empty list" },
    "What the plugin may do beside looking and counting. One that asks for more is not loaded.",
  ),
  hosts: key(
    listOf(
      HOST,
      "hosts",
      100,
    ),
    { kind: "empty list" },
    "Whom it may send HTTP requests to.",
  ),
  config: key(
    freeKeys(),
    { kind: "empty keys" },
    "What the plugin itself is told. Its manifest says which keys there are.",
  ),
};

/** Bytes in a page of WebAssembly's memory. */
const PAGE_SIZE = 65_536;

/** Returns how much of a size is whole pages. */
export function wholePages(size: number): number {
  return size - size % PAGE_SIZE;
}
