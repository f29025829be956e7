/**
 * The files of a new plugin: a template of its language under the plugin's own name, and the SDK.
 *
 * @module
 */

import templates from "./templates.json" with { type: "json" };

/** Languages that there is an SDK for. */
export type Language = keyof typeof templates;

/** In the order in which they are shown. */
export const LANGUAGES: readonly Language[] = ["rust", "go", "assemblyscript", "c", "zig"];

/** What is typed in a project's folder to build its module. */
const BUILD_COMMANDS: Readonly<Record<Language, string>> = {
  rust: "make",
  go: "make",
  assemblyscript: "npm run build",
  c: "make",
  zig: "zig build-exe plugin.zig -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic" +
    " -fstrip -femit-bin=hello.wasm",
};

/**
 * Every file of a project, by its path in the project's folder.
 *
 * @param name As `plugins.NAME` may be called.
 */
export function projectFiles(language: Language, name: string): ReadonlyMap<string, string> {
  return new Map(
    Object.entries<string>(templates[language]).map(([path, text]) =>
      path.startsWith("sluice/")
        ? [path, text]
        : [path === "hello.yaml" ? `${name}.yaml` : path, renamed(text, name)]
    ),
  );
}

/** What makes the module, as one line for a shell. */
export function buildCommand(language: Language, name: string): string {
  return renamed(BUILD_COMMANDS[language], name);
}

/** Names of files and packages become the plugin's; what the example says stays as it is. */
function renamed(text: string, name: string): string {
  return text
    // What cargo makes is named as Rust names things.
    .replaceAll("/release/hello.wasm", `/release/${name.replaceAll("-", "_")}.wasm`)
    .replaceAll(/\bhello\.(wasm|yaml)\b/g, `${name}.$1`)
    .replace(/^name: hello$/m, `name: ${name}`)
    .replace(/^name = "hello"$/m, `name = "${name}"`)
    // A module called `log` would be taken for Go's own package; names below `example` are free.
    .replace(/^module hello$/m, `module example/${name}`);
}
