/**
 * The plugin audit with a collector: one that is well, one that fails, one that hangs.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  audited,
  type AuditRecord,
  BATCHES,
  DROPPED,
  recordsOf,
  withClient,
} from "../support/audit_records.ts";
import type { Gateway } from "../support/gateway.ts";
import { testShippedPlugin } from "../support/shipped_plugins.ts";
import type { ServerScene } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

/** Records as a collector gets them, and the requests that brought them. */
class Collector implements AsyncDisposable {
  readonly records: AuditRecord[] = [];
  readonly headers: Headers[] = [];
  /** How many are answered with 503 first; Infinity hangs. */
  failures = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = new AbortController();

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, signal: this.#end.signal, onListen() {} };
    this.#server = Deno.serve(options, (request) => this.#take(request));
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async #take(request: Request): Promise<Response> {
    if (this.failures === Infinity) return await new Promise(() => {});
    if (this.failures > 0) {
      this.failures -= 1;
      return new Response(null, { status: 503 });
    }
    this.headers.push(request.headers);
    const lines = (await request.text()).split("\n");
    assert.equal(lines.pop(), "");
    this.records.push(...lines.map((line) => JSON.parse(line)));
    return new Response();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#server.finished;
  }
}

function withCollector(
  scene: ServerScene,
  collector: Collector,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Gateway> {
  const headers = ["authorization: Bearer t0ken"];
  const url = `http://${collector.host}/records`;
  const config = { log: false, collector: { url, headers, ...settings } };
  const permissions = ["log", "parse", "http"];
  return audited(scene, config, { permissions, hosts: [collector.host] });
}

await testShippedPlugin("audit", [], {
  "a collector gets every record once, in batches": async (scene) => {
    await using collector = new Collector();
    await using gateway = await withCollector(scene, collector);
    await withClient(gateway, async (client) => {
      for (let i = 0; i < 1000; i++) await client.query("select $1::int", [i]);
    });
    await eventually("all have come", () => collector.records.length >= 1002);
    assert.equal(collector.records.length, 1002);
    const requests = collector.records.filter(({ audit }) => audit === "query")
      .map(({ request }) => Number(request));
    assert.deepEqual(requests, requests.toSorted((a, b) => a - b));
    assert.equal(new Set(requests).size, 1000);
    assert.ok(collector.headers.length < 200, `${collector.headers.length} requests`);
    assert.equal(collector.headers[0]!.get("authorization"), "Bearer t0ken");
    assert.equal(collector.headers[0]!.get("content-type"), "application/x-ndjson");
    assert.deepEqual(recordsOf(gateway), []);
    assert.doesNotMatch(gateway.logText, /t0ken/);
  },

  "a collector that fails for a while loses nothing": async (scene) => {
    await using collector = new Collector();
    collector.failures = 2;
    await using gateway = await withCollector(scene, collector);
    await withClient(gateway, async (client) => {
      for (let i = 0; i < 20; i++) await client.query("select 1");
    });
    await eventually("all have come", () => collector.records.length === 22);
    assert.equal(await gateway.metric(BATCHES("failed")), 2);
  },

  "a collector that hangs holds up nobody, and what it misses is counted": async (scene) => {
    await using collector = new Collector();
    collector.failures = Infinity;
    await using gateway = await withCollector(scene, collector, {
      bufferBytes: 20_000,
      batchBytes: 5_000,
      attempts: 1,
    });
    await withClient(gateway, async (client) => {
      for (let i = 0; i < 1000; i++) await client.query("select 1");
    });
    const early = await gateway.metric(DROPPED("buffer"));
    assert.ok(early > 900, `${early} were dropped`);
    // The host gives a request up after 10 seconds.
    await eventually(
      "the batch is given up",
      async () => await gateway.metric(DROPPED("collector")) > 0,
    );
    collector.failures = 0;
    await eventually("all are accounted for", () => {
      const told = collector.records.filter(({ audit }) => audit === "dropped")
        .reduce((sum, one) => sum + Number(one["records"]), 0);
      return told > 0 &&
        told + collector.records.filter(({ audit }) => audit !== "dropped").length === 1002;
    });
    assert.match(gateway.logText, /The collector did not take \d+ records: /);
  },

  "a collector without its permission keeps the plugin from starting": async (scene) => {
    const config = { collector: { url: "http://127.0.0.1:9" } };
    await assert.rejects(audited(scene, config), /needs the permission http/);
  },
});
