import {
  deepStrictEqual as assertEquals,
  match as assertMatch,
  ok as assert,
} from "node:assert/strict";
import {
  counterBuffer,
  LATENCY_BOUNDS_SECONDS,
  LISTENER_CELL,
  POOL_CELL,
  WorkerCounters,
} from "../../src/observe/counters.ts";
import { GatewayMetrics, metricReference } from "../../src/observe/metrics.ts";
import { METRICS } from "../../src/observe/metric_declarations.ts";
import {
  AUTHENTICATION_FAILURES,
  CLOSE_REASONS,
  PIN_REASONS,
  SERVER_LOGIN_FAILURES,
  TLS_VERSIONS,
} from "../../src/observe/label_values.ts";
import { clearGauges, CLIENT_STATE_CELL } from "../../src/observe/state_cells.ts";
import { type Family, parseExposition } from "./exposition.ts";

const LAYOUT = { listeners: ["main", "tls"], pools: ["p", "q"] };

function newWorker(): WorkerCounters {
  return new WorkerCounters(LAYOUT, counterBuffer(LAYOUT));
}

/** What the clock of all metrics here says: milliseconds since 1970. */
const NOW_MS = 1_795_000_000_000;

function newMetrics(workers: readonly WorkerCounters[]) {
  const metrics = new GatewayMetrics({
    layout: LAYOUT,
    workers: () => workers,
    pools: new Map([["p", { size: 50 }], ["q", { size: 7 }]]),
    version: '1.2.3"\\\n',
    nowMs: () => NOW_MS,
  });
  return {
    metrics,
    scrape: async () => parseExposition(await metrics.text()),
  };
}

/** `name{a="x",b="y"}` in the order that the labels come in, without the process's own. */
function values(families: ReadonlyMap<string, Family>): Record<string, number> {
  const entries = [...families.values()].flatMap(({ series }) => series)
    .filter(({ name }) => name.startsWith("sluice_") && !name.startsWith("sluice_build"))
    .map(({ name, labels, value }) => {
      const inBraces = [...labels].map(([label, text]) => `${label}=${text}`).join(",");
      return [`${name}{${inBraces}}`, value] as const;
    });
  return Object.fromEntries(entries);
}

/** Only what is not zero. */
function moved(families: ReadonlyMap<string, Family>): Record<string, number> {
  return Object.fromEntries(Object.entries(values(families)).filter(([, value]) => value !== 0));
}

const IDLE = {
  "sluice_pool_size{pool=p}": 50,
  "sluice_pool_size{pool=q}": 7,
  "sluice_workers{}": 2,
};

Deno.test("GatewayMetrics.text() has every metric of the reference, and no other", async () => {
  const families = await newMetrics([newWorker()]).scrape();
  assertEquals(
    [...families.values()].map(({ name, type, help }) => ({ name, type, help })),
    metricReference().map(({ name, type, help }) => ({ name, type, help })),
  );
});

Deno.test("GatewayMetrics.text() uses the labels of the reference, and all of them", async () => {
  const worker = newWorker();
  worker.sqlStates.add("server", "23505");
  const families = await newMetrics([worker]).scrape();
  for (const { name, type, labels } of metricReference()) {
    for (const series of families.get(name)!.series) {
      const isBucket = type === "histogram" && series.name === `${name}_bucket`;
      assertEquals([...series.labels.keys()], isBucket ? [...labels, "le"] : labels, name);
    }
  }
});

Deno.test("GatewayMetrics.text() shows zeros before anything happens", async () => {
  const families = await newMetrics([newWorker(), newWorker()]).scrape();
  assertEquals(moved(families), IDLE);
  const all = values(families);
  assertEquals(all["sluice_client_connections{listener=tls,state=active}"], 0);
  assertEquals(all["sluice_queries_total{pool=q}"], 0);
  assertEquals(all["sluice_query_duration_seconds_count{pool=q}"], 0);
});

/** The series that shows each cell; of a cell that is the first of several, one for each. */
type SeriesOf = Readonly<Record<string, string | readonly string[]>>;

function each(
  name: string,
  group: string,
  label: string,
  values: readonly string[],
): readonly string[] {
  return values.map((value) => `${name}{${group},${label}=${value.replaceAll(" ", "_")}}`);
}

