import { equal, ok } from "node:assert/strict";
import { PeakEwma } from "../../../src/upstream/balancer/peak_ewma.ts";

function near(actual: number, expected: number): void {
  ok(Math.abs(actual - expected) <= 1e-9 * Math.abs(expected), `${actual} for ${expected}`);
}

Deno.test("PeakEwma knows nothing at first", () => {
  const ewma = new PeakEwma(10_000);
  equal(ewma.value(0), 0);
  equal(ewma.value(123_456), 0);
});

Deno.test("PeakEwma takes a peak at once", () => {
  const ewma = new PeakEwma(10_000);
  ewma.observe(5, 1_000);
  equal(ewma.value(1_000), 5);
  ewma.observe(80, 1_001);
  equal(ewma.value(1_001), 80);
});

Deno.test("PeakEwma comes down by its time constant", () => {
  const ewma = new PeakEwma(10_000);
  ewma.observe(100, 0);
  ewma.observe(10, 10_000);
  near(ewma.value(10_000), 100 / Math.E + 10 * (1 - 1 / Math.E));
  // A hundred observations at once are no more news than one.
  for (let i = 0; i < 100; i++) ewma.observe(10, 10_000);
  near(ewma.value(10_000), 100 / Math.E + 10 * (1 - 1 / Math.E));
});

Deno.test("PeakEwma of what stays the same is that", () => {
  const ewma = new PeakEwma(10_000);
  for (let nowMs = 0; nowMs < 100_000; nowMs += 50) ewma.observe(7, nowMs);
  near(ewma.value(99_950), 7);
});

Deno.test("PeakEwma falls while there is no news, and forgets after three time constants", () => {
  const ewma = new PeakEwma(10_000);
  ewma.observe(100, 500);
  near(ewma.value(10_500), 100 / Math.E);
  near(ewma.value(30_500), 100 / Math.E ** 3);
  near(ewma.value(10_500), 100 / Math.E);
  equal(ewma.value(30_501), 0);
  ewma.observe(2, 40_000);
  equal(ewma.value(40_000), 2, "as if it was the first");
});

Deno.test("PeakEwma takes no time for a very short time, and not for none", () => {
  const ewma = new PeakEwma();
  ewma.observe(0, 10);
  equal(ewma.value(10), 0.001);
  ewma.observe(-3, 10);
  equal(ewma.value(10), 0.001);
});
