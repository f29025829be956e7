import { equal, match, ok } from "node:assert/strict";
import { type Key, type Keys, type Section, SECTIONS } from "../../src/config/declarations.ts";

const PLACE = { file: "s.yaml", line: 1, column: 1, path: "" };

function* declaredKeys(): Generator<readonly [section: Section, name: string, key: Key<unknown>]> {
  for (const section of SECTIONS) {
    for (const [name, key] of Object.entries(section.keys)) yield [section, name, key];
  }
}

Deno.test("SECTIONS have defaults and examples that their own types accept", () => {
  for (const [section, name, { type, fallback }] of declaredKeys()) {
    if (fallback.kind === "own name") continue;
    const text = fallback.kind === "value" ? fallback.text : fallback.example;
    const reading = type.read({ kind: "text", text, isQuoted: false, place: PLACE });
    ok(reading.ok, `${section.name} ${name}: ${text}`);
  }
});

Deno.test("SECTIONS have documentation in whole sentences", () => {
  for (const section of SECTIONS) match(section.doc, /^[A-Z].*\.$/s, section.name);
  for (const [section, name, { doc }] of declaredKeys()) {
    match(doc, /^[A-Z].*\.$/s, `${section.name} ${name}`);
  }
});

Deno.test("SECTIONS have keys in camelCase that no environment variable can confuse", () => {
  for (const { keys } of SECTIONS as readonly { readonly keys: Keys }[]) {
    const names = Object.keys(keys);
    for (const name of names) match(name, /^[a-z][A-Za-z]*$/);
    equal(new Set(names.map((name) => name.toLowerCase())).size, names.length);
  }
});

Deno.test("SECTIONS have conditions on keys and values that exist", () => {
  for (const [section, name, { fallback }] of declaredKeys()) {
    if (fallback.kind !== "only with") continue;
    const other = section.keys[fallback.key];
    ok(other !== undefined, name);
    const value = { kind: "text", text: fallback.value, isQuoted: false, place: PLACE } as const;
    ok(other.type.read(value).ok, name);
  }
});
