/**
 * The smallest plugin that comes with the gateway.
 *
 * @module
 */

import { deepEqual, equal, rejects } from "node:assert/strict";
import type pg from "pg";
import { PluginScene } from "../support/plugin_scene.ts";

const HELLO = { hello: { config: { greeting: "moin" } } };

PluginScene.test("hello says hello and counts", { plugins: HELLO }, async (scene) => {
  const client = await scene.client();
  for (const queryMode of ["simple", "extended"]) {
    for (const text of ["select hello()", "select hello();"]) {
      const { rows } = await client.query({ text, queryMode } as pg.QueryConfig);
      deepEqual(rows, [{ hello: "moin" }]);
    }
  }
  deepEqual((await client.query("select 1 as one")).rows, [{ one: 1 }]);
  await rejects(client.query("SELECT hello()"), { code: "42883" });
  equal(await scene.sum("plugin_hello_queries_total"), 6);
});
