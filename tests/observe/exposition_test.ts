import { deepStrictEqual as assertEquals, throws as assertThrows } from "node:assert/strict";
import { parseExposition } from "./exposition.ts";

const HISTOGRAM = `# HELP h_seconds Help.
# TYPE h_seconds histogram
h_seconds_bucket{p="a",le="0.1"} 1
h_seconds_bucket{p="a",le="+Inf"} 3
h_seconds_sum{p="a"} 2.5
h_seconds_count{p="a"} 3
`;

Deno.test("parseExposition() reads what is right", () => {
  const text = `# HELP g Help, with "quotes".\n# TYPE g gauge\ng{a="x\\n\\"\\\\",b=""} -1.5e-7\n`;
  const families = parseExposition(`${text}\n${HISTOGRAM}`);
  assertEquals([...families.keys()], ["g", "h_seconds"]);
  const [series] = families.get("g")!.series;
  assertEquals(Object.fromEntries(series!.labels), { a: 'x\n"\\', b: "" });
  assertEquals(series!.value, -1.5e-7);
});

const WRONG: Readonly<Record<string, string>> = {
  "no end of the last line": "# HELP g Help\n# TYPE g gauge\ng 1",
  "no HELP": "# TYPE g gauge\ng 1\n",
  "no TYPE": "g 1\n",
  "two TYPEs": "# HELP g H\n# TYPE g gauge\n# HELP g H\n# TYPE g gauge\n",
  "an unknown type": "# HELP g H\n# TYPE g number\ng 1\n",
  "a duplicate series": '# HELP g H\n# TYPE g gauge\ng{a="1",b="2"} 1\ng{b="2",a="1"} 1\n',
  "a label twice": '# HELP g H\n# TYPE g gauge\ng{a="1",a="2"} 1\n',
  "a raw quote": '# HELP g H\n# TYPE g gauge\ng{a="""} 1\n',
  "NaN": "# HELP g H\n# TYPE g gauge\ng NaN\n",
  "a series of another metric": "# HELP g H\n# TYPE g gauge\nf 1\n",
  "a counter without _total": "# HELP g H\n# TYPE g counter\ng 1\n",
  "a gauge with _total": "# HELP g_total H\n# TYPE g_total gauge\ng_total 1\n",
  "a negative counter": "# HELP g_total H\n# TYPE g_total counter\ng_total -1\n",
  "buckets that fall": HISTOGRAM.replace('0.1"} 1', '0.1"} 4'),
  "+Inf unlike the count": HISTOGRAM.replace("} 3\n", "} 2\n"),
  "no +Inf": HISTOGRAM.replace("+Inf", "7"),
  "no sum": HISTOGRAM.replace(/.*_sum.*\n/, ""),
};

for (const [what, text] of Object.entries(WRONG)) {
  Deno.test(`parseExposition() throws on ${what}`, () => {
    assertThrows(() => parseExposition(text));
  });
}
