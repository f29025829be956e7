/**
 * The program's own source files, for tests that read them as text.
 *
 * @module
 */

/** The top of the tree. */
const ROOT = new URL("../../", import.meta.url);

/** One file. */
export interface Source {
  /** From the top of the tree, with "/" between folders: "src/base/bytes.ts". */
  readonly path: string;
  readonly text: string;
}

/** Every TypeScript file below these folders and files; folders that do not exist have none. */
export async function sources(...paths: readonly string[]): Promise<Source[]> {
  const found: Source[] = [];
  for (const path of paths) await collect(path, found);
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

async function collect(path: string, found: Source[]): Promise<void> {
  const url = new URL(path, ROOT);
  const info = await Deno.stat(url).catch(() => undefined);
  if (info?.isFile && path.endsWith(".ts")) {
    found.push({ path, text: await Deno.readTextFile(url) });
  }
  if (!info?.isDirectory) return;
  for await (const entry of Deno.readDir(url)) {
    // AssemblyScript has the ending of TypeScript, and other rules.
    if (!["node_modules", "assembly"].includes(entry.name)) {
      await collect(`${path}/${entry.name}`, found);
    }
  }
}

/**
 * `text` with comments, strings and regular expressions blanked out, so that braces and words in
 * them do not count. Lines and columns stay where they are. Code inside of `${...}` stays.
 */
export function codeOf(text: string): string {
  const code = [...text];
  /** One entry for each `${` that is open: how many braces are open within it. */
  const templates: number[] = [];
  let at = 0;
  const blank = (until: number) => {
    for (; at < until; at++) if (code[at] !== "\n") code[at] = " ";
  };
  const template = () => {
    code[at] = " "; // a backtick, or the brace that ends ${...}
    for (at += 1; at < text.length; at += 1) {
      if (text[at] === "\\") code[at++] = " ";
      else if (text[at] === "`") return blank(at + 1);
      else if (text.startsWith("${", at)) {
        templates.push(0);
        return blank(at + 2);
      }
      if (code[at] !== "\n") code[at] = " ";
    }
  };
  // Iterating over UTF-16 units: `code` must be indexed as `text` is.
  code.splice(0, code.length, ...text.split(""));
  while (at < text.length) {
    const character = text[at]!;
    if (text.startsWith("//", at)) blank(endOf(text, at, "\n"));
    else if (text.startsWith("/*", at)) blank(endOf(text, at + 2, "*/") + 2);
    else if (character === '"' || character === "'") blank(endOfQuoted(text, at));
    else if (character === "/" && beginsRegExp(text, at)) blank(endOfRegExp(text, at));
    else if (character === "`") template();
    else if (character === "}" && templates.at(-1) === 0) {
      templates.pop();
      template();
    } else {
      const open = templates.length - 1;
      if (open >= 0 && character === "{") templates[open]! += 1;
      if (open >= 0 && character === "}") templates[open]! -= 1;
      at += 1;
    }
  }
  return code.join("");
}

function endOf(text: string, from: number, mark: string): number {
  const end = text.indexOf(mark, from);
  return end < 0 ? text.length : end;
}

function endOfQuoted(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== text[start]) at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** A slash divides behind a value, and begins a regular expression behind anything else. */
function beginsRegExp(text: string, at: number): boolean {
  const before = text.slice(0, at).trimEnd();
  return !/[\w$)\]}]$/.test(before) || /\b(return|typeof|case|in|of)$/.test(before);
}

function endOfRegExp(text: string, start: number): number {
  let isInClass = false;
  let at = start + 1;
  for (; at < text.length && (isInClass || text[at] !== "/"); at++) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "[") isInClass = true;
    else if (text[at] === "]") isInClass = false;
  }
  return at + 1;
}