const TLS = "listener=tls";
const LISTENER_SERIES: SeriesOf = {
  clientsAccepted: `sluice_client_connections_total{${TLS}}`,
  clientsRefused: `sluice_client_connections_refused_total{${TLS}}`,
  clientsStartup: `sluice_client_connections{${TLS},state=startup}`,
  clientsWaiting: `sluice_client_connections{${TLS},state=waiting}`,
  clientsConnecting: `sluice_client_connections{${TLS},state=connecting}`,
  clientsLogin: `sluice_client_connections{${TLS},state=login}`,
  clientsActive: `sluice_client_connections{${TLS},state=active}`,
  clientsClosing: `sluice_client_connections{${TLS},state=closing}`,
  cancelsForwarded: `sluice_cancel_requests_total{${TLS},outcome=forwarded}`,
  cancelsIdle: `sluice_cancel_requests_total{${TLS},outcome=idle}`,
  cancelsUnknown: `sluice_cancel_requests_total{${TLS},outcome=unknown}`,
  cancelsFailed: `sluice_cancel_requests_total{${TLS},outcome=failed}`,
  cancelsRefused: `sluice_cancel_requests_total{${TLS},outcome=refused}`,
  loginTimeouts: `sluice_login_timeouts_total{${TLS}}`,
  authenticationFailures: each(
    "sluice_authentication_failures_total",
    TLS,
    "reason",
    AUTHENTICATION_FAILURES,
  ),
  tlsAccepted: each("sluice_client_tls_connections_total", TLS, "version", TLS_VERSIONS),
  tlsFailures: `sluice_client_tls_failures_total{${TLS}}`,
};
const Q = "pool=q";
const POOL_SERIES: SeriesOf = {
  serversConnecting: `sluice_server_connections{${Q},state=connecting}`,
  serversLogin: `sluice_server_connections{${Q},state=login}`,
  serversIdle: `sluice_server_connections{${Q},state=idle}`,
  serversActive: `sluice_server_connections{${Q},state=active}`,
  serversCleaning: `sluice_server_connections{${Q},state=cleaning}`,
  serversClosing: `sluice_server_connections{${Q},state=closing}`,
  serversOpened: `sluice_server_connections_total{${Q}}`,
  serverDialFailures: `sluice_server_dial_failures_total{${Q}}`,
  serverDialTimeouts: `sluice_server_connect_timeouts_total{${Q},phase=dial}`,
  serverLoginFailures: each(
    "sluice_server_login_failures_total",
    Q,
    "reason",
    SERVER_LOGIN_FAILURES,
  ),
  serverLoginTimeouts: `sluice_server_connect_timeouts_total{${Q},phase=login}`,
  serversSecured: each("sluice_server_tls_connections_total", Q, "version", TLS_VERSIONS),
  serversLost: `sluice_server_connections_lost_total{${Q}}`,
  serversClosed: each("sluice_server_connections_closed_total", Q, "reason", CLOSE_REASONS),
  logins: `sluice_client_logins_total{${Q}}`,
  waits: `sluice_pool_waits_total{${Q}}`,
  waitTimeouts: `sluice_pool_wait_timeouts_total{${Q}}`,
  waitsRefused: `sluice_pool_waits_refused_total{${Q}}`,
  waiters: `sluice_pool_waiters{${Q}}`,
  assignments: `sluice_server_assignments_total{${Q}}`,
  bytesFromClients: `sluice_relayed_bytes_total{${Q},direction=client_to_server}`,
  bytesFromServers: `sluice_relayed_bytes_total{${Q},direction=server_to_client}`,
  queries: `sluice_queries_total{${Q}}`,
  transactions: `sluice_transactions_total{${Q}}`,
  clientParses: `sluice_client_parses_total{${Q}}`,
  serverParses: `sluice_server_parses_total{${Q}}`,
  binds: `sluice_binds_total{${Q}}`,
  pins: each("sluice_session_pins_total", Q, "reason", PIN_REASONS),
  sessionsPinned: `sluice_pinned_sessions{${Q}}`,
  queryTimeouts: `sluice_session_timeouts_total{${Q},timeout=query}`,
  transactionTimeouts: `sluice_session_timeouts_total{${Q},timeout=transaction}`,
  idleTransactionTimeouts: `sluice_session_timeouts_total{${Q},timeout=idle_transaction}`,
  clientIdleTimeouts: `sluice_session_timeouts_total{${Q},timeout=client_idle}`,
};

/** Cells that are not summed: histograms, and instants; each has tests of its own. */
const OTHER_CELLS = /Seconds$|Since$|Seen$/;

