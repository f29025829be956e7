import { deepEqual, equal, ok } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { murmur3 } from "../../../src/base/murmur3.ts";
import { HashRing, POINTS_MAX } from "../../../src/upstream/balancer/hash_ring.ts";

const NAMES = ["main@db1:5432", "main@db2:5432", "main@db3:5432"];

function owner(ring: HashRing, key: string): string {
  return NAMES[ring.ownerAt(ring.placeOf(key))]!;
}

/** All points by their definition. */
const POINTS = NAMES.flatMap((name) =>
  Array.from({ length: POINTS_MAX }, (_, number) => {
    return { name, hash: murmur3(concat(utf8(name), Uint8Array.of(number)), 0) >>> 0 };
  })
).sort((a, b) => a.hash - b.hash);

/** What the ring should find: the next point after the key, or the first. */
function ownerByDefinition(key: string): string {
  const hash = murmur3(utf8(key), 0) >>> 0;
  return (POINTS.find((point) => point.hash >= hash) ?? POINTS[0]!).name;
}

Deno.test("HashRing has 160 points of each name", () => {
  const ring = new HashRing(NAMES);
  equal(ring.size, 3 * POINTS_MAX);
  const points = Array.from(
    { length: ring.size },
    (_, place) => `${ring.ownerAt(place)}/${ring.numberAt(place)}`,
  );
  equal(new Set(points).size, 3 * POINTS_MAX);
  const counts = NAMES.map((_, i) => points.filter((point) => point.startsWith(`${i}/`)).length);
  deepEqual(counts, [POINTS_MAX, POINTS_MAX, POINTS_MAX]);
});

Deno.test("HashRing gives a key to the next point, and beyond the last one to the first", () => {
  const ring = new HashRing(NAMES);
  const keys = Array.from({ length: 3_000 }, (_, i) => `user${i}`);
  for (const key of keys) equal(owner(ring, key), ownerByDefinition(key), key);
  const places = keys.map((key) => ring.placeOf(key));
  ok(places.includes(0) && places.includes(ring.size - 1), "both ends are reached");
});

Deno.test("HashRing gives a key that falls on a point to that point", () => {
  const ring = new HashRing(NAMES);
  // Found by trying.
  for (const key of ["user4046056", "user7025834"]) {
    ok(POINTS.some(({ hash }) => hash === murmur3(utf8(key), 0) >>> 0), key);
    equal(owner(ring, key), ownerByDefinition(key), key);
  }
});

Deno.test("HashRing hashes every kind of key as UTF-8", () => {
  const ring = new HashRing(NAMES);
  for (const text of ["é", "ключ", "\u{1f600}", "a".repeat(255), "a".repeat(256)]) {
    for (let i = 0; i < 50; i++) equal(owner(ring, text + i), ownerByDefinition(text + i), text);
  }
});

Deno.test("HashRing gives keys to the same servers in every version", () => {
  const ring = new HashRing(NAMES);
  const owners: Readonly<Record<string, string>> = {
    "": "db2",
    "alice": "db2",
    "bob": "db3",
    "carol": "db2",
    "tenant-42": "db1",
    "10.0.0.7": "db3",
    "192.168.1.20": "db3",
    "::1": "db2",
  };
  // Computed by another program. If this fails, gateways of two versions disagree.
  for (const [key, name] of Object.entries(owners)) {
    equal(owner(ring, key), `main@${name}:5432`, key);
  }
});
