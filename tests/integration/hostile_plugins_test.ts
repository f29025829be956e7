/**
 * Plugins that mean harm, in a gateway that serves others: it lives, the others are served as ever,
 * and what went wrong is counted under the right name.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HeldClient } from "../support/clients.ts";
import { BUSY, HOSTILE_FILES, mutation } from "../support/hostile_files.ts";
import { HOSTILE_MODULES, type HostileModule } from "../support/hostile_modules.ts";
import { type Harm, HostileScene, type Loop, settingsOf } from "../support/hostile_scene.ts";
import { fuzzPlan, Random } from "../support/random.ts";
import { testOnServers } from "../support/stories.ts";

/** Failures after which a plugin is switched off, as the configuration has it by default. */
const FAILURES_MAX = 10;

const ATTACKERS = 4;
const ATTACKS_EACH = 5;

/** Answers that others get after an attack, to show that they still are. */
const ANSWERS = 20;

const MIB = 1_048_576;

/**
 * What a plugin may cost: instances with 16 MiB of memory and 16 MiB of output in each call, until
 * what is left of them is collected.
 */
const GROWTH_MAX = 600 * MIB;

const MUTATIONS = 300;

/** Fails unless all that came of an attack is what should. */
function checkHarm(module: HostileModule, harm: Harm): void {
  const { failures, workersOff, errors, grownBytes } = harm;
  const told = `${module.name}: ${JSON.stringify(failures)}, errors ${[...errors].join(" ")}`;
  const { rest = 0, init = 0, ...others } = failures;
  for (const reason of Object.keys({ ...others, ...(init > 0 ? { init } : {}) })) {
    assert.ok(module.reasons.includes(reason), told);
  }
  const failed = Object.values(others).reduce((sum, one) => sum + one, 0);
  assert.equal(failed > 0, module.reasons.length > 0, told);
  // It is switched off, or rests until it may fail again.
  const isEverOff = module.settings["maxFailures"] !== 0 && failed > 0;
  if (!isEverOff) assert.equal(workersOff, 0, told);
  else if (workersOff === 0) assert.ok(rest > 0 && failed < FAILURES_MAX, told);
  else if (init === 0) assert.equal(failed, FAILURES_MAX, told);
  if (module.attackers !== "either") {
    const refused = [...errors.values()].reduce((sum, one) => sum + one, 0);
    assert.equal(refused, module.attackers === "served" ? 0 : ATTACKERS * ATTACKS_EACH, told);
  }
  assert.ok(grownBytes < GROWTH_MAX, `${module.name}: ${grownBytes} bytes more`);
}

/**
 * Whether what fails closed was not called for a while, so that nobody passed: where renewing it
 * took long, as on a machine that is busy with other things.
 */
function isResting({ settings }: HostileModule, { failures }: Harm): boolean {
  return settings["onFailure"] === "closed" && (failures["rest"] ?? 0) > 0;
}

async function untilAnswered(others: readonly Loop[], times: number): Promise<void> {
  await Promise.all(others.map((one) => one.answered(times)));
}

/** Fails unless they go on being answered, and have been refused nothing since they were asked. */
async function checkOthers(others: readonly Loop[]): Promise<void> {
  await untilAnswered(others, ANSWERS);
  assert.deepEqual(others.flatMap((one) => one.takeErrors()), []);
}

/** Lets a plugin come, go wild, and go again, however that ends. */
async function harmOf(
  module: HostileModule,
  scene: HostileScene,
  attackers: readonly HeldClient[],
  others: readonly Loop[],
): Promise<Harm> {
  try {
    assert.match(await scene.drop(module.name, module.bytes), /^(loaded|replaced)$/);
    const harm = await scene.attack(module, attackers, ATTACKS_EACH);
    if (!isResting(module, harm)) await untilAnswered(others, ANSWERS);
    return harm;
  } finally {
    await scene.remove(module.name);
  }
}

async function withOthers(
  scene: HostileScene,
  story: (others: readonly Loop[]) => Promise<void>,
): Promise<void> {
  const others = await Promise.all([scene.loop(), scene.loop(), scene.loop()]);
  try {
    await story(others);
    await checkOthers(others);
  } finally {
    await Promise.all(others.map((one) => one.end()));
  }
}

await testOnServers("Hostile plugins", {
  newestOnly: true,
  programs: [],
  postgres: { auth: "trust" },
}, {
  "one after the other goes wild, and nobody else notices": async ({ server }, test) => {
    await using scene = await HostileScene.start(server, settingsOf(HOSTILE_MODULES));
    await using clients = new AsyncDisposableStack();
    const attackers: HeldClient[] = [];
    for (let i = 0; i < ATTACKERS; i++) {
      attackers.push(clients.use(await HeldClient.connect(scene.via)));
    }
    await withOthers(scene, async (others) => {
      for (const module of HOSTILE_MODULES) {
        await test.step(module.name, async () => {
          const harm = await harmOf(module, scene, attackers, others);
          if (isResting(module, harm)) {
            await untilAnswered(others, 1);
            for (const one of others) one.forgive("58000");
          }
          await checkOthers(others);
          checkHarm(module, harm);
        });
      }
    });
  },

  "what is no plugin is refused, and why is counted": async ({ server }, test) => {
    await using scene = await HostileScene.start(server, settingsOf(HOSTILE_FILES));
    await withOthers(scene, async () => {
      for (const { name, bytes, manifest, result } of HOSTILE_FILES) {
        await test.step(name, async () => {
          const series = `sluice_plugin_loads_total{result="${result}"}`;
          const before = (await scene.gateway.metrics()).get(series) ?? 0;
          assert.equal(await scene.drop(name, bytes, manifest), result);
          assert.equal(await scene.gateway.metric(series), before + 1);
        });
      }
    });
  },

  "mutations of a good one replace each other, and all are served": async ({ server }) => {
    const { seed, rounds } = fuzzPlan(MUTATIONS);
    await using scene = await HostileScene.start(server, { busy: { onFailure: "open" } });
    await withOthers(scene, async (others) => {
      assert.equal(await scene.drop("busy", BUSY), "loaded");
      const random = new Random(seed);
      const outcomes = new Map<string, number>();
      for (let i = 0; i < rounds; i++) {
        const outcome = await scene.drop("busy", mutation(random));
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        await others[0]!.answered(2);
      }
      // The last word is that of a good one.
      assert.equal(await scene.drop("busy", BUSY), "replaced");
      const told = JSON.stringify([...outcomes]);
      if (rounds >= MUTATIONS) assert.ok(outcomes.has("replaced") && outcomes.has("module"), told);
      for (const one of outcomes.keys()) assert.ok(["replaced", "module", "start"].includes(one));
      // Names of metrics were changed, too: the page is read as it is.
      const page = await (await fetch(scene.gateway.metricsUrl)).text();
      assert.match(page, /^sluice_plugin_off\{plugin="busy"\} 0$/m);
    });
  },
});
