import { equal, ok } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { ClassCache, hashOf } from "../../../src/postgres/routing/class_cache.ts";
import type { StatementClass } from "../../../src/postgres/routing/statement_class.ts";

const READ: StatementClass = { kind: "read", reads: [], writes: [] };
const WRITE: StatementClass = { kind: "write", reads: [], writes: [] };

function add(cache: ClassCache, text: string, result = READ): void {
  cache.add(utf8(text), hashOf(utf8(text)), result);
}

function get(cache: ClassCache, text: string): StatementClass | undefined {
  return cache.get(utf8(text), hashOf(utf8(text)));
}

Deno.test("ClassCache keeps what is in use, and drops the oldest of the others", () => {
  const cache = new ClassCache({ entriesMax: 3, sizeMax: 1e6 });
  for (const text of ["a", "b", "c"]) add(cache, text);
  const { size } = cache;
  equal(get(cache, "a"), READ);
  add(cache, "d");
  equal(cache.count, 3);
  equal(get(cache, "b"), undefined);
  for (const text of ["a", "c", "d"]) equal(get(cache, text), READ, text);
  add(cache, "e");
  equal(cache.count, 3);
  equal(get(cache, "e"), READ, "somebody goes even if all are in use");
  equal(cache.size, size);
});

Deno.test("ClassCache does not mistake a text for another of the same hash", () => {
  equal(hashOf(utf8("Aa")), hashOf(utf8("BB")));
  const cache = new ClassCache({ entriesMax: 3, sizeMax: 1e6 });
  add(cache, "Aa");
  const { size } = cache;
  equal(get(cache, "BB"), undefined);
  add(cache, "BB", WRITE);
  equal(get(cache, "BB"), WRITE);
  equal(get(cache, "Aa"), undefined);
  equal(cache.count, 1);
  equal(cache.size, size);
});

Deno.test("ClassCache keeps below its size, and makes copies of texts", () => {
  const cache = new ClassCache({ entriesMax: 1_000, sizeMax: 10_000 });
  for (let i = 0; i < 100; i++) {
    add(cache, `${"x".repeat(100)}${i}`);
    ok(cache.size <= 10_000 && cache.size > 0);
  }
  ok(cache.count >= 10 && cache.count < 100, String(cache.count));
  add(cache, "x".repeat(20_000));
  equal(get(cache, "x".repeat(20_000)), undefined, "it is larger than all may be");
  const text = utf8("abc");
  cache.add(text, hashOf(text), READ);
  text.fill(0);
  equal(get(cache, "abc"), READ);
});
