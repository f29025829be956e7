import { equal } from "node:assert/strict";
import { editDistance, nearest } from "../../src/base/suggest.ts";

/** The textbook recurrence without any shortcut, to compare the fast one with. */
function slowDistance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const last = a.at(-1) === b.at(-1) ? 0 : 1;
  let cost = Math.min(
    slowDistance(a.slice(0, -1), b) + 1,
    slowDistance(a, b.slice(0, -1)) + 1,
    slowDistance(a.slice(0, -1), b.slice(0, -1)) + last,
  );
  if (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)) {
    cost = Math.min(cost, slowDistance(a.slice(0, -2), b.slice(0, -2)) + 1);
  }
  return cost;
}

Deno.test("editDistance agrees with the plain recurrence on every pair of short words", () => {
  const words = [""];
  for (let i = 0; words.length < 121; i++) words.push(...["a", "b", "c"].map((c) => words[i]! + c));
  for (const a of words) {
    for (const b of words) {
      const exact = slowDistance(a, b);
      for (const limit of [0, 1, 2, 5]) {
        equal(editDistance(a, b, limit), Math.min(exact, limit + 1), `${a} ${b} ${limit}`);
      }
    }
  }
});

Deno.test("nearest finds what was meant and stays silent when nothing is near", () => {
  const keys = ["proxies", "protocol", "clientsMax", "size", "address"];
  const cases: readonly (readonly [word: string, expected: string | undefined])[] = [
    ["proxie", "proxies"],
    ["prxoies", "proxies"],
    ["clients_max", "clientsMax"],
    ["clientsmax", "clientsMax"],
    ["adress", "address"],
    ["sze", "size"],
    ["sz", undefined],
    ["timeout", undefined],
    ["", undefined],
    ["p".repeat(10_000), undefined],
  ];
  for (const [word, expected] of cases) equal(nearest(word, keys), expected, word);
});

Deno.test("nearest prefers the nearer candidate, then the earlier one", () => {
  equal(nearest("replica3", ["replica12", "replica1", "replica2"]), "replica1");
  equal(nearest("replica2", ["replica1", "replica2"]), "replica2");
});
