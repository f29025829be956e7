import { deepEqual, equal } from "node:assert/strict";
import { ByteQueue } from "../../src/postgres/mirror/byte_queue.ts";
import { RareFacts } from "../../src/postgres/mirror/rare_facts.ts";
import { Random } from "../support/random.ts";

Deno.test("ByteQueue gives the bytes that it got, in their order, whatever the sizes", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const queue = new ByteQueue();
    let expected: number[] = [];
    let next = 0;
    for (let step = 0; step < 400; step++) {
      const size = random.below(step % 50 === 0 ? 20_000 : 300);
      if (random.below(2) === 0) {
        const bytes = Uint8Array.from({ length: size }, () => next++ & 0xff);
        queue.push(bytes);
        expected.push(...bytes);
        bytes.fill(0);
      } else {
        const view = queue.view(size);
        deepEqual([...view], expected.slice(0, size), `seed ${seed}, step ${step}`);
        queue.drop(view.length);
        expected = expected.slice(view.length);
      }
      equal(queue.size, expected.length);
    }
    queue.clear();
    equal(queue.size, 0);
    equal(queue.view(10).length, 0);
  }
});

Deno.test("RareFacts says each kind once a second, and how many there were", () => {
  let nowMs = 5_000;
  const facts = new RareFacts(() => nowMs);
  deepEqual(["a", "a", "b", "a"].map((kind) => facts.next(kind)), [1, 0, 1, 0]);
  nowMs += 999;
  equal(facts.next("a"), 0);
  nowMs += 1;
  deepEqual(["a", "b", "a"].map((kind) => facts.next(kind)), [4, 1, 0]);
});
