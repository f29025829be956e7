/**
 * The plugin that gives queries other texts and sessions other parameters.
 *
 * @module
 */

import { deepEqual, equal, match, rejects } from "node:assert/strict";
import type pg from "pg";
import { QueryAnalyser } from "../../src/postgres/parser/query_analyser.ts";
import type { Sections } from "../support/gateway.ts";
import { PluginScene } from "../support/plugin_scene.ts";
import { startTestPostgres } from "../support/postgres.ts";

const analyser = await QueryAnalyser.load();

const RULES = [
  { name: "whole", text: "select version()", replacement: "select '$1' as version" },
  {
    name: "limit",
    pattern: "select \\* from big_* where id > *;",
    replacement: "select '$1' as name from big_$1 where id > $2 limit 1 -- $$1, $x",
  },
  { name: "hint", prefix: "/* slow */ ", replacement: "$1", goOn: true, ignoreCase: true },
  { name: "case", text: "Select ONE", replacement: "select 1 as one", ignoreCase: true },
  {
    name: "print",
    fingerprint: analyser.analyse("select max(id) from big_one where id < 1").fingerprint,
    replacement: "select 2 as two",
  },
];

const PARAMETERS = [
  { name: "application_name", prefix: "sluice: " },
  { name: "DateStyle", set: "German" },
  { name: "TimeZone", default: "Africa/Cairo" },
  { name: "options", append: "-c statement_timeout=1234" },
  { name: "extra_float_digits", remove: true },
];

function plugins(config: Sections) {
  return { plugins: { rewrite: { config } } };
}

PluginScene.test("rewrite replaces texts by rules", plugins({ rules: RULES }), async (scene, t) => {
  const client = await scene.client();
  await client.query("create table big_one (id int)");
  await client.query("insert into big_one select generate_series(1, 9)");
  const cases: readonly (readonly [rule: string, text: string, rows: readonly object[]])[] = [
    ["whole", "select version()", [{ version: "$1" }]],
    ["limit", "select * from big_one where id > 3;", [{ name: "one" }]],
    ["hint", "/* SLOW */ select 3 as Three", [{ three: 3 }]],
    ["case", "/* slow */ SELECT one", [{ one: 1 }]],
    ["print", "SELECT max(id) FROM big_one WHERE id < 77", [{ two: 2 }]],
    ["", "select * from big_one where id > 8", [{ id: 9 }]],
  ];
  for (const [rule, text, rows] of cases) {
    for (const queryMode of ["simple", "extended"]) {
      await t.step(`${rule} ${queryMode}`, async () => {
        const label = `rule="${rule}"`;
        const before = await scene.sum("plugin_rewrite_queries_total", label);
        const query = { text, queryMode } as pg.QueryConfig;
        deepEqual((await client.query(query)).rows, rows);
        const after = await scene.sum("plugin_rewrite_queries_total", label);
        equal(after - before, rule === "" ? 0 : 1);
      });
    }
  }
});

PluginScene.test(
  "rewrite changes parameters of sessions",
  plugins({ parameters: PARAMETERS }),
  async (scene) => {
    const client = await scene.client({ application_name: "shop" });
    const show = async (name: string) => (await client.query(`show ${name}`)).rows[0][name];
    equal(await show("application_name"), "sluice: shop");
    match(await show("DateStyle"), /^German/);
    equal(await show("TimeZone"), "Africa/Cairo");
    equal(await show("statement_timeout"), "1234ms");
    const other = await scene.client({ options: "-c TimeZone=UTC -c work_mem=7MB" });
    const { rows } = await other.query("show work_mem");
    deepEqual(rows, [{ "work_mem": "7MB" }]);
    equal(await scene.sum("plugin_rewrite_parameters_total", 'parameter="options"'), 2);
  },
);

Deno.test("rewrite refuses rules that make no sense", async () => {
  await using server = await startTestPostgres({ auth: "trust" });
  const wrong: readonly (readonly [Sections, RegExp])[] = [
    [{ rules: [{ name: "a", replacement: "x" }] }, /rule .*a.* needs one of/],
    [{ rules: [{ name: "b", pattern: "*", replacement: "$2" }] }, /there is no \$2/],
    [{ parameters: [{ name: "user", set: "postgres" }] }, /who the client is/],
  ];
  for (const [config, problem] of wrong) {
    const plugins = { rewrite: { onFailure: "closed", config } };
    await rejects(PluginScene.start(server, { plugins }), problem);
  }
});
