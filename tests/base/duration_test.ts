import { equal } from "node:assert/strict";
import { formatDuration, parseDuration } from "../../src/base/duration.ts";

Deno.test("parseDuration reads every unit, combined from long to short", () => {
  const cases: readonly (readonly [text: string, ms: number])[] = [
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["5s", 5_000],
    ["1m", 60_000],
    ["2h", 7_200_000],
    ["1m30s", 90_000],
    ["1h2m3s4ms", 3_723_004],
    ["1m5ms", 60_005],
    ["90s", 90_000],
  ];
  for (const [text, ms] of cases) equal(parseDuration(text), ms, text);
});

Deno.test("parseDuration refuses what is not a duration", () => {
  const texts = [
    "",
    "5",
    "00",
    "-5s",
    "1.5s",
    "5 s",
    "5S",
    "s",
    "1s1m",
    "1s1s",
    "5s ",
    "1d",
    "5sec",
  ];
  for (const text of [...texts, "9".repeat(40) + "h"]) equal(parseDuration(text), undefined, text);
});

Deno.test("formatDuration writes what parseDuration reads", () => {
  for (const ms of [0, 1, 250, 999, 1_000, 61_000, 90_000, 3_600_000, 3_723_004, 86_400_000]) {
    equal(parseDuration(formatDuration(ms)), ms);
  }
  equal(formatDuration(90_000), "1m30s");
  equal(formatDuration(0), "0ms");
});
