import assert from "node:assert/strict";
import { obstacleTo } from "../../bench/idle_clients.ts";
import {
  countProcesses,
  cpuSeconds,
  descendantsIn,
  memoryBytes,
  parseStat,
} from "../../bench/process_usage.ts";

Deno.test("parseStat reads times behind a name with spaces and parentheses", () => {
  const times = "100 20 3 4";
  const stat = `42 (a (b) c) S 7 42 42 0 -1 4194560 1 2 3 4 ${times} 20 0 1 0 6105943 2654208`;
  assert.deepEqual(parseStat(stat), { parentId: 7, cpuSeconds: 1.27 });
});

Deno.test("descendantsIn takes children's children, also when their ids are lower", () => {
  const process = (parentId: number) => ({ parentId, cpuSeconds: 1 });
  const all = new Map([[3, process(9)], [9, process(5)], [5, process(1)], [6, process(1)]]);
  assert.deepEqual([...descendantsIn(all, [5]).keys()].sort(), [3, 5, 9]);
  assert.deepEqual([...descendantsIn(all, [7]).keys()], []);
});

const isLinux = Deno.build.os === "linux";

Deno.test("cpuSeconds and memoryBytes count a process and what it has started", {
  ignore: !isLinux,
}, async () => {
  const script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo; read -r word";
  const child = new Deno.Command("sh", {
    // The one that works is the child of the one that is asked about.
    args: ["-c", `sh -c '${script}' <&0; true`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  assert.equal(countProcesses([child.pid]), 2);
  assert.ok(cpuSeconds([child.pid]) > 0);
  assert.ok(memoryBytes([child.pid]) > 10_000);
  await child.stdin.close();
  await reader.cancel();
  await child.status;
  assert.equal(countProcesses([child.pid]), 0);
  assert.equal(memoryBytes([child.pid]), 0);
});

Deno.test("obstacleTo says which limit is too low for idle clients", () => {
  const limits = (files: string) => `Limit  Soft Limit  Hard Limit\nMax open files  ${files}  9\n`;
  assert.equal(obstacleTo(5000, limits("20000"), "32768\t60999\n"), undefined);
  assert.equal(obstacleTo(5000, limits("unlimited"), "32768\t60999\n"), undefined);
  assert.match(obstacleTo(5000, limits("1024"), "32768\t60999\n")!, /need ulimit -n 5500.* 1024/);
  assert.match(obstacleTo(5000, limits("20000"), "40000 42000\n")!, /ip_local_port_range has 2000/);
});
