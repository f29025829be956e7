import { deepEqual } from "node:assert/strict";
import { LentMap } from "../../src/base/lent_map.ts";
import { fuzz } from "../support/random.ts";

Deno.test("LentMap does as a Map does, and changes none that is lent", async () => {
  await fuzz(50, (random) => {
    const lent = new LentMap<string, number>();
    const loans: (readonly [ReadonlyMap<string, number>, ReadonlyMap<string, number>])[] = [];
    let map = new Map<string, number>();
    for (let step = 0; step < 40; step++) {
      const key = String(random.below(4));
      const choice = random.below(6);
      if (choice === 0) {
        const loan = new Map([[key, step], ["x", 0]]);
        loans.push([loan, new Map(loan)]);
        lent.borrow(loan);
        map = new Map(loan);
      } else if (choice < 3) {
        lent.delete(key);
        map.delete(key);
      } else {
        lent.set(key, step);
        map.set(key, step);
      }
      deepEqual([...lent.map], [...map]);
    }
    for (const [loan, before] of loans) deepEqual(loan, before);
  });
});
