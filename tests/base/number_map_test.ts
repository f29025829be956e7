import { equal } from "node:assert/strict";
import { NumberMap } from "../../src/base/number_map.ts";
import { fuzz } from "../support/random.ts";

Deno.test("NumberMap does as a Map does, whatever comes and goes", async () => {
  await fuzz(200, (random) => {
    const numbers = new NumberMap<string>();
    const map = new Map<number, string>();
    // Few keys meet each other often; far ones share a place with them.
    const range = 1 + random.below(60);
    const keys = Array.from({ length: range }, (_, i) => i * (1 + random.below(2) * 2 ** 20));
    for (let step = 0; step < 300; step++) {
      const key = keys[random.below(range)]!;
      if (random.below(2) === 0) {
        numbers.set(key, String(step));
        map.set(key, String(step));
      } else {
        numbers.delete(key);
        map.delete(key);
      }
      equal(numbers.size, map.size);
    }
    for (const key of keys) {
      equal(numbers.get(key), map.get(key));
      equal(numbers.has(key), map.has(key));
    }
  });
});

Deno.test("NumberMap takes numbers beyond 32 bits, and values that are empty", () => {
  const numbers = new NumberMap<string>();
  const large = 2 ** 40 + 7;
  numbers.set(large, "");
  numbers.set(7, "small");
  equal(numbers.get(large), "");
  numbers.delete(large);
  equal(numbers.has(large), false);
  equal(numbers.get(7), "small");
});
