/** The plugin's configuration. */

import { config } from "../sluice/sluice";
import { Knowledge } from "./functions";

function numberOf(path: string, fallback: i32): i32 {
  const text = config(path);
  return text === null ? fallback : I32.parseInt(text);
}

/** Adds the texts of a list in the configuration, in lower case unless they are tables. */
function addTexts(path: string, isFunction: bool, into: Set<string>): void {
  for (let i = 0; ; i++) {
    const text = config(`${path}.${i}`);
    if (text === null) return;
    into.add(isFunction ? text.toLowerCase() : text);
  }
}

export const ttlMs: i32 = numberOf("ttlSeconds", 60) * 1_000;
export const resultSizeMax: i32 = numberOf("resultSizeMax", 65_536);
export const isByTable: bool = config("invalidation") != "everything";

/** Tables whose rows may be cached; without any, all may. */
export const tables: Set<string> = new Set<string>();
export const exceptTables: Set<string> = new Set<string>();
export const knowledge: Knowledge = new Knowledge();

/** By a table's name: the tables that change with it. */
export const related: Map<string, string[]> = new Map<string, string[]>();

addTexts("tables", false, tables);
addTexts("exceptTables", false, exceptTables);
addTexts("pureFunctions", true, knowledge.pure);
addTexts("harmlessFunctions", true, knowledge.harmless);
addRelated();

function addRelated(): void {
  for (let group = 0; ; group++) {
    if (config(`related.${group}`) === null) return;
    const members = new Set<string>();
    addTexts(`related.${group}`, false, members);
    const names = members.values();
    for (let i = 0; i < names.length; i++) {
      const known: string[] = related.has(names[i]) ? related.get(names[i]) : new Array<string>();
      related.set(names[i], known.concat(names));
    }
  }
}