for (
  const [group, cells, series, cellsOf] of [
    ["listener", LISTENER_CELL, LISTENER_SERIES, (w: WorkerCounters) => w.listener("tls")],
    ["pool", POOL_CELL, POOL_SERIES, (w: WorkerCounters) => w.pool("q")],
  ] as const
) {
  Deno.test(`GatewayMetrics.text() shows each ${group} cell in its own series, summed`, async () => {
    const names = Object.keys(cells).filter((name) => name !== "size" && !OTHER_CELLS.test(name));
    assertEquals(names, Object.keys(series));
    for (const name of names) {
      const expected = [series[name]!].flat();
      for (const [offset, one] of expected.entries()) {
        const cell = (cells as Readonly<Record<string, number>>)[name]! + offset;
        const workers = [newWorker(), newWorker()];
        cellsOf(workers[0]!).add(cell, 5);
        cellsOf(workers[1]!).add(cell, 37);
        const families = await newMetrics(workers).scrape();
        assertEquals(moved(families), { ...IDLE, [one]: 42 }, name);
      }
    }
  });
}

Deno.test("GatewayMetrics.text() shows the longest of all waits, of all workers", async () => {
  const series = "sluice_pool_max_wait_seconds{pool=q}";
  const workers = [newWorker(), newWorker()];
  const { scrape } = newMetrics(workers);
  const [first, second] = workers.map((worker) => worker.pool("q"));
  const waiters = "sluice_pool_waiters{pool=q}";
  for (const cells of [first, second]) {
    cells!.set(POOL_CELL.pooledWaitSeen, NOW_MS);
    cells!.set(POOL_CELL.waiters, 1);
  }
  const some = { ...IDLE, [waiters]: 2 };
  second!.set(POOL_CELL.pooledWaitSince, NOW_MS - 250);
  assertEquals(moved(await scrape()), { ...some, [series]: 0.25 });
  first!.set(POOL_CELL.pooledWaitSince, NOW_MS - 2_000);
  assertEquals(moved(await scrape()), { ...some, [series]: 2 });
  second!.set(POOL_CELL.relayedWaitSince, NOW_MS - 30_000);
  assertEquals(moved(await scrape()), { ...some, [series]: 30 });
  for (const cell of [POOL_CELL.relayedWaitSince, POOL_CELL.pooledWaitSince]) second!.set(cell, 0);
  first!.set(POOL_CELL.pooledWaitSince, NOW_MS + 1); // the clock was set back
  assertEquals(moved(await scrape()), some);
});

Deno.test("clearGauges() sets every gauge of a worker to 0, and no counter", async () => {
  const worker = newWorker();
  for (const name of LAYOUT.listeners) {
    for (let cell = 0; cell < LISTENER_CELL.size; cell++) worker.listener(name).set(cell, 3);
  }
  for (const name of LAYOUT.pools) {
    for (let cell = 0; cell < POOL_CELL.size; cell++) worker.pool(name).set(cell, 3);
  }
  clearGauges(LAYOUT, worker);
  const families = await newMetrics([worker]).scrape();
  const ofGroups = METRICS.filter(({ labels }) => /^(listener|pool)$/.test(labels[0] ?? ""));
  assert(ofGroups.length > 30);
  for (const { name, type } of ofGroups) {
    if (name === "sluice_pool_size") continue; // the configuration's
    for (const { name: part, value, labels } of families.get(name)!.series) {
      assertEquals(value === 0, type === "gauge", `${part} ${[...labels]}`);
    }
  }
});

for (
  const [name, cell] of [
    ["sluice_pool_wait_seconds", POOL_CELL.waitSeconds],
    ["sluice_query_duration_seconds", POOL_CELL.querySeconds],
    ["sluice_transaction_duration_seconds", POOL_CELL.transactionSeconds],
  ] as const
) {
  Deno.test(`GatewayMetrics.text() shows ${name} cumulated over buckets and workers`, async () => {
    const workers = [newWorker(), newWorker()];
    for (const seconds of [0.00005, 0.25, 64]) workers[0]!.pool("q").observe(cell, seconds);
    workers[1]!.pool("q").observe(cell, 0.25);
    const all = values(await newMetrics(workers).scrape());
    const bucket = (le: string) => all[`${name}_bucket{pool=q,le=${le}}`];
    assertEquals(["0.0001", "0.1", "0.25", "10", "+Inf"].map(bucket), [1, 1, 3, 3, 4]);
    assertEquals(all[`${name}_count{pool=q}`], 4);
    assertEquals(all[`${name}_sum{pool=q}`], 64.50005);
    assertEquals(all[`${name}_count{pool=p}`], 0);
    for (const bound of LATENCY_BOUNDS_SECONDS) assert(bucket(String(bound)) !== undefined);
  });
}

Deno.test("GatewayMetrics.text() sums errors by source and SQLSTATE over workers", async () => {
  const workers = [newWorker(), newWorker()];
  workers[0]!.sqlStates.add("server", "23505");
  workers[1]!.sqlStates.add("server", "23505");
  workers[1]!.sqlStates.add("gateway", "23505");
  workers[1]!.sqlStates.add("gateway", "\n");
  assertEquals(moved(await newMetrics(workers).scrape()), {
    ...IDLE,
    "sluice_errors_total{source=server,sqlstate=23505}": 2,
    "sluice_errors_total{source=gateway,sqlstate=23505}": 1,
    "sluice_errors_total{source=gateway,sqlstate=other}": 1,
  });
});

