/**
 * A plugin is replaced a hundred times while pgbench works through it: no transaction fails, and
 * each query is seen by one version, once.
 *
 * @module
 */

import assert from "node:assert/strict";
import { print } from "../../src/cli/terminal.ts";
import { HeldClient } from "../support/clients.ts";
import { clientProgram, connectionArgs, connectionEnv } from "../support/psql.ts";
import { HostileScene } from "../support/hostile_scene.ts";
import { spawnProgram } from "../support/programs.ts";
import { testOnServers } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";
import { versionPlugin, WHICH } from "../support/version_plugin.ts";

const SWAPS = 100;

/** Each of these versions is followed by one that cannot be used. */
const BROKEN_EACH = 10;

const SCRIPT = "select 1;\n";

/** A series of the plugin that says how many queries a version has seen. */
const SEEN = /^plugin_seen_total\{plugin="versions",version="v\d+"\}$/;

/** pgbench until it is told to stop. */
class Pgbench {
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<string>;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#output = child.output().then(({ stdout, stderr }) =>
      new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)
    );
  }

  static async start(scene: HostileScene, folder: string, mode: string): Promise<Pgbench> {
    await Deno.writeTextFile(`${folder}/script.sql`, SCRIPT);
    const args = ["-n", "-M", mode, "-c", "4", "-T", "600", "-f", `${folder}/script.sql`];
    const all = [...connectionArgs(scene.via), ...args, scene.via.database];
    const env = connectionEnv(scene.via);
    return new Pgbench(spawnProgram(await clientProgram("pgbench"), all, { env }));
  }

  /** Ends it as its own time limit would. @returns How many transactions were done. */
  async end(): Promise<number> {
    this.#child.kill("SIGALRM");
    const said = await this.#output;
    assert.doesNotMatch(said, /ERROR|FATAL|abort/, said);
    assert.match(said, /number of failed transactions: 0 /);
    const done = /number of transactions actually processed: (\d+)/.exec(said);
    assert.ok(done, said);
    return Number(done[1]);
  }
}

async function seenByVersion(scene: HostileScene): Promise<Map<string, number>> {
  return new Map([...await scene.gateway.metrics()].filter(([series]) => SEEN.test(series)));
}

function sumOf(numbers: Iterable<number>): number {
  return [...numbers].reduce((sum, one) => sum + one, 0);
}

/** Replaces the plugin again and again. @returns How long each took, in milliseconds. */
async function swap(scene: HostileScene, first: number): Promise<number[]> {
  const times: number[] = [];
  for (let version = first; version < first + SWAPS; version++) {
    const startMs = performance.now();
    assert.equal(await scene.drop("versions", versionPlugin(version)), "replaced");
    times.push(performance.now() - startMs);
    if (version % BROKEN_EACH !== 0) continue;
    const cut = versionPlugin(version + 1).slice(0, 200);
    assert.equal(await scene.drop("versions", cut), "module");
  }
  return times;
}

await testOnServers(
  "A plugin is replaced under load",
  {
    newestOnly: true,
    programs: ["pgbench"],
    postgres: { auth: "trust" },
  },
  Object.fromEntries(["simple", "prepared"].map((mode) => [
    `pgbench -M ${mode}: no transaction fails, and each is seen once`,
    async ({ server }) => {
      const folder = await Deno.makeTempDir({ prefix: "sluice-pgbench-" });
      await using scene = await HostileScene.start(server, { versions: {} }, 2);
      try {
        assert.equal(await scene.drop("versions", versionPlugin(1)), "loaded");
        const pgbench = await Pgbench.start(scene, folder, mode);
        await eventually(
          "pgbench works",
          async () => sumOf((await seenByVersion(scene)).values()) > 0,
        );
        const times = (await swap(scene, 2)).toSorted((a, b) => a - b);
        const transactions = await pgbench.end();
        const seen = await seenByVersion(scene);
        const told = `${times[SWAPS / 2]!.toFixed(0)} ms, at most ${times.at(-1)!.toFixed(0)}`;
        print(`    ${transactions} transactions, ${seen.size} versions, a swap: ${told}\n`);
        await scene.gateway.untilIdle();
        assert.equal(sumOf((await seenByVersion(scene)).values()), transactions);
        await using client = await HeldClient.connect(scene.via);
        const [row] = await client.query(WHICH);
        assert.deepEqual(Object.values(row!), [`v${SWAPS + 1}`]);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  ])),
);
