import { deepEqual, rejects } from "node:assert/strict";
import type { PluginSpec } from "../../src/plugin_host/plugin_spec.ts";
import type { PluginMemory } from "../../src/plugins/plugin_memory.ts";
import { PluginRounds } from "../../src/plugins/plugin_rounds.ts";

/** Plugins of a name: what else they are does not matter here. */
function named(name: string): readonly PluginSpec[] {
  return [{ name } as unknown as PluginSpec];
}

/** Workers "a" and "b", which use no plugins, and what they are told. */
function start() {
  const told: string[] = [];
  const memory = { use() {}, drop() {}, closeWorker() {}, buffersFor: () => ({}) };
  const rounds = new PluginRounds<string>({
    memory: memory as unknown as PluginMemory,
    indexOf: (member) => member === "a" ? 0 : 1,
    send(member, command) {
      const round = "round" in command ? command.round : 0;
      if (command.kind !== "plugins") told.push(`${member}: ${command.kind} ${round}`);
      else told.push(`${member}: ${command.round} ${command.plugins.map(({ spec }) => spec.name)}`);
    },
    onProblem: (member, problem) => told.push(`${member}: ${problem}`),
  });
  const restart = (member: string) => {
    rounds.startWith(member);
    rounds.onListening(member);
  };
  for (const member of ["a", "b"]) restart(member);
  /** What was said since it was asked last. */
  const heard = () => told.splice(0);
  return { rounds, heard, restart };
}

Deno.test("PluginRounds has all use what all have got ready, and nobody what one has not", async () => {
  const { rounds, heard } = start();
  const done = rounds.publish(named("x"), ["a", "b"], []);
  deepEqual(heard(), ["a: 1 x", "b: 1 x"]);
  rounds.onReady("a", 1, undefined);
  deepEqual(heard(), []);
  rounds.onReady("b", 1, undefined);
  await undefined;
  deepEqual(heard(), ["a: use_plugins 1", "b: use_plugins 1"]);
  rounds.onUsed("a", 1);
  rounds.onUsed("b", 1);
  await done;
  const failed = rounds.publish(named("y"), ["a", "b"], []);
  rounds.onReady("a", 2, undefined);
  rounds.onReady("b", 2, "no");
  await rejects(failed, /worker 1: no/);
  deepEqual(heard(), ["a: 2 y", "b: 2 y", "a: drop_plugins 2"]);
});

Deno.test("PluginRounds tells a worker again what it has left out for a round that came to nothing", async () => {
  const { rounds, heard, restart } = start();
  const first = rounds.publish(named("x"), ["a"], []);
  rounds.forget("b");
  restart("b");
  rounds.onReady("a", 1, undefined);
  await undefined;
  rounds.onUsed("a", 1);
  await first;
  deepEqual(heard(), ["a: 1 x", "b: 1 x", "a: use_plugins 1"]);
  const second = rounds.publish(named("y"), ["a", "b"], []);
  // It was told of the second round before it could use what it had got ready in the first one.
  rounds.onReady("b", 1, undefined);
  rounds.onReady("b", 2, undefined);
  rounds.onReady("a", 2, "no");
  await rejects(second, /worker 0: no/);
  deepEqual(heard(), [
    "a: 2 y",
    "b: 2 y",
    "b: use_plugins 1",
    "b: drop_plugins 2",
    "b: 1 x",
  ]);
  rounds.onReady("b", 1, undefined);
  deepEqual(heard(), ["b: use_plugins 1"]);
  rounds.onUsed("b", 1);
  const third = rounds.publish(named("z"), ["a", "b"], []);
  rounds.onReady("b", 3, undefined);
  rounds.onReady("a", 3, "no");
  await rejects(third, /worker 0: no/);
  deepEqual(heard(), ["a: 3 z", "b: 3 z", "b: drop_plugins 3"]);
});
