/**
 * What the plugin `cache` is worth: pgbench on a query that costs the database something, and on
 * one that costs it next to nothing, asked of the database, of a gateway, and of a gateway with
 * the cache.
 *
 *     deno run -A bench/cache_bench.ts [--seconds 5] [--clients 8] [--workers 2]
 *
 * @module
 */

import { parseArgs } from "node:util";
import { configFor, startGateway } from "../tests/support/gateway.ts";
import { PluginScene } from "../tests/support/plugin_scene.ts";
import { startTestPostgres } from "../tests/support/postgres.ts";
import { runProgram } from "../tests/support/programs.ts";
import { clientProgram } from "../tests/support/psql.ts";

const ROWS = 5_000;

/** Scripts of pgbench, by what they ask. */
const SCRIPTS = {
  aggregate: `select kind, count(*), sum(amount) from sales group by kind order by kind;\n`,
  "by key": `\\set id random(1, 1000)\nselect * from sales where id = :id;\n`,
} as const;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    clients: { type: "string", default: "8" },
    workers: { type: "string", default: "2" },
  },
});

/** Transactions in a second. */
async function run(script: string, port: number, protocol: string): Promise<number> {
  const where = ["-h", "127.0.0.1", "-p", String(port), "-U", "postgres", "postgres"];
  const how = ["-n", "-M", protocol, "-c", values.clients, "-j", "2", "-T", values.seconds];
  const result = await runProgram(pgbench, [...how, "-f", script, ...where]);
  const found = /tps = ([\d.]+)/.exec(result.stdout)?.[1];
  if (result.code !== 0 || found === undefined) throw new Error(result.stderr);
  return Number(found);
}

const pgbench = await clientProgram("pgbench");
await using server = await startTestPostgres({ auth: "trust" });
const workers = Number(values.workers);
const pool = { size: 8 };
await using cached = await PluginScene.start(server, {
  plugins: { cache: { kvMax: "16MiB" } },
  workers,
  pool,
});
const address = `${server.host}:${server.port}`;
await using plain = await startGateway({
  config: configFor(address, {
    workers,
    server: { auth: { method: "trust" } },
    pool: { mode: "transaction", ...pool },
  }),
});
const owner = await cached.client();
await owner.query("create table sales (id int primary key, kind int, amount numeric)");
await owner.query(`insert into sales select i, i % 20, i from generate_series(1, ${ROWS}) i`);
await owner.query("vacuum analyze sales");

const ports = {
  database: server.port,
  gateway: plain.targetOf("default").port,
  cache: cached.gateway.targetOf("default").port,
};
const lines = ["| query | protocol | database | gateway | with cache | cache : database |"];
lines.push("|---|---|---|---|---|---|");
for (const [name, text] of Object.entries(SCRIPTS)) {
  const script = `${cached.gateway.folder}/bench.sql`;
  await Deno.writeTextFile(script, text);
  for (const protocol of ["simple", "extended", "prepared"]) {
    const direct = await run(script, ports.database, protocol);
    const through = await run(script, ports.gateway, protocol);
    const hits = await run(script, ports.cache, protocol);
    const [a, b, c] = [direct, through, hits].map((tps) => Math.round(tps).toLocaleString("en"));
    const ratio = (hits / direct).toFixed(1);
    lines.push(`| ${name} | ${protocol} | ${a} | ${b} | ${c} | ${ratio} |`);
  }
}
const misses = await cached.sum("plugin_cache_misses_total");
lines.push("", `${await cached.sum("plugin_cache_hits_total")} hits, ${misses} misses.`, "");
await Deno.stdout.write(new TextEncoder().encode(lines.join("\n")));
