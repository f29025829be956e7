import { deepEqual, equal, ok } from "node:assert/strict";
import { LOAD_FACTOR } from "../../../src/upstream/balancer/consistent_hash.ts";
import { makeStrategy } from "../../../src/upstream/balancer/make_strategy.ts";
import type { Candidate, Strategy } from "../../../src/upstream/balancer/strategy.ts";
import { candidate, candidates, countOf, exact, orderOf } from "./candidates.ts";

const KEYS = Array.from({ length: 20_000 }, (_, i) => `10.${i >> 8}.${i & 255}.9`);

function owners(strategy: Strategy, among: readonly Candidate[]): string {
  return KEYS.map((key) => orderOf(strategy, among, key)[0]).join("");
}

/** The part of the keys whose owner is not the same, by what became of what: "ab" is a to b. */
function moves(before: string, after: string): Record<string, number> {
  const moved: Record<string, number> = {};
  for (let i = 0; i < before.length; i++) {
    if (before[i] === after[i]) continue;
    const move = before[i]! + after[i]!;
    moved[move] = (moved[move] ?? 0) + 1 / before.length;
  }
  return moved;
}

function sum(parts: Iterable<number>): number {
  return [...parts].reduce((total, part) => total + part, 0);
}

Deno.test("CONSISTENT_HASH has the same order for a key every time, in every worker", () => {
  const [one, other] = [exact("CONSISTENT_HASH"), makeStrategy("CONSISTENT_HASH", Math.random)];
  const orders = new Set<string>();
  for (const key of KEYS.slice(0, 500)) {
    const order = orderOf(one, candidates("abcd"), key);
    equal(orderOf(other, candidates("dbca"), key), order);
    orders.add(order);
  }
  equal(orders.size, 24, "each order comes up");
});

Deno.test("CONSISTENT_HASH spreads keys about evenly", () => {
  const counts = countOf(owners(exact("CONSISTENT_HASH"), candidates("abcde")));
  for (const [name, count] of Object.entries(counts)) {
    ok(Math.abs(count / KEYS.length - 0.2) < 0.04, `${name}: ${count}`);
  }
});

Deno.test("CONSISTENT_HASH moves the keys of the server that leaves, and no other", () => {
  const strategy = exact("CONSISTENT_HASH");
  const before = owners(strategy, candidates("abcde"));
  const after = owners(strategy, candidates("abde"));
  const moved = moves(before, after);
  deepEqual(Object.keys(moved).sort(), ["ca", "cb", "cd", "ce"]);
  const part = sum(Object.values(moved));
  ok(part > 0.16 && part < 0.24, `${part} of the keys moved`);
  // One that never knew the server agrees with one that did, so order of events does not matter.
  equal(owners(exact("CONSISTENT_HASH"), candidates("abde")), after);
  equal(owners(strategy, candidates("abcde")), before, "and back");
});

Deno.test("CONSISTENT_HASH has second who would be first if the first were not there", () => {
  const strategy = exact("CONSISTENT_HASH");
  for (const key of KEYS.slice(0, 2_000)) {
    const order = orderOf(strategy, candidates("abcde"), key);
    for (let gone = 1; gone < 5; gone++) {
      const rest = candidates("abcde").filter(({ name }) => !order.slice(0, gone).includes(name));
      equal(orderOf(strategy, rest, key), order.slice(gone), key);
    }
  }
});

Deno.test("CONSISTENT_HASH gives keys in proportion to weights", () => {
  const among = [candidate("a", { weight: 3 }), candidate("b"), candidate("c", { weight: 2 })];
  const counts = countOf(owners(exact("CONSISTENT_HASH"), among));
  for (const [name, share] of Object.entries({ a: 3 / 6, b: 1 / 6, c: 2 / 6 })) {
    ok(Math.abs(counts[name]! / KEYS.length - share) < 0.05, `${name}: ${counts[name]}`);
  }
});

Deno.test("CONSISTENT_HASH moves keys to a server whose weight grows, and no others", () => {
  const strategy = exact("CONSISTENT_HASH");
  owners(strategy, candidates("abc"));
  let before = owners(strategy, candidates("ab"));
  const shares: number[] = [];
  for (const weight of [0.001, 0.1, 0.5, 0.75, 1]) {
    const after = owners(strategy, [...candidates("ab"), candidate("c", { weight })]);
    for (const move of Object.keys(moves(before, after))) equal(move[1], "c", move);
    shares.push(countOf(after)["c"]! / KEYS.length);
    before = after;
  }
  for (const [i, weight] of [0.001, 0.1, 0.5, 0.75, 1].entries()) {
    ok(Math.abs(shares[i]! - weight / (2 + weight)) < 0.05, `${weight}: ${shares[i]}`);
  }
  deepEqual(shares.toSorted((a, b) => a - b), shares);
  equal(before, owners(exact("CONSISTENT_HASH"), candidates("abc")));
});

