/**
 * `sluice plugin new`.
 *
 * @module
 */

import { join } from "node:path";
import { systemReason } from "../../base/errors.ts";
import { nearest } from "../../base/suggest.ts";
import { PLUGIN_NAME_PATTERN, PLUGIN_NAME_RULE } from "../../config/plugin_keys.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { print, printError } from "../terminal.ts";
import { buildCommand, type Language, LANGUAGES, projectFiles } from "./project.ts";

/** What to make. */
export interface NewOptions {
  readonly lang: string;
  /** Where; the plugin's name unless it is given. */
  readonly dir?: string;
}

/** What users write for a language beside its name. */
const OTHER_NAMES: Readonly<Record<string, Language>> = {
  as: "assemblyscript",
  golang: "go",
  rs: "rust",
};

/** Makes a project that builds. Nothing that is there is written over. */
export function newPlugin(name: string, { lang, dir = name }: NewOptions): ExitCode {
  if (!new RegExp(PLUGIN_NAME_PATTERN).test(name)) {
    const what = JSON.stringify(name);
    printError(`sluice: ${what} cannot be a plugin's name; take ${PLUGIN_NAME_RULE}\n`);
    return EXIT.usage;
  }
  const language = LANGUAGES.find((one) => one === lang) ?? OTHER_NAMES[lang];
  if (language === undefined) {
    const guess = nearest(lang, LANGUAGES);
    const hint = guess === undefined ? "" : `; did you mean ${guess}?`;
    printError(
      `sluice: there is no SDK for ${JSON.stringify(lang)}${hint} (${LANGUAGES.join(", ")})\n`,
    );
    return EXIT.usage;
  }
  try {
    if (!isFree(dir)) {
      printError(`sluice: ${dir} is not empty; name another folder with --dir\n`);
      return EXIT.failed;
    }
    writeFiles(dir, projectFiles(language, name));
  } catch (error) {
    printError(`sluice: cannot make ${dir}: ${systemReason(error)}\n`);
    return EXIT.failed;
  }
  print(nextSteps(language, name, dir));
  return EXIT.ok;
}

function isFree(folder: string): boolean {
  try {
    return Deno.readDirSync(folder)[Symbol.iterator]().next().done === true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

function writeFiles(folder: string, files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    const file = join(folder, path);
    Deno.mkdirSync(join(file, ".."), { recursive: true });
    Deno.writeTextFileSync(file, text, { createNew: true });
  }
}

function nextSteps(language: Language, name: string, folder: string): string {
  return `made ${folder}; its README.md says what it needs. Build and check it:\n\n` +
    `  cd ${shellWord(folder)} && ${buildCommand(language, name)}\n` +
    `  sluice plugin check ${name}.wasm\n`;
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
