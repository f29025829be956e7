/**
 * How long clients are kept waiting by plugins that mean harm: for each of them the longest answer
 * to `select 1` while others have the plugin go wild, in the same worker and in the other one. It
 * needs PostgreSQL, and shows nothing on a machine that has other things to do.
 *
 *     deno run -A bench/hostile.ts [rounds] [name of a plugin]
 *
 * SLUICE_BINARY names the executable to measure; without it the source is.
 *
 * @module
 */

import { print } from "../src/cli/terminal.ts";
import { HeldClient } from "../tests/support/clients.ts";
import { forwardingPlugin } from "../tests/support/counter_plugin.ts";
import { HOSTILE_MODULES, type HostileModule } from "../tests/support/hostile_modules.ts";
import { type Harm, HostileScene, Loop, settingsOf } from "../tests/support/hostile_scene.ts";
import { IMPORTS } from "../tests/support/plugins.ts";
import { startTestPostgres } from "../tests/support/postgres.ts";
import { pause } from "../tests/support/wait.ts";
import { assemble } from "../tests/support/wasm.ts";
import { spreadOf } from "./statistics.ts";

/** Clients that attack at once: their messages can come in one turn of the worker's loop. */
const ATTACKERS = 10;
const ATTACKS_EACH = 5;

/** How long answers are measured after the last attack, in milliseconds. */
const REST_MS = 200;

/** Answers `select 'where'` with the number of the worker. */
const WHERE = assemble(`(module ${IMPORTS}
  (memory (export "memory") 1)
  (func (export "sluice_event") (result i32) (i32.const 1024))
  (func (export "onQuery") (result i32)
    (i32.store8 (i32.const 0) (i32.const 0))
    (drop (call $read (i32.const 1) (i32.const 8) (i32.const 0) (i32.const 1)))
    (if (i32.ne (i32.load8_u (i32.const 0)) (i32.const 0x77)) (then (return (i32.const 0))))
    (i32.store8 (i32.const 0) (i32.add (i32.const 48) (i32.load (i32.const 1076))))
    (drop (call $result_column (i32.const 0) (i32.const 1) (i32.const 25)))
    (drop (call $result_value (i32.const 0) (i32.const 1)))
    (i32.const 2)))`);

/** Nothing happens. */
const HARMLESS: HostileModule = {
  name: "harmless",
  bytes: forwardingPlugin(["onQuery"]),
  settings: {},
  reasons: [],
  attackers: "served",
};

/** What one round has shown. */
interface Round {
  readonly sameMs: number;
  readonly otherMs: number;
  readonly harm: Harm;
}

/** Clients of one worker. */
async function clientsOf(scene: HostileScene, worker: string, count: number) {
  const clients: HeldClient[] = [];
  while (clients.length < count) {
    const client = await HeldClient.connect(scene.via);
    const [row] = await client.query("select 'where'");
    if (Object.values(row!)[0] === worker) clients.push(client);
    else await client.end();
  }
  return clients;
}

async function round(
  scene: HostileScene,
  module: HostileModule,
  attackers: readonly HeldClient[],
  [same, other]: readonly [Loop, Loop],
): Promise<Round> {
  same.reset();
  other.reset();
  await scene.drop(module.name, module.bytes);
  const harm = await scene.attack(module, attackers, ATTACKS_EACH);
  await pause(REST_MS);
  const [sameMs, otherMs] = [same.seen.longestMs, other.seen.longestMs];
  await scene.remove(module.name);
  return { sameMs, otherMs, harm };
}

function shown(times: readonly number[]): string {
  const { median, min, max } = spreadOf(times);
  return [median, min, max].map((ms) => ms.toFixed(0).padStart(6)).join("");
}

const rounds = Number(Deno.args[0] ?? 5);
const modules = [HARMLESS, ...HOSTILE_MODULES].filter(({ name }) =>
  name.includes(Deno.args[1] ?? "")
);
const settings = { where: {}, ...settingsOf(modules) };
await using server = await startTestPostgres({ auth: "trust" });
await using scene = await HostileScene.start(server, settings, 2);
await scene.drop("where", WHERE);
const attackers = await clientsOf(scene, "0", ATTACKERS);
const loops: readonly [Loop, Loop] = [
  new Loop((await clientsOf(scene, "0", 1))[0]!, "select 1"),
  new Loop((await clientsOf(scene, "1", 1))[0]!, "select 1"),
];
print("longest answer, ms:     same worker          other worker\n");
print(
  "plugin                median  min   max   median  min   max   MiB  failures of the last round\n",
);
for (const module of modules) {
  const all: Round[] = [];
  for (let i = 0; i < rounds; i++) all.push(await round(scene, module, attackers, loops));
  const last = all.at(-1)!.harm;
  const mebibytes = Math.max(...all.map(({ harm }) => harm.grownBytes)) / 2 ** 20;
  print([
    module.name.padEnd(21),
    shown(all.map(({ sameMs }) => sameMs)),
    " ",
    shown(all.map(({ otherMs }) => otherMs)),
    mebibytes.toFixed(0).padStart(7),
    `  ${JSON.stringify(last.failures)}${last.workersOff > 0 ? " off" : ""}\n`,
  ].join(""));
}
for (const loop of loops) await loop.end();
for (const client of attackers) await client.end();
