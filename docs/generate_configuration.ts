/**
 * Writes `docs/configuration.md`: `deno run -A docs/generate_configuration.ts`.
 *
 * @module
 */

import { configReference } from "../src/config/reference.ts";

await Deno.writeTextFile(new URL("configuration.md", import.meta.url), configReference());
