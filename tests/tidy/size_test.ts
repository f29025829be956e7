/**
 * The parts of the style that a machine can check: sizes, doc comments, and what has no place in
 * this tree.
 *
 * @module
 */

import { deepEqual, ok } from "node:assert/strict";
import { codeOf, type Source, sources } from "../support/sources.ts";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const COLUMNS_MAX = 100;

/** Addresses, and the names of tests: a sentence is found again when it stands on one line. */
const UNBREAKABLE = /https?:\/\/|^\s*(?:await )?(?:Deno\.test|\w*[oO]nEach\w+)\(|^\s*name: "/;

type Check = (source: Source) => string[];

/** `path:line` of the character at `index`. */
function place({ path, text }: Source, index: number): string {
  return `${path}:${text.slice(0, index).split("\n").length}`;
}

function longFiles({ path, text }: Source): string[] {
  const lines = text.split("\n").length - 1;
  return lines > FILE_LINES_MAX ? [`${path}: ${lines} lines`] : [];
}

function longLines({ path, text }: Source): string[] {
  return text.split("\n").flatMap((line, i) =>
    [...line].length > COLUMNS_MAX && !UNBREAKABLE.test(line) ? [`${path}:${i + 1}`] : []
  );
}

/** Functions and methods with a name, by their braces. What stands inside counts for both. */
function longFunctions(source: Source): string[] {
  const code = codeOf(source.text);
  const modifiers = "(?:static |async |get |set |\\*)*";
  const names = `(?:\\bfunction\\b\\*?\\s*[\\w$]*|^ {2,}${modifiers}#?[\\w$[\\].]+)`;
  const heads = new RegExp(`${names}\\s*(?:<[^<>()]*>)?\\(`, "gm");
  const wrong: string[] = [];
  for (const { index, 0: head } of code.matchAll(heads)) {
    if (/^\s*(?:if|for|while|switch|catch|return|super|throw|await|new)\b/.test(head)) continue;
    const body = bodyOf(code, index + head.length - 1);
    if (body === undefined) continue;
    const lines = code.slice(index, body.end).trimStart().split("\n").length;
    if (lines > FUNCTION_LINES_MAX) wrong.push(`${place(source, index)}: ${lines} lines`);
  }
  return wrong;
}

/** The braces of the function whose parameters open at `parenthesis`, unless it has no body. */
function bodyOf(code: string, parenthesis: number): { end: number } | undefined {
  let at = closing(code, parenthesis);
  // The result's type may have braces of its own; a body's brace is the last before the line ends.
  const rest = code.slice(at);
  const opening = /^\)(?:\s*:[^;=]*?)?\s*\{[ \t]*(?=\n|\})/.exec(rest);
  if (opening === null) return undefined;
  at += opening[0].lastIndexOf("{");
  return { end: closing(code, at) + 1 };
}

/** Where the bracket that opens at `start` is closed. */
function closing(code: string, start: number): number {
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    if ("([{".includes(code[at]!)) depth += 1;
    if (")]}".includes(code[at]!)) depth -= 1;
    if (depth === 0) return at;
  }
  return code.length;
}

