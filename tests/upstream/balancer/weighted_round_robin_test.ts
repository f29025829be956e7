import { deepEqual, equal, ok } from "node:assert/strict";
import { makeStrategy } from "../../../src/upstream/balancer/make_strategy.ts";
import { NAMES_MAX } from "../../../src/upstream/balancer/names.ts";
import type { Candidate } from "../../../src/upstream/balancer/strategy.ts";
import { candidate, candidates, chance, countOf, exact, firsts, orderOf } from "./candidates.ts";

/** Servers a, b, c and so on with these weights. */
function weighted(...weights: readonly number[]): Candidate[] {
  return weights.map((weight, i) => candidate("abcdefgh"[i]!, { weight }));
}

Deno.test("WEIGHTED_ROUND_ROBIN gives nginx's sequence", () => {
  equal(firsts(exact("WEIGHTED_ROUND_ROBIN"), weighted(5, 1, 1), 14), "aabacaaaabacaa");
  equal(firsts(exact("WEIGHTED_ROUND_ROBIN"), weighted(1, 1, 1), 6), "abcabc");
  equal(firsts(exact("WEIGHTED_ROUND_ROBIN"), weighted(3, 2), 10), "ababaababa");
  equal(firsts(exact("WEIGHTED_ROUND_ROBIN"), weighted(0.5, 0.25), 6), "abaaba");
});

Deno.test("WEIGHTED_ROUND_ROBIN has those second who have saved up most", () => {
  const strategy = exact("WEIGHTED_ROUND_ROBIN");
  const orders = Array.from({ length: 3 }, () => orderOf(strategy, weighted(5, 1, 1)));
  // Credits before each choice: 5 1 1, then 3 2 2, then 1 3 3.
  deepEqual(orders, ["abc", "abc", "bca"]);
});

Deno.test("WEIGHTED_ROUND_ROBIN gives everybody exactly its weight in each round", () => {
  const random = chance(7);
  for (let round = 0; round < 50; round++) {
    const weights = Array.from(
      { length: 1 + Math.floor(random() * 8) },
      () => 1 + Math.floor(random() * 9),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const strategy = makeStrategy("WEIGHTED_ROUND_ROBIN", () => 0);
    for (let again = 0; again < 2; again++) {
      const counts = countOf(firsts(strategy, weighted(...weights), total));
      deepEqual(weighted(...weights).map(({ name }) => counts[name]), weights);
    }
  }
});

Deno.test("WEIGHTED_ROUND_ROBIN keeps to weights wherever it begins", () => {
  for (let seed = 0; seed < 20; seed++) {
    const strategy = makeStrategy("WEIGHTED_ROUND_ROBIN", chance(seed));
    const counts = countOf(firsts(strategy, weighted(5, 3, 2), 10_000));
    for (const [name, share] of Object.entries({ a: 5_000, b: 3_000, c: 2_000 })) {
      ok(Math.abs(counts[name]! - share) <= 2, `${name}: ${counts[name]} for ${share}`);
    }
  }
});

Deno.test("WEIGHTED_ROUND_ROBIN of several workers does not begin with the same server", () => {
  const begun = Array.from(
    { length: 3_000 },
    (_, seed) => orderOf(makeStrategy("WEIGHTED_ROUND_ROBIN", chance(seed)), weighted(1, 1, 1))[0],
  );
  for (const count of Object.values(countOf(begun.join("")))) {
    ok(Math.abs(count - 1_000) < 150, `${count} of 3000`);
  }
});

Deno.test("WEIGHTED_ROUND_ROBIN is not skewed by a server that is away for a while", () => {
  const strategy = exact("WEIGHTED_ROUND_ROBIN");
  firsts(strategy, weighted(3, 2, 1), 8);
  const without = weighted(3, 2, 1).filter(({ name }) => name !== "b");
  deepEqual(countOf(firsts(strategy, without, 4_000)), { a: 3_000, c: 1_000 });
  const counts = countOf(firsts(strategy, weighted(3, 2, 1), 6_000));
  for (const [name, share] of Object.entries({ a: 3_000, b: 2_000, c: 1_000 })) {
    ok(Math.abs(counts[name]! - share) <= 2, `${name}: ${counts[name]} for ${share}`);
  }
});

Deno.test("WEIGHTED_ROUND_ROBIN lets the share of a server grow with its weight", () => {
  const strategy = exact("WEIGHTED_ROUND_ROBIN");
  const shares = [0.125, 0.25, 0.5, 1].map((weight) => {
    const counts = countOf(firsts(strategy, weighted(1, 1, weight), 10_000));
    return counts["c"]! / 10_000;
  });
  const expected = [0.125, 0.25, 0.5, 1].map((weight) => weight / (2 + weight));
  for (const [i, share] of shares.entries()) {
    ok(Math.abs(share - expected[i]!) < 0.001, `${share} for ${expected[i]}`);
  }
});

Deno.test("WEIGHTED_ROUND_ROBIN has those without weight last, unless all are", () => {
  equal(orderOf(exact("WEIGHTED_ROUND_ROBIN"), weighted(0, 1, 2)), "cba");
  equal(firsts(exact("WEIGHTED_ROUND_ROBIN"), weighted(0, 0), 4), "abab");
});

Deno.test("WEIGHTED_ROUND_ROBIN remembers a limited number of names", () => {
  const strategy = exact("WEIGHTED_ROUND_ROBIN");
  equal(firsts(strategy, candidates("ab"), 1), "a");
  const others = (count: number) => Array.from({ length: count }, (_, i) => candidate(`other${i}`));
  strategy.order(others(NAMES_MAX - 2), "");
  equal(firsts(strategy, candidates("ab"), 2), "ba", "nothing is forgotten at the limit");
  strategy.order(others(NAMES_MAX - 1), "");
  equal(firsts(strategy, candidates("ab"), 1), "a", "who was no candidate is forgotten beyond it");
});
