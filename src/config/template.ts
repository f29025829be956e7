/**
 * A configuration file to start from: the smallest one that is useful, with every other key
 * behind a `#` that only has to be removed.
 *
 * @module
 */

import { type Section, SECTIONS } from "./declarations.ts";
import { exampleText, type Fallback, type Key, keyNodes, type Keys } from "./key.ts";

/** Width of a line of comment, as everywhere in this project. */
const COLUMNS_MAX = 100;

const INTRODUCTION = `\
# Sluice configuration.
#
# Only what has no "#" in front is set. Lines such as "#size: 50" show a key and its default. To
# change one, remove its "#" and those of the section and the group that it is in.
#
# Groups belong together by name: the server "default" uses the proxy "default", which ties the
# client "default" to the pool "default". Every key can also be set by an environment variable:
# SLUICE_POOLS_DEFAULT_SIZE=20 sets pools.default.size and wins over this file.
`;

/**
 * Returns the template. Every line that is no comment is needed; removing the "#" of every line
 * where no space follows it gives a file that is valid as well, and has every key.
 */
export function configTemplate(): string {
  return INTRODUCTION + SECTIONS.map(sectionText).join("");
}

function sectionText(section: Section): string {
  const lines = ["", ...comment(section.doc, "")];
  const off = section.isRequired ? "" : "#";
  lines.push(`${off}${section.name}:`);
  if (section.ownKeys !== undefined) lines.push(...keyLines(section.ownKeys, "", "  "), "");
  const group = section.groups?.example ?? "";
  if (group !== "") lines.push(`  ${off}${group}:`);
  const indent = group === "" ? "  " : "    ";
  lines.push(...keyLines(section.keys, group, indent));
  for (const [name, { fallback, doc, type }] of Object.entries(section.keys)) {
    if (fallback.kind !== "only with") continue;
    lines.push("", `  #${fallback.value}:`);
    lines.push(`    #${fallback.key}: ${fallback.value}`);
    lines.push(...comment(doc, indent), ...comment(rangeText(type.range, fallback), indent));
    lines.push(`    #${name}: ${fallback.example}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** The keys of a group, or of a group of keys, with an empty line between them. */
function keyLines(keys: Keys, group: string, indent: string): readonly string[] {
  const lines: string[] = [];
  for (const { name, key, below } of keyNodes(keys)) {
    if (key?.fallback.kind === "only with") continue; // has a group of its own below
    if (lines.length > 0) lines.push("");
    if (key === undefined) {
      lines.push(`${indent}#${name}:`, ...keyLines(below ?? {}, group, `${indent}  `));
    } else {
      lines.push(...valueLines(name, key, group, indent));
    }
  }
  return lines;
}

function valueLines(
  name: string,
  key: Key<unknown>,
  group: string,
  indent: string,
): readonly string[] {
  const off = key.fallback.kind === "required" ? "" : "#";
  return [
    ...comment(key.doc, indent),
    ...comment(rangeText(key.type.range, key.fallback), indent),
    `${indent}${off}${name}: ${exampleText(key, group)}`,
  ];
}

function rangeText(range: string, fallback: Fallback): string {
  switch (fallback.kind) {
    case "required":
      return `Required. Allowed: ${range}.`;
    case "value":
      return `Default: ${fallback.text === "" ? "empty" : fallback.text}. Allowed: ${range}.`;
    case "empty list":
    case "empty keys":
      return `Default: none. Allowed: ${range}.`;
    case "own name":
      return `Default: the name of this group. Allowed: ${range}.`;
    case "only with":
      return `No default. Allowed: ${range}.`;
  }
}

/** Breaks `text` into lines of comment. */
function comment(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > COLUMNS_MAX) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