function undocumentedExports(source: Source): string[] {
  const code = codeOf(source.text);
  const kinds = "(?:abstract )?(?:const|function|class|interface|type|let)";
  const forms = new RegExp(`^export (?:default )?(?:async )?${kinds}\\b\\*?`, "gm");
  return [...code.matchAll(forms)].filter(({ index }) => {
    // A type next to the function that it describes may stand behind an ignore comment.
    const before = source.text.slice(0, index).replace(/(?:^\/\/ deno-.*\n)+$/m, "").trimEnd();
    const isOverload = /^export function[^{]*;$/m.test(before.split("\n").at(-1)!);
    return !before.endsWith("*/") && !isOverload;
  }).map(({ index }) => place(source, index));
}

/** The file's own comment comes first and says `@module`. */
function withoutModuleComment({ path, text }: Source): string[] {
  const comment = /^(?:#!.*\n)?\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
  const words = comment.replaceAll(/[/*\s]|@module/g, "");
  return comment.includes("@module") && words.length > 5 ? [] : [path];
}

/** Words that no file may hold in its code or in its comments. */
const FORBIDDEN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["unfinished work", new RegExp(`\\b(?:${["TO", "DO|FIX", "ME|X", "XX"].join("")})\\b`)],
  ["a path of a developer's machine", /(?:^|[^\w.])\/work\/\w|\/tmp\/deno\d/],
  ["a tool's own comment", /@ts-(?:ig[n]ore|no[c]heck)|deno-lint-ignore[-]file/],
];

/** What the code, without strings and comments, may not use. */
const FORBIDDEN_CODE: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["console", /\bconsole\s*[.[]/],
  ["enum", /^\s*(?:export )?(?:const )?enum\s/m],
  ["namespace", /^\s*(?:export )?(?:declare )?namespace\s/m],
  ["private, which is #", /^\s*(?:private|protected|public)\s+(?!constructor)/m],
  ["any", /[:<,|&]\s*any\b|\bas any\b/],
  ["inheritance from other than Error", /\bclass\b[^{]*?\sextends\s+(?!\w*Error\b)/],
];

function forbidden(source: Source): string[] {
  const code = codeOf(source.text);
  const find = (text: string, what: string, pattern: RegExp) =>
    [...text.matchAll(new RegExp(pattern, `${pattern.flags}g`))].map(({ index }) =>
      `${place(source, index)}: ${what}`
    );
  return [
    ...FORBIDDEN.flatMap(([what, pattern]) => find(source.text, what, pattern)),
    ...FORBIDDEN_CODE.flatMap(([what, pattern]) => find(code, what, pattern)),
  ];
}

const PROGRAM = ["src", "main.ts"] as const;
const ALL = ["src", "main.ts", "bench", "tests", "docs", "wit"] as const;

const CHECKS: readonly (readonly [name: string, check: Check, paths: readonly string[]])[] = [
  [`Files have at most ${FILE_LINES_MAX} lines`, longFiles, ALL],
  [`Lines have at most ${COLUMNS_MAX} columns`, longLines, ALL],
  [`Functions have at most ${FUNCTION_LINES_MAX} lines`, longFunctions, ALL],
  ["Exports are documented", undocumentedExports, [...PROGRAM, "bench", "tests/support"]],
  ["Files begin with a comment on the module", withoutModuleComment, [
    ...PROGRAM,
    "bench",
    "tests/support",
  ]],
  ["Sources hold nothing that is forbidden", forbidden, ALL],
];

for (const [name, check, paths] of CHECKS) {
  Deno.test(name, async () => {
    const all = await sources(...paths);
    ok(all.length > 0);
    deepEqual(all.flatMap(check), []);
  });
}

Deno.test("codeOf blanks strings, comments and regular expressions, and keeps the rest", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['a("{") // }', "a(   )     "],
    ["a /* { */ b", "a         b"],
    ["x = /[/}]/g.test(y)", "x =       g.test(y)"],
    ["a / b / c", "a / b / c"],
    ["`{${f({ a: `}` })}}` + {}", "f({ a: }) + {}"],
    ["'\\'{' + {}", "        ".slice(2) + " + {}"],
  ];
  for (const [text, code] of cases) {
    const found = codeOf(text);
    deepEqual(found.replaceAll(/\s+/g, " ").trim(), code.replaceAll(/\s+/g, " ").trim(), text);
    deepEqual(found.length, text.length, text);
  }
});

Deno.test("The checks notice what they are for", () => {
  const lines = (count: number) => "  x();\n".repeat(count);
  const source = (text: string): Source => ({ path: "src/a.ts", text });
  const cases: readonly (readonly [Check, string, number])[] = [
    [longFiles, "\n".repeat(401), 1],
    [longFiles, "\n".repeat(400), 0],
    [longLines, `${"x".repeat(101)}\n${"x".repeat(100)}`, 1],
    [longFunctions, `function f() {\n${lines(69)}}\n`, 1],
    [longFunctions, `function f(): { a: number } {\n${lines(68)}}\n`, 0],
    [longFunctions, `class A {\n  async #f<T>(a: { b: T }): Promise<T> {\n${lines(69)}  }\n}\n`, 1],
    [longFunctions, `class A {\n  get f() {\n${lines(69)}  }\n${lines(100)}}\n`, 1],
    [longFunctions, `const a = {\n${lines(100)}};\n`, 0],
    [undocumentedExports, "export const a = 1;\nexport async function f() {}\n", 2],
    [undocumentedExports, "/** A. */\nexport const a = 1;\n\n/** F. */\nexport class F {}\n", 0],
    [withoutModuleComment, "import { a } from './a.ts';\n", 1],
    [withoutModuleComment, "/**\n * @module\n */\n", 1],
    [withoutModuleComment, "/**\n * What it is and why it is there.\n *\n * @module\n */\n", 0],
    [forbidden, 'console.log("");\n', 1],
    [forbidden, "// the console. is not used\nconst a: unknown = 1;\n", 0],
    [forbidden, `// ${"TO"}${"DO"}: more\n`, 1],
    [forbidden, `const a = "/${"work"}/main";\n`, 1],
    [forbidden, "enum A { B }\nclass A extends B {}\nlet a: any;\n", 3],
    [forbidden, "class A extends Error {}\nfunction f<T extends { a: 1 }>() {}\n", 0],
  ];
  for (const [check, text, count] of cases) {
    deepEqual(check(source(text)).length, count, `${check.name}: ${text.slice(0, 60)}`);
  }
});
