/**
 * A plugin that is shown the configuration, and says what is to be different.
 *
 * @module
 */

import assert from "node:assert/strict";
import { configuringPlugin } from "../support/counter_plugin.ts";
import { configFor, type Gateway, type Sections, startGateway } from "../support/gateway.ts";

/** Starts a gateway whose plugin "setter" says `text`, and has `body` look at it. */
async function withSetter(
  text: string,
  body: (gateway: Gateway) => Promise<void>,
  { env = {}, setter = { permissions: ["replace"] } }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly setter?: Sections;
  } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
  try {
    await Deno.writeFile(`${folder}/setter.wasm`, configuringPlugin(text));
    const config = {
      ...configFor("127.0.0.1:1", { pool: { size: 5 } }),
      plugins: { directory: folder, setter },
    };
    await using gateway = await startGateway({ config, env });
    await body(gateway);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const SIZE = 'sluice_pool_size{pool="default"}';

Deno.test("onConfigLoaded: what a plugin says goes before the file", async () => {
  await withSetter('{"pools.default.size": "20", "runtime.workers": 2}', async (gateway) => {
    assert.equal(await gateway.metric(SIZE), 20);
    assert.equal(await gateway.metric("sluice_workers"), 2);
    const line = await gateway.untilLogged("configuration set by plugin", { plugin: "setter" });
    assert.equal(line["keys"], "pools.default.size, runtime.workers");
    // Files that are read again do not undo it.
    gateway.signal("SIGHUP");
    assert.equal(await gateway.metric(SIZE), 20);
  });
});

Deno.test("onConfigLoaded: the environment goes before what a plugin says", async () => {
  const env = { SLUICE_POOLS_DEFAULT_SIZE: "30" };
  await withSetter('{"pools.default.size": "20"}', async (gateway) => {
    assert.equal(await gateway.metric(SIZE), 30);
  }, { env });
});

Deno.test("onConfigLoaded: without the permission nothing is different", async () => {
  await withSetter('{"pools.default.size": "20"}', async (gateway) => {
    assert.equal(await gateway.metric(SIZE), 5);
    await gateway.untilLogged("plugin failed", { plugin: "setter", hook: "onConfigLoaded" });
  }, { setter: {} });
});

Deno.test("onConfigLoaded: what is no JSON object changes nothing", async () => {
  for (const text of ["[1]", "hello"]) {
    await withSetter(text, async (gateway) => {
      await gateway.untilLogged("plugin failed", { plugin: "setter", hook: "onConfigLoaded" });
      assert.equal(await gateway.metric(SIZE), 5);
    });
  }
});

Deno.test("onConfigLoaded: what cannot be used is an error with the plugin's name", async () => {
  const cases: readonly (readonly [text: string, error: RegExp])[] = [
    [
      '{"pools.default.size": "many"}',
      /plugin .{2}setter.{2}: pools\.default\.size: expected.*cannot start/,
    ],
    ['{"plugins.setter.priority": 1}', /no plugin can set keys of plugins.*cannot start/],
  ];
  for (const [text, error] of cases) {
    await assert.rejects(withSetter(text, () => Promise.resolve()), (thrown: Error) => {
      assert.match(thrown.message, error);
      return true;
    });
  }
});