Deno.test("GatewayMetrics.text() limits the error series and never lets one fall", async () => {
  const workers = Array.from({ length: 4 }, () => newWorker());
  const { scrape } = newMetrics(workers);
  let before: Record<string, number> = {};
  let total = 0;
  for (let number = 0; number < 2000; number++) {
    const code = (number * 7919).toString(36).toUpperCase().padStart(5, "0");
    workers[number % 4]!.sqlStates.add("server", code);
    total += 1;
    if (number % 250 !== 249) continue;
    const { series } = (await scrape()).get("sluice_errors_total")!;
    const now = Object.fromEntries(series.map((s) => [s.labels.get("sqlstate")!, s.value]));
    for (const [code, count] of Object.entries(before)) assert(now[code]! >= count, code);
    assertEquals(Object.values(now).reduce((a, b) => a + b), total);
    assert(series.length <= 514, `${series.length} series`);
    before = now;
  }
});

Deno.test("GatewayMetrics.text() sees workers that come later", async () => {
  const workers = [newWorker()];
  const { scrape } = newMetrics(workers);
  workers[0]!.pool("p").add(POOL_CELL.queries, 3);
  assertEquals(values(await scrape())["sluice_queries_total{pool=p}"], 3);
  workers.push(newWorker());
  workers[1]!.pool("p").add(POOL_CELL.queries, 4);
  const all = values(await scrape());
  assertEquals([all["sluice_queries_total{pool=p}"], all["sluice_workers{}"]], [7, 2]);
});

Deno.test("GatewayMetrics.text() gives the same twice, and what moved in between", async () => {
  const worker = newWorker();
  const { scrape } = newMetrics([worker]);
  worker.listener("main").add(CLIENT_STATE_CELL.active, 2);
  const first = values(await scrape());
  assertEquals(values(await scrape()), first);
  worker.listener("main").add(CLIENT_STATE_CELL.active, -1);
  const series = "sluice_client_connections{listener=main,state=active}";
  assertEquals(values(await scrape()), { ...first, [series]: 1 });
});

Deno.test("GatewayMetrics counts the workers that run where it is told", async () => {
  const metrics = new GatewayMetrics({
    layout: LAYOUT,
    workers: () => [newWorker(), newWorker()],
    workersRunning: () => 1,
    pools: new Map(),
    version: "1",
  });
  const families = parseExposition(await metrics.text());
  assertEquals(families.get("sluice_workers")!.series[0]!.value, 1);
  assertEquals(families.get("sluice_pool_size")!.series, []);
});

Deno.test({
  name: "GatewayMetrics.text() leaves out what it may not read",
  permissions: { read: false, sys: false },
  async fn() {
    const families = await newMetrics([newWorker()]).scrape();
    assertEquals(families.get("process_open_fds")!.series, []);
    assertEquals(families.get("process_max_fds")!.series, []);
    assertEquals(families.get("process_resident_memory_bytes")!.series.length, 1);
  },
});

Deno.test("GatewayMetrics.text() names the versions, whatever is in them", async () => {
  const { metrics, scrape } = newMetrics([newWorker()]);
  const [info] = (await scrape()).get("sluice_build_info")!.series;
  assertEquals(info!.value, 1);
  assertEquals(Object.fromEntries(info!.labels), {
    version: '1.2.3"\\\n',
    deno: Deno.version.deno,
  });
  assertEquals(metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
});

Deno.test("metricReference() keeps to Prometheus' naming: units, help, bounded labels", () => {
  const labels = new Set(metricReference().flatMap((metric) => metric.labels));
  assertEquals([...labels].sort(), [
    "action",
    "client",
    "deno",
    "direction",
    "driver",
    "flag",
    "hook",
    "listener",
    "name",
    "outcome",
    "phase",
    "plugin",
    "policy",
    "pool",
    "priority",
    "proxy",
    "reason",
    "result",
    "role",
    "server",
    "sha256",
    "side",
    "signal",
    "source",
    "sqlstate",
    "state",
    "timeout",
    "verdict",
    "version",
  ]);
  for (const { name, type, help } of metricReference()) {
    assertMatch(help, /^[A-Z].{10,100}\.$/, name);
    if (type === "histogram") assertMatch(name, /_seconds$/);
    if (/seconds/.test(name)) assertMatch(help, /in seconds/, name);
    if (/bytes$/.test(name)) assertMatch(help, /in bytes/, name);
  }
});
