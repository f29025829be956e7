import { deepEqual, equal, ok } from "node:assert/strict";
import { makeStrategy } from "../../../src/upstream/balancer/make_strategy.ts";
import {
  candidate,
  candidates,
  chance,
  chiSquare,
  countOf,
  exact,
  firsts,
  orderOf,
} from "./candidates.ts";

/** Chi-square values that are exceeded once in a thousand, by degrees of freedom. */
const CHI_SQUARE_MAX: Readonly<Record<number, number>> = { 4: 18.47, 5: 20.52, 23: 49.73 };

Deno.test("ORDERED is as given, but for those without weight", () => {
  const strategy = exact("ORDERED");
  equal(orderOf(strategy, candidates("cab")), "cab");
  equal(orderOf(strategy, candidates("cab")), "cab");
  const among = [candidate("a", { weight: 0 }), candidate("b", { weight: 0.1 }), candidate("c")];
  equal(orderOf(strategy, among), "bca");
  equal(orderOf(strategy, candidates("ab", { weight: 0 })), "ab");
  equal(orderOf(strategy, []), "");
});

Deno.test("RANDOM has each server first equally often", () => {
  const strategy = makeStrategy("RANDOM", chance(3));
  const counts = countOf(firsts(strategy, candidates("abcde"), 50_000));
  equal(Object.keys(counts).length, 5);
  const value = chiSquare(Object.values(counts));
  ok(value < CHI_SQUARE_MAX[4]!, `chi-square ${value}: ${JSON.stringify(counts)}`);
});

Deno.test("RANDOM has each order equally often", () => {
  const strategy = makeStrategy("RANDOM", chance(4));
  const among = candidates("abcd");
  const counts = new Map<string, number>();
  for (let i = 0; i < 48_000; i++) {
    const order = orderOf(strategy, among);
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  equal(counts.size, 24);
  const value = chiSquare([...counts.values()]);
  ok(value < CHI_SQUARE_MAX[23]!, `chi-square ${value}`);
});

Deno.test("RANDOM does not look at weights, but for 0, which comes last", () => {
  const strategy = makeStrategy("RANDOM", chance(5));
  const among = [
    candidate("a", { weight: 0 }),
    candidate("b", { weight: 100 }),
    candidate("c", { weight: 0.01 }),
  ];
  const orders = Array.from({ length: 1_000 }, () => orderOf(strategy, among));
  const counts = countOf(orders.map((order) => order[0]).join(""));
  deepEqual(new Set(orders), new Set(["bca", "cba"]));
  ok(Math.abs(counts["b"]! - 500) < 80, JSON.stringify(counts));
});
