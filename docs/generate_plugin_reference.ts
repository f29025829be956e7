/**
 * Writes `docs/plugins/reference.md` from `wit/sluice.wit`:
 * `deno run -A docs/generate_plugin_reference.ts`.
 *
 * @module
 */

import { blockOf } from "../wit/blocks.ts";

/** One thing with a comment: a function, a field, a case. */
interface Described {
  readonly name: string;
  /** What stands behind its colon: a type, or the parameters and result of a function. */
  readonly type: string;
  readonly doc: string;
}

/** The page that the WIT text makes. @throws {Error} If the text is laid out in another way. */
export function pluginReference(wit: string): string {
  const types = blockOf(wit, "interface types");
  const named = (kind: string, name: string) => describedIn(blockOf(types, `${kind} ${name}`));
  return [
    "# Plugins: hooks, host functions, fields",
    "",
    "Generated from [`wit/sluice.wit`](../../wit/sluice.wit). How names become exports and imports",
    "is in [`wit/README.md`](../../wit/README.md), how they look in languages in [sdks](sdks.md).",
    "",
    "## Hooks",
    "",
    ...table(
      ["hook", "export", "when, and what it may ask for"],
      functionsOf(wit, "hooks").map(({ name, doc }) => [code(name), code(camelCase(name)), doc]),
    ),
    "",
    "## Verdicts",
    "",
    ...numbered(named("enum", "verdict")),
    "",
    "## Host functions",
    "",
    "Imports of module `sluice`. Each that returns a `result` may return -1 absent, -2 denied,",
    "-3 over-limit or -4 invalid instead of a size.",
    "",
    ...table(
      ["function", "import", "parameters and result", "what it does"],
      functionsOf(wit, "host").map(({ name, type, doc }) => [
        code(name),
        code(name.replaceAll("-", "_")),
        code(type),
        doc,
      ]),
    ),
    "",
    "## Fields of an event",
    "",
    "What `read` copies, by number.",
    "",
    ...numbered(named("enum", "field")),
    "",
    "## The event",
    "",
    ...table(
      ["part", "type", ""],
      named("record", "event").map(({ name, type, doc }) => [code(name), code(type), doc]),
    ),
    "",
    "### Flags",
    "",
    ...numbered(named("flags", "event-flags"), (index) => 1 << index),
    "",
    "### Phases",
    "",
    ...numbered(named("enum", "phase")),
    "",
  ].join("\n");
}

function numbered(
  those: readonly Described[],
  numberOf: (index: number) => number = (index) => index,
): string[] {
  const rows = those.map(({ name, doc }, index) => [`${numberOf(index)}`, code(name), doc]);
  return table(["number", "name", ""], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) throw new Error(`Nothing was found for the table of ${head.join(", ")}`);
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)];
}

function code(text: string): string {
  return `\`${text}\``;
}

function camelCase(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function functionsOf(wit: string, name: string): Described[] {
  return describedIn(blockOf(wit, `interface ${name}`), /^([\w-]+): func(\(.*\) -> .*);$/);
}

/** Every line that names something, with the comment lines above it. */
function describedIn(block: string, form = /^([\w-]+)(?:: ([\w-]+))?,$/): Described[] {
  const found: Described[] = [];
  let doc: string[] = [];
  for (const line of block.split("\n").map((one) => one.trim())) {
    if (line.startsWith("///")) {
      doc.push(line.slice(3).trim());
      continue;
    }
    const match = form.exec(line);
    if (match !== null) found.push({ name: match[1]!, type: match[2] ?? "", doc: doc.join(" ") });
    doc = [];
  }
  return found;
}

if (import.meta.main) {
  const wit = await Deno.readTextFile(new URL("../wit/sluice.wit", import.meta.url));
  const page = new URL("plugins/reference.md", import.meta.url);
  await Deno.writeTextFile(page, pluginReference(wit));
}
