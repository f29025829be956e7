import { deepEqual } from "node:assert/strict";
import { mapValues } from "../../src/base/maps.ts";

Deno.test("mapValues keeps names and their order", () => {
  const map = new Map([["b", 1], ["a", 2]]);
  deepEqual([...mapValues(map, (value, name) => `${name}${value}`)], [["b", "b1"], ["a", "a2"]]);
});
