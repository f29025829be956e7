/**
 * What this is a build of.
 *
 * @module
 */

import manifest from "../deno.json" with { type: "json" };

/** Sluice's version, as in deno.json: "MAJOR.MINOR.PATCH". */
export const VERSION: string = manifest.version;
