import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import {
  LABEL_VALUE_SIZE_MAX,
  LABELS_MAX,
  NAME_LENGTH_MAX,
  parseSeriesName,
  seriesKey,
  type SeriesName,
} from "../../src/plugin_host/series_text.ts";

function parsed(text: string): SeriesName {
  const series = parseSeriesName(text);
  if (typeof series === "string") throw new Error(`${text}: ${series}`);
  return series;
}

function labelsOf(count: number, value = "v"): string {
  return Array.from({ length: count }, (_, i) => `l${i}="${value}"`).join(",");
}

Deno.test("parseSeriesName() reads names, with and without labels", () => {
  deepEqual(parsed("hits_total"), { name: "hits_total", labels: [] });
  deepEqual(parsed("_a9{}").labels, []);
  deepEqual(parsed('requests_total{table="users",kind="select"}'), {
    name: "requests_total",
    labels: [["kind", "select"], ["table", "users"]],
  });
  deepEqual(parsed('a{ b = "1" ,\tc="2", }').labels, [["b", "1"], ["c", "2"]]);
});

Deno.test("parseSeriesName() reads what is escaped, and leaves empty values out", () => {
  deepEqual(parsed(String.raw`a{b="\"\\\n\\n",c="{,=}ü"}`).labels, [
    ["b", '"\\\n\\n'],
    ["c", "{,=}ü"],
  ]);
  equal(seriesKey(parsed('a{b="",c="1"}')), seriesKey(parsed('a{c="1"}')));
});

Deno.test("seriesKey() is the same for any order, and no other series has it", () => {
  equal(seriesKey(parsed('a{b="1",c="2"}')), seriesKey(parsed('a{c="2",b="1"}')));
  const keys = ["a", 'a{b="1"}', 'a{b="2"}', 'a{c="1"}', 'b{b="1"}', 'a{b="1",c="1"}', "ab"];
  equal(new Set(keys.map((text) => seriesKey(parsed(text)))).size, keys.length);
  notEqual(seriesKey(parsed('a{b="1\\",c=\\"2"}')), seriesKey(parsed('a{b="1",c="2"}')));
});

Deno.test("parseSeriesName() takes what is just short enough, and refuses what is longer", () => {
  const name = "n".repeat(NAME_LENGTH_MAX);
  const value = "ü".repeat(LABEL_VALUE_SIZE_MAX / 2);
  equal(parsed(`${name}{${labelsOf(LABELS_MAX, value)}}`).labels.length, LABELS_MAX);
  equal(parsed(`a{${name}="1"}`).labels.length, 1);
  const wrong: readonly (readonly [text: string, why: RegExp])[] = [
    [`${name}n`, /the name is longer than 128/],
    [`a{${name}n="1"}`, /a label's name is longer than 128/],
    [`a{b="${value}1"}`, /the value of "b" is longer than 128 bytes/],
    [`a{${labelsOf(LABELS_MAX + 1)}}`, /more than 8 labels/],
    ["a".repeat(5_000), /longer than 4096/],
  ];
  for (const [text, why] of wrong) match(String(parseSeriesName(text)), why);
});

Deno.test("parseSeriesName() says what is wrong with a name, and refuses it", () => {
  const wrong: readonly (readonly [text: string, why: RegExp])[] = [
    ["", /the name must be a letter or "_".*it is ""/],
    ["1a", /the name must be a letter/],
    ["a:b", /the name must be a letter/],
    ["ä", /the name must be a letter/],
    ["a ", /the name must be a letter/],
    ["a\n", /the name must be a letter/],
    ["__a", /must not begin with "__"/],
    ['{b="1"}', /the name must be a letter/],
    ["a{", /it must be written as/],
    ['a{b="1"', /it must be written as/],
    ['a{b="1"}c', /it must be written as/],
    ["a{b}", /labels must be written as/],
    ["a{b=1}", /labels must be written as/],
    ['a{b="1"c="2"}', /labels must be written as/],
    ['a{b="1",,c="2"}', /labels must be written as|a label's name/],
    ["a{,}", /labels must be written as/],
    ['a{b="\\x"}', /labels must be written as/],
    ['a{b="\n"}', /labels must be written as/],
    ['a{b="\\"}', /labels must be written as/],
    ['a{="1"}', /a label's name must be a letter/],
    ['a{b-c="1"}', /a label's name must be a letter/],
    ['a{__b="1"}', /a label's name must not begin/],
    ['a{b="1",b="2"}', /the label "b" is there twice/],
    ['a{plugin="1"}', /the label "plugin" is set by the gateway/],
    ['a{le="1"}', /the label "le" is set by the gateway/],
    ['a{b="\0"}', /control character/],
    ['a{b="\r"}', /control character/],
    ['a{b="\x7f"}', /control character/],
    ['a{b="\ud800"}', /not well-formed/],
  ];
  for (const [text, why] of wrong) {
    const problem = parseSeriesName(text);
    ok(typeof problem === "string", `${JSON.stringify(text)} is taken`);
    match(problem, why, JSON.stringify(text));
  }
});
