import { deepEqual, equal, ok } from "node:assert/strict";
import { makeStrategy } from "../../../src/upstream/balancer/make_strategy.ts";
import { PeakEwma } from "../../../src/upstream/balancer/peak_ewma.ts";
import type { Candidate } from "../../../src/upstream/balancer/strategy.ts";
import { candidate, candidates, chance, countOf, exact, firsts, orderOf } from "./candidates.ts";

type Facts = readonly (readonly [latencyMs: number, connections: number, weight?: number])[];

function among(facts: Facts): Candidate[] {
  return facts.map(([latencyMs, connections, weight = 1], i) =>
    candidate("abcdefgh"[i]!, { latencyMs, connections, weight })
  );
}

/** What servers of these latencies get: requests at this interval, from the start of a gateway. */
function simulate(latenciesMs: (name: string, nowMs: number) => number, intervalMs: number) {
  const strategy = makeStrategy("LEAST_LATENCY", chance(1));
  const ewmas = new Map([..."abc"].map((name) => [name, new PeakEwma(10_000)]));
  let underWay: { name: string; startedMs: number; endsMs: number }[] = [];
  const served: { name: string; atMs: number }[] = [];
  for (let nowMs = 0; nowMs < 60_000; nowMs += intervalMs) {
    for (const { name, startedMs, endsMs } of underWay.filter(({ endsMs }) => endsMs <= nowMs)) {
      ewmas.get(name)!.observe(endsMs - startedMs, endsMs);
    }
    underWay = underWay.filter(({ endsMs }) => endsMs > nowMs);
    const there = [...ewmas].map(([name, ewma]) =>
      candidate(name, {
        latencyMs: ewma.value(nowMs),
        connections: underWay.filter((one) => one.name === name).length,
      })
    );
    const name = orderOf(strategy, there)[0]!;
    underWay.push({ name, startedMs: nowMs, endsMs: nowMs + latenciesMs(name, nowMs) });
    served.push({ name, atMs: nowMs });
  }
  return served;
}

Deno.test("LEAST_LATENCY is by latency, connections and weight", () => {
  const strategy = exact("LEAST_LATENCY");
  equal(orderOf(strategy, among([[5, 0], [1, 0], [3, 0]])), "bca");
  // 5 * 1, 1 * 6, 3 * 3.
  equal(orderOf(strategy, among([[5, 0], [1, 5], [3, 2]])), "abc");
  // 5 * 1 / 1, 1 * 6 / 2, 3 * 3 / 9.
  equal(orderOf(strategy, among([[5, 0], [1, 5, 2], [3, 2, 9]])), "cba");
  equal(orderOf(strategy, among([[5, 9], [1, 0, 0], [3, 0]])), "cab");
});

Deno.test("LEAST_LATENCY takes turns among equals", () => {
  equal(firsts(exact("LEAST_LATENCY"), candidates("abc", { latencyMs: 2 }), 6), "abcabc");
  equal(firsts(exact("LEAST_LATENCY"), candidates("abc"), 6), "abcabc");
});

Deno.test("LEAST_LATENCY tries a server of unknown latency with one request, not with all", () => {
  const strategy = exact("LEAST_LATENCY");
  equal(orderOf(strategy, among([[1, 0], [0, 0], [9, 0]])), "bac");
  // While its first answer is awaited it is as slow as the slowest.
  equal(orderOf(strategy, among([[1, 0], [0, 1], [9, 0]])), "acb");
  equal(orderOf(strategy, among([[1, 20], [0, 1], [9, 0]])), "cba", "not forgotten either");
});

Deno.test("LEAST_LATENCY goes by connections while nothing is known", () => {
  equal(orderOf(exact("LEAST_LATENCY"), among([[0, 2], [0, 1], [0, 3]])), "bac");
});

Deno.test("LEAST_LATENCY gives a slow server little, and something now and then", () => {
  const counts = countOf(
    simulate((name) => name === "c" ? 200 : 2, 5).map(({ name }) => name).join(""),
  );
  const total = 12_000;
  ok(counts["c"]! > 1 && counts["c"]! < total * 0.005, JSON.stringify(counts));
  ok(counts["a"]! > total * 0.4 && counts["b"]! > total * 0.4, JSON.stringify(counts));
});

Deno.test("LEAST_LATENCY leaves a server that becomes slow, and comes back when it is not", () => {
  const isSlow = (nowMs: number) => nowMs >= 10_000 && nowMs < 20_000;
  const served = simulate((name, nowMs) => name === "a" && isSlow(nowMs) ? 300 : 2, 5);
  const share = (fromMs: number, untilMs: number) => {
    const part = served.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
    return part.filter(({ name }) => name === "a").length / part.length;
  };
  ok(share(0, 10_000) > 0.25, `before: ${share(0, 10_000)}`);
  ok(share(10_000, 20_000) < 0.01, `slow: ${share(10_000, 20_000)}`);
  ok(share(55_000, 60_000) > 0.25, `after: ${share(55_000, 60_000)}`);
});

Deno.test("LEAST_LATENCY sends a silent server one request, even after a quiet time", () => {
  // Nobody answers, so all that is known is what is under way.
  const strategy = exact("LEAST_LATENCY");
  const connections: Record<string, number> = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < 30; i++) {
    const there = [..."abc"].map((name) =>
      candidate(name, { connections: connections[name]!, latencyMs: name === "c" ? 0 : 1 })
    );
    const name = orderOf(strategy, there)[0]!;
    if (name === "c") connections[name]! += 1;
  }
  deepEqual(connections, { a: 0, b: 0, c: 1 });
});
