/**
 * Writes `src/cli/plugin/templates.json`, which `sluice plugin new` makes projects of: sources of
 * other languages cannot be put into the executable as they are. `deno task templates`.
 *
 * @module
 */

const SDKS = new URL("sdk/", import.meta.url);

/** Where what this page makes belongs. */
export const TEMPLATES_FILE = new URL("../src/cli/plugin/templates.json", import.meta.url);

/** Files and folders that building makes. */
const NO_SOURCE = /^(?:node_modules|\.zig-cache|zig-out|target|(?:deno|Cargo)\.lock|.*\.wasm)$/;

/**
 * Every file of a new project, by language and by its path in the project, as JSON: the template,
 * and the SDK's source in the folder `sluice`.
 */
export async function templatesText(): Promise<string> {
  const templates: Record<string, Readonly<Record<string, string>>> = {};
  for (const language of await namesIn(SDKS)) {
    const files = new Map<string, string>();
    await addFiles(new URL(`${language}/`, SDKS), "", files);
    templates[language] = Object.fromEntries(
      [...files].sort(([a], [b]) => a < b ? -1 : 1),
    );
  }
  return `${JSON.stringify(templates, null, 2)}\n`;
}

async function addFiles(folder: URL, path: string, files: Map<string, string>): Promise<void> {
  for (const name of await namesIn(folder)) {
    const inner = `${path}${name}`;
    const { isDirectory } = await Deno.stat(new URL(name, folder));
    if (isDirectory) await addFiles(new URL(`${name}/`, folder), `${inner}/`, files);
    else files.set(placeOf(inner), await Deno.readTextFile(new URL(name, folder)));
  }
}

function placeOf(path: string): string {
  return path.startsWith("template/") ? path.slice("template/".length) : `sluice/${path}`;
}

async function namesIn(folder: URL): Promise<readonly string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name).filter((name) => !NO_SOURCE.test(name)).sort();
}

if (import.meta.main) await Deno.writeTextFile(TEMPLATES_FILE, await templatesText());
