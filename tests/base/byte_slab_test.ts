import { deepEqual, equal, notEqual } from "node:assert/strict";
import { ByteSlab } from "../../src/base/byte_slab.ts";

Deno.test("ByteSlab.copy() keeps what it was given, whatever is copied after it", () => {
  const slab = new ByteSlab();
  const source = Uint8Array.of(1, 2, 3);
  const first = slab.copy(source);
  source.fill(9);
  const copies = Array.from({ length: 3_000 }, (_, i) => slab.copy(Uint8Array.of(i & 255, i >> 8)));
  deepEqual([...first], [1, 2, 3]);
  copies.forEach((copy, i) => deepEqual([...copy], [i & 255, i >> 8]));
});

Deno.test("ByteSlab.take() gives zeros that nobody else has", () => {
  const slab = new ByteSlab();
  const taken = Array.from({ length: 500 }, (_, i) => slab.take(i % 300).fill(i));
  taken.forEach((bytes, i) => deepEqual([...bytes], Array(i % 300).fill(i & 255)));
  deepEqual([...slab.take(4)], [0, 0, 0, 0]);
});

Deno.test("ByteSlab.copy() gives long ones a memory of their own", () => {
  const slab = new ByteSlab();
  const [short, long] = [slab.copy(new Uint8Array(10)), slab.copy(new Uint8Array(2_000))];
  equal(long.buffer.byteLength, 2_000);
  notEqual(short.buffer, long.buffer);
  equal(slab.copy(new Uint8Array(10)).buffer, short.buffer);
});
