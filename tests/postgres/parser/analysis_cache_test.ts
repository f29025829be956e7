import { equal, ok } from "node:assert/strict";
import { AnalysisCache } from "../../../src/postgres/parser/analysis_cache.ts";
import type { QueryAnalysis } from "../../../src/postgres/parser/query_analysis.ts";

function analysis(normalised: string): QueryAnalysis {
  return { error: undefined, fingerprint: "", normalised, statements: [] };
}

Deno.test("AnalysisCache drops what was not asked for the longest", () => {
  const cache = new AnalysisCache({ entriesMax: 2, sizeMax: 1e6 });
  const [a, b, c] = [analysis("a"), analysis("b"), analysis("c")];
  cache.add("a", a);
  cache.add("b", b);
  equal(cache.get("a"), a);
  cache.add("c", c);
  equal(cache.get("b"), undefined);
  equal(cache.get("a"), a);
  equal(cache.get("c"), c);
  equal(cache.count, 2);
});

Deno.test("AnalysisCache keeps its size, and takes nothing that is larger", () => {
  const cache = new AnalysisCache({ entriesMax: 1_000, sizeMax: 10_000 });
  for (let i = 0; i < 100; i++) {
    cache.add(`${i}`, analysis("x".repeat(i * 10)));
    ok(cache.size <= 10_000, `${cache.size}`);
    equal(cache.get(`${i}`)?.normalised.length, i * 10);
  }
  const { count, size } = cache;
  ok(count > 1 && size > 5_000);
  cache.add("large", analysis("x".repeat(5_000)));
  equal(cache.get("large"), undefined);
  equal(cache.count, count);
});
