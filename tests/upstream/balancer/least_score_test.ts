import { deepEqual, equal, ok } from "node:assert/strict";
import { makeStrategy } from "../../../src/upstream/balancer/make_strategy.ts";
import { NAMES_MAX } from "../../../src/upstream/balancer/names.ts";
import type { Candidate, Strategy } from "../../../src/upstream/balancer/strategy.ts";
import { candidate, candidates, chance, countOf, exact, firsts, orderOf } from "./candidates.ts";

/** Opens so many connections, closing none. @returns Connections by name. */
function fill(strategy: Strategy, weights: Readonly<Record<string, number>>, times: number) {
  const connections = Object.fromEntries(Object.keys(weights).map((name) => [name, 0]));
  for (let i = 0; i < times; i++) {
    const among = Object.entries(weights).map(([name, weight]) =>
      candidate(name, { weight, connections: connections[name]! })
    );
    connections[orderOf(strategy, among)[0]!]! += 1;
  }
  return connections;
}

Deno.test("ROUND_ROBIN takes one after the other, and orders all by their turns", () => {
  const strategy = exact("ROUND_ROBIN");
  const orders = Array.from({ length: 4 }, () => orderOf(strategy, candidates("abc")));
  deepEqual(orders, ["abc", "bca", "cab", "abc"]);
});

Deno.test("ROUND_ROBIN knows servers by name, wherever they stand", () => {
  const strategy = exact("ROUND_ROBIN");
  const rounds = ["abc", "cba", "bac", "acb", "cab", "bca"];
  equal(rounds.map((letters) => orderOf(strategy, candidates(letters))[0]).join(""), "acbacb");
});

Deno.test("ROUND_ROBIN gives nobody twice as much while another is away, nor after", () => {
  const strategy = exact("ROUND_ROBIN");
  equal(firsts(strategy, candidates("abcd"), 6), "abcdab");
  // A counter modulo the number would skip or repeat somebody here.
  equal(firsts(strategy, candidates("abd"), 7), "dabdabd");
  // One turn sooner for the one who comes back, and no more.
  equal(firsts(strategy, candidates("abcd"), 8), "cabdcabd");
});

Deno.test("ROUND_ROBIN stays even if candidates come and go all the time", () => {
  const strategy = makeStrategy("ROUND_ROBIN", chance(1));
  const random = chance(2);
  let chosen = "";
  for (let i = 0; i < 30_000; i++) {
    const there = [..."abcdef"].filter(() => random() < 0.7).join("");
    if (there !== "") chosen += orderOf(strategy, candidates(there))[0];
  }
  for (const [name, count] of Object.entries(countOf(chosen))) {
    ok(Math.abs(count / (chosen.length / 6) - 1) < 0.02, `${name}: ${count} of ${chosen.length}`);
  }
});

Deno.test("ROUND_ROBIN does not look at weights, but for 0, which comes last", () => {
  const strategy = exact("ROUND_ROBIN");
  const among = [
    candidate("a", { weight: 9 }),
    candidate("b", { weight: 0 }),
    candidate("c", { weight: 0.1 }),
  ];
  deepEqual([1, 2, 3].map(() => orderOf(strategy, among)), ["acb", "cab", "acb"]);
  equal(firsts(exact("ROUND_ROBIN"), candidates("ab", { weight: 0 }), 4), "abab");
});

Deno.test("ROUND_ROBIN of several workers does not begin with the same server", () => {
  const begun = Array.from({ length: 3_000 }, (_, seed) => {
    return orderOf(makeStrategy("ROUND_ROBIN", chance(seed)), candidates("abc"))[0];
  });
  for (const count of Object.values(countOf(begun.join("")))) {
    ok(Math.abs(count - 1_000) < 150, `${count} of 3000`);
  }
});

Deno.test("ROUND_ROBIN remembers a limited number of names", () => {
  const strategy = exact("ROUND_ROBIN");
  const old = candidates("ab");
  equal(firsts(strategy, old, 3), "aba");
  const others = (count: number) => Array.from({ length: count }, (_, i) => candidate(`other${i}`));
  strategy.order(others(NAMES_MAX - 2), "");
  equal(firsts(strategy, old, 1), "b", "nothing is forgotten at the limit");
  equal(firsts(strategy, old, 1), "a");
  strategy.order([...old, ...others(NAMES_MAX)], "");
  equal(firsts(strategy, old, 1), "b", "who is a candidate is not forgotten");
  strategy.order(others(NAMES_MAX + 1), "");
  // As if it had seen neither: b, whose turn was the last, would not be first otherwise.
  equal(firsts(strategy, candidates("ba"), 1), "b", "who was no candidate is forgotten beyond it");
});

Deno.test("LEAST_CONNECTIONS takes the fewest, for each unit of weight", () => {
  const strategy = exact("LEAST_CONNECTIONS");
  const among = (facts: readonly (readonly [weight: number, connections: number])[]) =>
    facts.map(([weight, connections], i): Candidate =>
      candidate("abc"[i]!, { weight, connections })
    );
  equal(orderOf(strategy, among([[1, 5], [1, 2], [1, 3]])), "bca");
  // 6/3 = 2, 3/1 = 3, 4/4 = 1.
  equal(orderOf(strategy, among([[3, 5], [1, 2], [4, 3]])), "cab");
  equal(orderOf(strategy, among([[1, 9], [0, 0], [1, 8]])), "cab");
});

Deno.test("LEAST_CONNECTIONS fills servers in proportion to their weights", () => {
  deepEqual(fill(exact("LEAST_CONNECTIONS"), { a: 1, b: 2, c: 5 }, 800), {
    a: 100,
    b: 200,
    c: 500,
  });
});

Deno.test("LEAST_CONNECTIONS lets the share of a server grow with its weight", () => {
  const shares = [0.1, 0.25, 0.5, 1].map((weight) =>
    fill(exact("LEAST_CONNECTIONS"), { a: 1, b: 1, c: weight }, 210)["c"]!
  );
  deepEqual(shares, [10, 23, 42, 70]);
  // Nothing runs: a server that has just started does not get what others are as free for.
  equal(fill(exact("LEAST_CONNECTIONS"), { a: 1, b: 1, c: 0.1 }, 6)["c"], 0);
});

Deno.test("LEAST_CONNECTIONS takes turns among equals", () => {
  const strategy = exact("LEAST_CONNECTIONS");
  equal(firsts(strategy, candidates("abc"), 7), "abcabca");
  const busy = [...candidates("ab"), candidate("c", { connections: 1 })];
  // By places, whoever stands before the busy one would have its turns, too.
  equal(firsts(strategy, busy, 6), "bababa");
});
