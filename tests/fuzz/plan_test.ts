import { deepEqual, throws } from "node:assert/strict";
import { fuzzPlan } from "../support/random.ts";

function plan(env: Readonly<Record<string, string>>) {
  return fuzzPlan(100, (name) => env[name]);
}

Deno.test("fuzzPlan takes SEED and FUZZ_ROUNDS, and has defaults for both", () => {
  deepEqual(plan({}), { seed: 20261121, rounds: 100 });
  deepEqual(plan({ SEED: "0", FUZZ_ROUNDS: "20000" }), { seed: 0, rounds: 20_000 });
});

Deno.test("fuzzPlan refuses what would check nothing, or nothing that can be repeated", () => {
  for (const text of ["", "0", "-1", "1.5", "1e3", "0x10", "many", " 7", "NaN", "9".repeat(20)]) {
    throws(() => plan({ FUZZ_ROUNDS: text }), /^Error: Cannot fuzz with FUZZ_ROUNDS="/, text);
  }
  for (const text of ["", "-1", "1.5", "abc", "9".repeat(20)]) {
    throws(() => plan({ SEED: text }), /^Error: Cannot fuzz with SEED="/, text);
  }
});
