import { deepEqual, equal } from "node:assert/strict";
import { LateMap, LateSet, LateWeakMap } from "../../src/base/late_collections.ts";

Deno.test("LateMap does as a Map does, before anything is put in and after", () => {
  const late = new LateMap<string, number>();
  const map = new Map<string, number>();
  const look = () => {
    equal(late.size, map.size);
    equal(late.get("a"), map.get("a"));
    equal(late.has("a"), map.has("a"));
    deepEqual([...late], [...map]);
    deepEqual([...late.keys()], [...map.keys()]);
    deepEqual([...late.values()], [...map.values()]);
  };
  const both = (does: (one: LateMap<string, number> | Map<string, number>) => unknown) => {
    const [a, b] = [does(late), does(map)];
    if (typeof b === "boolean") equal(a, b);
    look();
  };
  look();
  both((one) => one.delete("a"));
  both((one) => one.clear());
  both((one) => void one.set("b", 1));
  both((one) => void one.set("a", 2));
  both((one) => void one.set("b", 3));
  both((one) => one.delete("b"));
  both((one) => one.delete("b"));
  both((one) => one.clear());
  both((one) => void one.set("a", 4));
});

Deno.test("LateSet does as a Set does, before anything is put in and after", () => {
  const late = new LateSet<string>();
  deepEqual([...late], []);
  equal(late.size, 0);
  equal(late.has("a"), false);
  equal(late.delete("a"), false);
  for (const value of ["b", "a", "b"]) late.add(value);
  deepEqual([...late], ["b", "a"]);
  equal(late.size, 2);
  equal(late.has("a"), true);
  equal(late.delete("b"), true);
  equal(late.delete("b"), false);
  late.clear();
  deepEqual([...late], []);
  late.add("c");
  deepEqual([...late], ["c"]);
});

Deno.test("LateWeakMap keeps what objects are given", () => {
  const late = new LateWeakMap<number>();
  const key = {};
  equal(late.get(key), undefined);
  equal(late.has(key), false);
  equal(late.delete(key), false);
  late.set(key, 1);
  equal(late.get(key), 1);
  equal(late.has(key), true);
  equal(late.delete(key), true);
  equal(late.has(key), false);
});
