import { deepEqual, equal, ok } from "node:assert/strict";
import { PLACES, Ranking } from "../../../src/upstream/balancer/ranking.ts";
import { Random } from "../../support/random.ts";
import { candidate, candidates } from "./candidates.ts";

Deno.test("Ranking orders the first places as sorting does, and has everybody once", () => {
  const random = new Random(1);
  const ranking = new Ranking();
  for (let round = 0; round < 2_000; round++) {
    const size = 1 + random.below(30);
    const scores = Array.from({ length: size }, () => [random.below(6), random.below(3)] as const);
    ranking.begin(candidates("a".repeat(size)));
    for (const [i, [score, tie]] of scores.entries()) ranking.add(i, score, tie);
    const order = ranking.end();
    const sorted = scores.map((_, i) => i).sort((a, b) =>
      scores[a]![0] - scores[b]![0] || scores[a]![1] - scores[b]![1]
    );
    // Beyond the places, equals need not come as they were given.
    const sortedScores = sorted.slice(0, PLACES).map((i) => scores[i]);
    deepEqual(order.slice(0, PLACES).map((i) => scores[i]), sortedScores);
    if (size <= PLACES) deepEqual([...order], sorted);
    deepEqual(order.toSorted((a, b) => a - b), scores.map((_, i) => i));
  }
});

Deno.test("Ranking puts those without weight last, as given", () => {
  const ranking = new Ranking();
  const among = [0, 1, 0, 2, -1, NaN].map((weight) => candidate("a", { weight }));
  ranking.begin(among);
  for (const [i, one] of among.entries()) {
    const weight = ranking.weightOf(one);
    if (weight === 0) ranking.addWeightless(i);
    else ranking.add(i, -weight, 0);
  }
  deepEqual([...ranking.end()], [3, 1, 0, 2, 4, 5]);
});

Deno.test("Ranking counts all as equal if none has a weight", () => {
  const ranking = new Ranking();
  const among = candidates("ab", { weight: 0 });
  ranking.begin(among);
  deepEqual(among.map((one) => ranking.weightOf(one)), [1, 1]);
});

Deno.test("Ranking gives the same array again: an order is made without garbage", () => {
  const ranking = new Ranking();
  const orders = [1, 2].map(() => {
    ranking.begin(candidates("ab"));
    ranking.append(1);
    ranking.append(0);
    return ranking.end();
  });
  equal(orders[0], orders[1]);
  ok(orders[0]!.length === 2);
});
