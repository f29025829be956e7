/**
 * Every metric of `docs/metrics.md` moves, and by as much as it says, when what it counts happens:
 * one that nobody feeds looks exactly like a gateway that is well.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import { metricReference } from "../../src/observe/metrics.ts";
import { SERVER_METRICS } from "../../src/observe/server_metrics.ts";
import { CONNECTION_SCENES, GATE_SCENES } from "./connection_scenes.ts";
import { Page, type Scenes } from "./numbers.ts";
import { SESSION_SCENES, TRAFFIC_SCENES, WAIT_SCENES } from "./traffic_scenes.ts";

const SCENES: Scenes = {
  ...WAIT_SCENES,
  ...TRAFFIC_SCENES,
  ...SESSION_SCENES,
  ...GATE_SCENES,
  ...CONNECTION_SCENES,
};

/** Series that nothing in a dialogue moves, and why. Metrics as a whole are never excused. */
const EXCUSED: Readonly<Record<string, string>> = {
  "sluice_session_pins_total{reason=other}": "for reasons that the list of them lacks",
  "sluice_client_tls_connections_total{version=TLSv1.2}": "the version is OpenSSL's to agree on",
  "sluice_client_tls_connections_total{version=other}": "OpenSSL speaks no other one",
  "sluice_server_tls_connections_total{version=TLSv1.2}": "the version is OpenSSL's to agree on",
  "sluice_server_tls_connections_total{version=other}": "OpenSSL speaks no other one",
  "sluice_server_connections_closed_total{reason=close_idle}": "nobody can ask for it yet",
};

Deno.test("Metrics move as they say, each of them", async (t) => {
  const page = new Page();
  for (const [name, run] of Object.entries(SCENES)) await t.step(name, () => run(page));
  await t.step("and there is no other one", () => {
    deepEqual(page.unmoved, Object.keys(EXCUSED).sort());
    // What plugins, policies and mirrors do moves in tests of their own: no dialogue here has any.
    // Nor are servers checked in one: what is made of checks is in server_metrics_test.ts.
    const ofServers = SERVER_METRICS.map(({ name }) => name);
    const others = metricReference().filter(({ name }) =>
      !/^sluice_(act_|mirror_|plugin_|plugins$)/.test(name) && !ofServers.includes(name)
    );
    const names = others.map(({ name, type }) => type === "histogram" ? `${name}_count` : name);
    deepEqual(names.filter((name) => !page.movedMetrics.has(name)), []);
  });
});
