import { deepEqual, equal, notEqual } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { RecentDefinitions } from "../../../src/postgres/pooled/recent_definitions.ts";
import { QueryScanner } from "../../../src/postgres/sql/query_scanner.ts";

function recent() {
  const scanner = new QueryScanner();
  const scanned: number[] = [];
  const definitions = new RecentDefinitions((bytes) => {
    scanned.push(bytes.length);
    return scanner.scan(bytes.subarray(0, bytes.indexOf(0)), true);
  });
  return { definitions, scanned };
}

Deno.test("RecentDefinitions scans what is said again once, and keeps nothing of the view", () => {
  const { definitions, scanned } = recent();
  const view = utf8("select $1\0\0\0");
  const first = definitions.of(view);
  view.fill(0x7a);
  equal(definitions.of(utf8("select $1\0\0\0")), first);
  deepEqual(first.definition, utf8("select $1\0\0\0"));
  equal(first.traits.command, "select");
  equal(scanned.length, 1);
});

Deno.test("RecentDefinitions takes no definition for another one, however alike they are", () => {
  const { definitions } = recent();
  const texts = Array.from({ length: 3_000 }, (_, i) => `set work_mem = '${i}kB'\0\0\0`);
  for (let round = 0; round < 2; round += 1) {
    for (const text of texts) deepEqual(definitions.of(utf8(text)).definition, utf8(text));
  }
  // Only the types of parameters differ.
  const typed = [0, 1, 2].map((type) =>
    new Uint8Array([...utf8("select $1\0"), 0, 1, 0, 0, 0, type])
  );
  for (const bytes of [...typed, ...typed]) deepEqual(definitions.of(bytes).definition, bytes);
  deepEqual(definitions.of(new Uint8Array()).definition, new Uint8Array());
});

Deno.test("RecentDefinitions keeps none that is large", () => {
  const { definitions } = recent();
  const large = utf8(`select '${"x".repeat(5_000)}'\0\0\0`);
  notEqual(definitions.of(large), definitions.of(large));
});
