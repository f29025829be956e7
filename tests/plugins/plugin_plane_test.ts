import { deepEqual, equal, rejects } from "node:assert/strict";
import { textOf, utf8 } from "../../src/base/bytes.ts";
import type { HookEvent } from "../../src/hooks/event.ts";
import { CAN, HOOK } from "../../src/hooks/hooks.ts";
import { FORWARD, type Verdict } from "../../src/hooks/verdict.ts";
import type { PluginSpec } from "../../src/plugin_host/plugin_spec.ts";
import type { WorkerPlugin } from "../../src/data_plane_messages.ts";
import { PluginPlane } from "../../src/plugins/plugin_plane.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { specOf } from "../support/plugins.ts";

const SPEC = specOf('(module (memory (export "memory") 1))');

/** A plane whose plugins write down what happens to them. */
class Fixture {
  readonly said: string[] = [];
  readonly clock = new FakeClock();
  readonly verdicts = new Map<string, Verdict>();
  readonly plane = new PluginPlane({
    clock: this.clock,
    create: ({ spec }) => this.#create(spec),
    provide: () => Promise.resolve(),
  });

  #create({ name, generation, hooks, priority, version }: PluginSpec) {
    if (version === "broken") return Promise.reject(new Error(`${name} does not start`));
    const called = `${name}${generation}`;
    this.said.push(`+${called}`);
    return Promise.resolve({
      name,
      priority,
      hooks,
      mayRespond: false,
      messageTypes: () => new Uint8Array(256).fill(1),
      call: (event: HookEvent) => {
        this.said.push(`${called}(${textOf(event.payload)})`);
        return this.verdicts.get(name) ?? FORWARD;
      },
      close: () => void this.said.push(`-${called}`),
    });
  }

  /** What was said since the last time. */
  heard(): string {
    return this.said.splice(0).join(" ");
  }
}

function plugin(name: string, generation: number, more: Partial<PluginSpec> = {}): WorkerPlugin {
  const hooks = [HOOK.onTick, HOOK.onConfigLoaded];
  const empty = new SharedArrayBuffer(0);
  const spec = { ...SPEC, name, generation, hooks, ...more };
  return { spec, buffers: { metrics: empty, counters: empty } };
}

Deno.test("PluginPlane.start() uses what starts, and says what does not", async () => {
  const world = new Fixture();
  const broken = plugin("b", 1, { version: "broken" });
  const failed = await world.plane.start([plugin("a", 1), broken]);
  deepEqual([...failed], [["b", "b does not start"]]);
  equal(world.plane.hooks.chain.wants[HOOK.onTick], 1);
  const closed = plugin("b", 1, { version: "broken", onFailure: "closed" });
  await rejects(new Fixture().plane.start([closed]), /b does not start/);
});

Deno.test("PluginPlane swaps only when it is told to, and leaves others alone", async () => {
  const world = new Fixture();
  const { plane } = world;
  await plane.start([plugin("a", 1), plugin("b", 2)]);
  equal(world.heard(), "+a1 +b2");
  await plane.prepare(1, [plugin("a", 3), plugin("b", 2)]);
  plane.call("onTick", utf8("x"));
  equal(world.heard(), "+a3 a1(x) b2(x)", "the old one goes on");
  plane.use(7);
  plane.call("onTick", utf8("y"));
  equal(world.heard(), "a1(y) b2(y)", "of another round");
  plane.use(1);
  plane.call("onTick", utf8("z"));
  equal(world.heard(), "-a1 a3(z) b2(z)");
  await plane.prepare(2, [plugin("b", 2)]);
  plane.use(2);
  equal(world.heard(), "-a3");
  plane.close();
  equal(world.heard(), "-b2");
});

Deno.test("PluginPlane forgets what it is not to use, and what could not be made", async () => {
  const world = new Fixture();
  const { plane } = world;
  await plane.start([plugin("a", 1)]);
  await plane.prepare(1, [plugin("a", 2)]);
  plane.drop(3);
  equal(world.heard(), "+a1 +a2", "of another round");
  plane.drop(1);
  plane.use(1);
  equal(world.heard(), "-a2");
  const broken = plugin("c", 4, { version: "broken" });
  await rejects(plane.prepare(2, [plugin("a", 1), plugin("b", 3), broken]), /c does not start/);
  plane.use(2);
  equal(world.heard(), "+b3 -b3", "and not a1, which runs");
  await plane.prepare(3, [plugin("a", 5)]);
  await plane.prepare(4, [plugin("a", 6)]);
  equal(world.heard(), "+a5 -a5 +a6", "a round takes the place of the one before");
  // However long each takes, the last one stays.
  await Promise.all([plane.prepare(5, [plugin("a", 7)]), plane.prepare(6, [plugin("a", 8)])]);
  equal(world.heard(), "-a6 +a7 -a7 +a8");
  equal(plane.use(5), false);
  plane.close();
  equal(world.heard(), "-a8 -a1");
});

Deno.test("PluginPlane.tick() calls again and again, until it is stopped", async () => {
  const world = new Fixture();
  await world.plane.start([plugin("a", 1)]);
  let sessions = 3;
  world.plane.tick(100, () => sessions);
  world.heard();
  await world.clock.pass(100);
  sessions = 4;
  await world.clock.pass(100);
  equal(world.heard(), "a1(3) a1(4)");
  world.plane.stopTicking();
  await world.clock.pass(1_000);
  equal(world.heard(), "");
});

Deno.test("PluginPlane.callEach() shows everybody the same, whatever the others say", async () => {
  const world = new Fixture();
  const { plane } = world;
  await plane.start([
    plugin("b", 1),
    plugin("c", 2, { priority: 0 }),
    plugin("a", 3, { hooks: [] }),
  ]);
  const replace: Verdict = { kind: "replace", bytes: utf8("other") };
  world.verdicts.set("b", replace);
  world.verdicts.set("c", replace);
  world.heard();
  const verdicts = plane.callEach("onConfigLoaded", utf8("{}"), CAN.replace);
  equal(world.heard(), "b1({}) c2({})");
  deepEqual([...verdicts], [["b", replace], ["c", replace]]);
  equal(plane.call("onRun", utf8("")), undefined, "nobody wants it");
});
