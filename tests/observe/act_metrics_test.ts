import { deepEqual } from "node:assert/strict";
import { actBuffer, ActCells, POLICY_CELL } from "../../src/observe/act_cells.ts";
import { GatewayMetrics } from "../../src/observe/metrics.ts";

/** Lines of the policies' metrics as they are scraped. */
async function scrape(workers: readonly ActCells[]): Promise<readonly string[]> {
  const metrics = new GatewayMetrics({
    layout: { listeners: [], pools: [] },
    workers: () => [],
    pools: new Map(),
    version: "0",
    act: {
      policies: [
        { policy: "block", action: "reject" },
        { policy: "tell", action: "webhook" },
        { policy: "(default)", action: "terminate" },
      ],
      workers: () => workers,
    },
  });
  return (await metrics.text()).split("\n").filter((line) => /^sluice_act.* [1-9]/.test(line));
}

Deno.test("GatewayMetrics.text() shows what policies did, over all workers", async () => {
  const workers = [0, 1].map(() => new ActCells(3, actBuffer(3)));
  deepEqual(await scrape(workers), []);
  for (const worker of workers) {
    worker.addSignal("guard", "alarm");
    worker.policy(0).add(POLICY_CELL.matches, 1);
    worker.policy(1).add(POLICY_CELL.webhooksFailed, 2);
  }
  const [first] = workers;
  first!.addSignal("cache", "hit");
  first!.policy(2).add(POLICY_CELL.matches, 7);
  first!.policy(0).add(POLICY_CELL.impossibleActions, 3);
  first!.policy(0).add(POLICY_CELL.evaluationErrors, 5);
  deepEqual(await scrape(workers), [
    'sluice_act_signals_total{plugin="guard",signal="alarm"} 2',
    'sluice_act_signals_total{plugin="cache",signal="hit"} 1',
    'sluice_act_policy_matches_total{policy="block",action="reject"} 2',
    'sluice_act_policy_matches_total{policy="(default)",action="terminate"} 7',
    'sluice_act_policy_errors_total{policy="block",reason="evaluation"} 5',
    'sluice_act_policy_errors_total{policy="block",reason="impossible"} 3',
    'sluice_act_webhooks_total{policy="tell",result="failed"} 4',
  ]);
});
