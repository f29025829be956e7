import { deepEqual, equal } from "node:assert/strict";
import { type Placed, PlacedList } from "../../src/base/placed_list.ts";
import { fuzz } from "../support/random.ts";

Deno.test("PlacedList has what a Set has, whoever comes and goes", async () => {
  await fuzz(50, (random) => {
    const members: Placed[] = Array.from({ length: 8 }, () => ({ place: 0 }));
    const list = new PlacedList<Placed>();
    const set = new Set<Placed>();
    for (let step = 0; step < 100; step++) {
      const member = members[random.below(members.length)]!;
      if (random.below(2) === 0) {
        list.add(member);
        set.add(member);
      } else {
        list.delete(member);
        set.delete(member);
      }
      equal(list.size, set.size);
      deepEqual(new Set(list.members), set);
      for (const one of members) equal(list.has(one), set.has(one));
    }
  });
});
