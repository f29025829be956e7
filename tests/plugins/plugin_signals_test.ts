import { deepEqual, equal } from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { HookChain } from "../../src/hooks/chain.ts";
import { HOOK } from "../../src/hooks/hooks.ts";
import { FORWARD, type Verdict } from "../../src/hooks/verdict.ts";
import { createPlugin } from "../../src/plugins/plugin_factory.ts";
import type { LivePlugin } from "../../src/plugins/plugin_plane.ts";
import { PluginSignals } from "../../src/plugins/plugin_signals.ts";
import { PluginMemory } from "../../src/plugins/plugin_memory.ts";
import { ActWorld, eventOf, policyOf, REJECT } from "../act/world.ts";
import { moduleOf, specOf, TEXT_AT } from "../support/plugins.ts";
import { eventually } from "../support/wait.ts";

const ALL_TYPES = new Uint8Array(256).fill(1);

/** A plugin that signals these names at each call, and then has this opinion of its own. */
function signalling(
  signals: PluginSignals,
  name: string,
  names: readonly string[],
  verdict: Verdict = FORWARD,
): LivePlugin & { readonly isClosed: () => boolean } {
  let isClosed = false;
  return {
    name,
    priority: 7,
    hooks: [HOOK.onQuery],
    mayRespond: true,
    messageTypes: () => ALL_TYPES,
    call() {
      for (const one of names) signals.hear({ plugin: name, name: one, metadata: {} });
      return verdict;
    },
    close: () => void (isClosed = true),
    isClosed: () => isClosed,
  };
}

Deno.test("PluginSignals.judged() is the plugin but for its verdicts", () => {
  const signals = new PluginSignals(new ActWorld().act);
  const plugin = signalling(signals, "guard", []);
  const { name, priority, hooks, mayRespond, ...judged } = signals.judged(plugin);
  deepEqual([name, priority, hooks, mayRespond], ["guard", 7, [HOOK.onQuery], true]);
  equal(judged.messageTypes(HOOK.onQuery), ALL_TYPES);
  equal(judged.call(eventOf()), FORWARD, "without signals the verdict itself");
  judged.close();
  equal(plugin.isClosed(), true);
});

Deno.test("PluginSignals.judged() gives the chain what policies make of a verdict", () => {
  const world = new ActWorld([
    policyOf(REJECT),
    policyOf({ kind: "delay", delayMs: 70 }, {
      signal: "slow",
    }),
  ]);
  const signals = new PluginSignals(world.act);
  const run = (...plugins: readonly LivePlugin[]) => {
    const event = eventOf();
    const chain = new HookChain(plugins.map((plugin) => signals.judged(plugin)));
    return [chain.run(event).kind, event.delayMs];
  };
  deepEqual(run(signalling(signals, "a", ["alarm"])), ["reject", 0]);
  deepEqual(run(signalling(signals, "a", ["slow"])), ["forward", 70]);
  // Each call has its own: what the first one said is not said again for the second.
  deepEqual(run(signalling(signals, "a", ["calm"]), signalling(signals, "b", [])), ["forward", 0]);
  deepEqual(run(signalling(signals, "a", []), signalling(signals, "b", ["alarm"])), ["reject", 0]);
  equal(world.count("(default)", "matches"), 1);
  equal(world.count("reject", "matches"), 2);
});

Deno.test("Signals of an answer to a request meet the policies, those of a start do not", async () => {
  const heard = Promise.withResolvers<void>();
  const world = new ActWorld([policyOf({ kind: "log", level: "warn", message: "heard" })]);
  const signals = new PluginSignals(world.act);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    heard.resolve();
    return new Response("fine");
  });
  const host = `127.0.0.1:${server.addr.port}`;
  const url = `http://${host}/`;
  const at = (offset: number, size: number) =>
    `(i32.const ${TEXT_AT + offset}) (i32.const ${size})`;
  const signal = `(call $signal ${at(0, 5)} ${at(5, 2)})`;
  // While it starts, nothing happens that a policy could be about: absent.
  const more = `
    (func (export "sluice_init") (result i32) (i32.ne ${signal} (i32.const -1)))
    (func (export "onHook") (result i32) (drop ${signal}) (i32.const 0))`;
  const send = `(drop (call $http_send ${at(7, 3)} ${at(10, url.length)} ${at(0, 0)} ${at(0, 0)}))
    (i32.const 0)`;
  const spec = specOf(moduleOf(send, more, `alarm{}GET${url}`), { hosts: [host] });
  const plugin = await createPlugin(
    { spec, buffers: new PluginMemory(() => {}).buffersFor(0, spec) },
    {
      worker: 0,
      clock: SYSTEM_CLOCK,
      fetch,
      wallMs: Date.now,
      emit: () => {},
      signals,
      analyse: () => undefined,
      onSeries: () => {},
    },
  );
  equal(plugin.call(eventOf()), FORWARD);
  await heard.promise;
  await eventually("policies were asked", () => world.records.length > 0);
  deepEqual(world.records.map(({ message, fields }) => [message, fields["hook"]]), [
    ["heard", "onHook"],
  ]);
  plugin.close();
  await server.shutdown();
});
