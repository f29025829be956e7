import { deepEqual } from "node:assert/strict";
import { Holds } from "../../src/pool/holds.ts";

Deno.test("Holds gives all of it back once, in the order in which it was got", () => {
  const given: number[] = [];
  const holds = new Holds();
  for (const number of [1, 2, 3]) holds.add({ [Symbol.dispose]: () => given.push(number) });
  holds[Symbol.dispose]();
  holds[Symbol.dispose]();
  deepEqual(given, [1, 2, 3]);
});

Deno.test("Holds of nothing has nothing to give back", () => new Holds()[Symbol.dispose]());
