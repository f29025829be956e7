import { deepEqual, equal } from "node:assert/strict";
import { PositionHistory } from "../../../src/upstream/health/position_history.ts";

Deno.test("PositionHistory finds the newest round that a replica has caught up with", () => {
  const history = new PositionHistory();
  equal(history.caughtUpRound(1_000), undefined);
  history.add(1, 100, 0);
  history.add(2, 200, 1_000);
  history.add(3, 300, 2_000);
  equal(history.caughtUpRound(99), undefined);
  equal(history.caughtUpRound(100), 1);
  equal(history.caughtUpRound(299), 2);
  equal(history.caughtUpRound(5_000), 3);
});

Deno.test("PositionHistory gives an idle primary's newest round, and no lag", () => {
  const history = new PositionHistory();
  for (let round = 1; round <= 5_000; round++) history.add(round, 100, round * 1_000);
  equal(history.caughtUpRound(100), 5_000);
  deepEqual(history.lagOf(100, 3_600_000, 5_000_000), { ms: 0, size: 0 });
});

Deno.test("PositionHistory measures lag from when the primary was first further", () => {
  const history = new PositionHistory();
  history.add(1, 100, 0);
  history.add(2, 200, 1_000);
  history.add(3, 200, 2_000);
  history.add(4, 350, 3_000);
  deepEqual(history.lagOf(100, 3_600_000, 4_000), { ms: 3_000, size: 250 });
  deepEqual(history.lagOf(200, 3_600_000, 4_000), { ms: 1_000, size: 150 });
  deepEqual(history.lagOf(400, 3_600_000, 4_000), { ms: 0, size: 0 });
});

Deno.test("PositionHistory takes the replica's word for what was before it began", () => {
  const history = new PositionHistory();
  history.add(1, 100, 0);
  deepEqual(history.lagOf(50, 60_000, 10), { ms: 60_000, size: 50 });
  deepEqual(history.lagOf(50, undefined, 10), { ms: 10, size: 50 });
  history.clear(); // a failover: replicas are behind since then, whatever they replayed last
  history.add(2, 100, 1_000);
  deepEqual(history.lagOf(50, 60_000, 1_500), { ms: 500, size: 50 });
});

Deno.test("PositionHistory forgets what is old, and all at a failover", () => {
  const history = new PositionHistory();
  for (let round = 1; round <= 1_000; round++) history.add(round, round, round);
  equal(history.caughtUpRound(400), undefined);
  equal(history.caughtUpRound(900), 900);
  deepEqual(history.lagOf(10, 5_000, 1_000), { ms: 5_000, size: 990 });
  history.clear();
  equal(history.isEmpty, true);
  equal(history.caughtUpRound(900), undefined);
});
