import { deepEqual, equal } from "node:assert/strict";
import { actBuffer, ActCells, POLICY_CELL } from "../../src/observe/act_cells.ts";

Deno.test("ActCells are read where another part of the process counts", () => {
  const buffer = actBuffer(3);
  const [writer, reader] = [new ActCells(3, buffer), new ActCells(3, buffer)];
  writer.policy(2).add(POLICY_CELL.webhooksDropped, 2);
  writer.policy(0).add(POLICY_CELL.matches, 1);
  writer.addSignal("guard", "alarm");
  writer.addSignal("guard", "alarm");
  equal(reader.policy(2).get(POLICY_CELL.webhooksDropped), 2);
  equal(reader.policy(0).get(POLICY_CELL.matches), 1);
  equal(reader.policy(1).get(POLICY_CELL.matches), 0);
  deepEqual([...reader.signals()], [{ plugin: "guard", signal: "alarm", count: 2 }]);
});

Deno.test("ActCells keep a limited number of names, none of which is malformed", () => {
  const cells = new ActCells(1, actBuffer(1));
  const longest = ["p".repeat(63), "s".repeat(64)] as const;
  cells.addSignal(...longest);
  for (const name of ["", "a b", "é", "a\nb", "a".repeat(65), "1a"]) cells.addSignal("p", name);
  cells.addSignal("p".repeat(64), "a");
  for (let i = 0; i < 500; i++) cells.addSignal("guard", `s${i}`);
  const counts = [...cells.signals()];
  equal(counts.length, 200);
  deepEqual(counts[0], { plugin: "other", signal: "other", count: 7 + 500 - 198 });
  deepEqual(counts[1], { plugin: longest[0], signal: longest[1], count: 1 });
});

Deno.test("ActCells go on where a worker that died has left them", () => {
  const buffer = actBuffer(1);
  const first = new ActCells(1, buffer);
  first.addSignal("guard", "alarm");
  first.addSignal("guard", "calm");
  const second = new ActCells(1, buffer);
  second.addSignal("guard", "calm");
  second.addSignal("other", "alarm");
  deepEqual([...first.signals()].map(({ plugin, signal, count }) => [plugin, signal, count]), [
    ["guard", "alarm", 1],
    ["guard", "calm", 2],
    ["other", "alarm", 1],
  ]);
});
