import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type Section, SECTIONS } from "../../src/config/declarations.ts";
import { type Key, keyNodes, type Keys } from "../../src/config/key.ts";

const PLACE = { file: "s.yaml", line: 1, column: 1, path: "" };

function* declaredKeys(): Generator<readonly [section: Section, name: string, key: Key<unknown>]> {
  for (const section of SECTIONS) {
    const { keys, ownKeys = {} } = section;
    for (const [name, key] of [...Object.entries(ownKeys), ...Object.entries(keys)]) {
      yield [section, name, key];
      for (const [below, one] of Object.entries(key.type.items ?? {})) {
        yield [section, `${name} ${below}`, one];
      }
    }
  }
}

Deno.test("SECTIONS have defaults and examples that their own types accept", () => {
  for (const [section, name, { type, fallback }] of declaredKeys()) {
    if (fallback.kind === "own name" || fallback.kind === "empty list") continue;
    if (fallback.kind === "empty keys") continue;
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
    for (const name of names) match(name, /^([a-z][A-Za-z]*\.)?[a-z][A-Za-z0-9]*$/);
    // A variable shows neither dots nor case.
    const folded = names.map((name) => name.replaceAll(".", "").toLowerCase());
    equal(new Set(folded).size, names.length);
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

Deno.test("SECTIONS have the keys of one group of keys side by side", () => {
  for (const { name, keys } of SECTIONS) {
    const nodes = keyNodes(keys);
    equal(new Set(nodes.map((node) => node.name)).size, nodes.length, name);
    const order = nodes.flatMap((node) =>
      node.below === undefined
        ? [node.name]
        : Object.keys(node.below).map((below) => `${node.name}.${below}`)
    );
    deepEqual(order, Object.keys(keys), name);
  }
});
