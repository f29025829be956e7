import { deepEqual, equal } from "node:assert/strict";
import { IdleList, Slot } from "../../src/pool/idle_list.ts";

function slot(name: string, idleSinceMs: number): Slot<string> {
  const made = new Slot(name, 0, Infinity, 0);
  made.idleSinceMs = idleSinceMs;
  return made;
}

function fromHottest(list: IdleList<string>): string[] {
  const names: string[] = [];
  for (let one = list.hottest; one !== undefined; one = one.colder) names.push(one.connection);
  const backwards: string[] = [];
  for (let one = list.coldest; one !== undefined; one = one.hotter) backwards.push(one.connection);
  deepEqual(backwards.reverse(), names);
  equal(list.count, names.length);
  return names;
}

Deno.test("IdleList is ordered by since when they are idle, whenever they are added", () => {
  const list = new IdleList<string>();
  const [a, b, c, d] = [slot("a", 1), slot("b", 2), slot("c", 2), slot("d", 3)];
  for (const one of [a!, b!, d!, c!]) list.add(one);
  deepEqual(fromHottest(list), ["d", "c", "b", "a"]);
  for (const one of [a!, d!]) list.remove(one);
  deepEqual(fromHottest(list), ["c", "b"]);
  list.add(a!);
  list.add(d!);
  deepEqual(fromHottest(list), ["d", "c", "b", "a"]);
  for (const one of [b!, a!, c!, d!]) list.remove(one);
  deepEqual([fromHottest(list), list.hottest, list.coldest], [[], undefined, undefined]);
});