Deno.test("CONSISTENT_HASH leaves other keys where they are when the heaviest leaves", () => {
  const strategy = exact("CONSISTENT_HASH");
  const heavy = [candidate("a", { weight: 10 }), ...candidates("bcd")];
  const moved = moves(owners(strategy, heavy), owners(strategy, candidates("bcd")));
  deepEqual(Object.keys(moved).sort(), ["ab", "ac", "ad"]);
});

Deno.test("CONSISTENT_HASH finds the few among the many that it knows", () => {
  const strategy = exact("CONSISTENT_HASH");
  const many = Array.from({ length: 100 }, (_, i) => candidate(`x${i}`, { weight: 10 }));
  strategy.order([...many, ...candidates("abc")], "");
  const other = exact("CONSISTENT_HASH");
  other.order([many[0]!, ...candidates("abc")], "");
  equal(owners(strategy, candidates("abc")), owners(other, candidates("abc")));
});

Deno.test("CONSISTENT_HASH does not depend on order where two points are in one place", () => {
  // Found by trying: this key comes to a place where both have a point.
  const [names, key] = [["db218", "db1082"], "user173"];
  const orders = [names, names.toReversed()].map((some) =>
    orderOf(exact("CONSISTENT_HASH"), some.map((name) => candidate(name)), key)
  );
  equal(orders[0], orders[1]);
});

Deno.test("CONSISTENT_HASH has everybody once, whatever the weights", () => {
  const strategy = exact("CONSISTENT_HASH");
  const among = Array.from({ length: 100 }, (_, i) => candidate(`x${i}`, { weight: (i % 7) ** 3 }));
  const indexes = among.map((_, i) => i);
  for (const key of KEYS.slice(0, 200)) {
    const order = strategy.order(among, key);
    deepEqual(order.toSorted((a, b) => a - b), indexes);
    const weightless = order.slice(-15).map((index) => among[index]!.weight);
    ok(weightless.every((weight) => weight === 0), String(weightless));
  }
});

Deno.test("CONSISTENT_HASH does not go all around for those who have one point", () => {
  const strategy = exact("CONSISTENT_HASH");
  const among = [...candidates("abcdef"), ...candidates("xy", { weight: 0.001 })];
  const ends = KEYS.slice(0, 1_000).map((key) => orderOf(strategy, among, key).slice(-2));
  // On the whole ring, each of the two is before the other one for half of the keys.
  const asGiven = ends.filter((end) => end === "xy").length;
  ok(asGiven > 850, `${asGiven} of 1000`);
});

Deno.test("CONSISTENT_HASH lets no server have more than its share by a quarter", () => {
  const strategy = exact("CONSISTENT_HASH");
  const weights: Record<string, number> = { a: 1, b: 1, c: 2 };
  const connections: Record<string, number> = { a: 0, b: 0, c: 0 };
  const there = () =>
    Object.entries(weights).map(([name, weight]) =>
      candidate(name, { weight, connections: connections[name]! })
    );
  for (let total = 1; total <= 400; total++) {
    // Everybody has the same key, which is as unbalanced as keys can be.
    const order = orderOf(strategy, there(), "one key");
    const idle = orderOf(
      exact("CONSISTENT_HASH"),
      there().map((one) => ({ ...one, connections: 0 })),
      "one key",
    );
    const bound = (name: string) => Math.ceil(LOAD_FACTOR * total * weights[name]! / 4);
    const isFull = (name: string) => connections[name]! >= bound(name);
    const expected = [...idle].filter((name) => !isFull(name)).join("") +
      [...idle].filter(isFull).join("");
    equal(order, expected);
    connections[order[0]!]! += 1;
    for (const name of Object.keys(weights)) ok(connections[name]! <= bound(name), name);
  }
  ok(Math.max(connections["a"]!, connections["b"]!, connections["c"]! / 2) > 120, "and as much");
});

Deno.test("CONSISTENT_HASH has those without weight last, unless all are", () => {
  const strategy = exact("CONSISTENT_HASH");
  const among = [candidate("a", { weight: 0 }), candidate("b"), candidate("c")];
  for (const key of KEYS.slice(0, 100)) equal(orderOf(strategy, among, key)[2], "a");
  const counts = countOf(owners(exact("CONSISTENT_HASH"), candidates("ab", { weight: 0 })));
  ok(Math.min(counts["a"]!, counts["b"]!) > KEYS.length * 0.4, JSON.stringify(counts));
});

Deno.test("CONSISTENT_HASH remembers a limited number of names", () => {
  const strategy = exact("CONSISTENT_HASH");
  const before = owners(strategy, candidates("abc"));
  // A ring has room for 8,192 names.
  for (let i = 0; i < 9_000; i += 200) {
    strategy.order(Array.from({ length: 200 }, (_, at) => candidate(`x${i + at}`)), "");
  }
  equal(owners(strategy, candidates("abc")), before);
});
