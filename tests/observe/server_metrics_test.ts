import { deepEqual } from "node:assert/strict";
import { GatewayMetrics } from "../../src/observe/metrics.ts";
import type { ServerReading } from "../../src/observe/server_metrics.ts";

const NO_FLAGS = { disabled: false, draining: false, fenced: false, lagging: false };

const PRIMARY: ServerReading = {
  client: "main",
  server: "db1:5432",
  health: "up",
  role: "primary",
  lagSize: 0,
  lagMs: 0,
  flags: NO_FLAGS,
  checks: new Map([["alive", 7], ["timeout", 1]]),
  checkMs: 2.5,
};

const REPLICA: ServerReading = {
  ...PRIMARY,
  server: "db2:5432",
  health: "down",
  role: "replica",
  lagSize: 4_096,
  lagMs: 1_500,
  flags: { ...NO_FLAGS, lagging: true },
  checks: new Map(),
  checkMs: undefined,
};

const UNKNOWN: ServerReading = { ...REPLICA, client: "other", health: "unknown", role: "unknown" };

async function lines(name: string, servers: readonly ServerReading[]): Promise<readonly string[]> {
  const metrics = new GatewayMetrics({
    layout: { listeners: [], pools: [] },
    workers: () => [],
    pools: new Map(),
    version: "1",
    servers: () => ({ servers, primaryChanges: new Map([["main", 2]]) }),
  });
  const text = await metrics.text();
  return text.split("\n").filter((line) => line.startsWith(`${name}{`)).map((line) =>
    line.slice(name.length)
  );
}

Deno.test("SERVER_METRICS show what is known of servers, and nothing that is not", async () => {
  const all = [PRIMARY, REPLICA, UNKNOWN];
  deepEqual(await lines("sluice_server_up", all), [
    '{client="main",server="db1:5432"} 1',
    '{client="main",server="db2:5432"} 0',
  ]);
  deepEqual(await lines("sluice_server_role", all), [
    '{client="main",server="db1:5432",role="primary"} 1',
    '{client="main",server="db2:5432",role="replica"} 1',
    '{client="other",server="db2:5432",role="unknown"} 1',
  ]);
  deepEqual(await lines("sluice_server_lag_bytes", all), [
    '{client="main",server="db2:5432"} 4096',
  ]);
  deepEqual(await lines("sluice_server_lag_seconds", all), [
    '{client="main",server="db2:5432"} 1.5',
  ]);
  deepEqual(await lines("sluice_server_checks_total", all), [
    '{client="main",server="db1:5432",result="alive"} 7',
    '{client="main",server="db1:5432",result="timeout"} 1',
  ]);
  deepEqual(await lines("sluice_server_check_seconds", all), [
    '{client="main",server="db1:5432"} 0.0025',
  ]);
  deepEqual(await lines("sluice_primary_changes_total", all), ['{client="main"} 2']);
  deepEqual(await lines("sluice_server_flag", [REPLICA]), [
    '{client="main",server="db2:5432",flag="disabled"} 0',
    '{client="main",server="db2:5432",flag="draining"} 0',
    '{client="main",server="db2:5432",flag="fenced"} 0',
    '{client="main",server="db2:5432",flag="lagging"} 1',
  ]);
});
