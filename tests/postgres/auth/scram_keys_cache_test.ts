import { deepEqual, equal, notDeepEqual } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { ScramKeysCache } from "../../../src/postgres/auth/scram_keys_cache.ts";

function cacheOf(entriesMax: number): ScramKeysCache {
  return new ScramKeysCache({ entriesMax, randomBytes: (size) => new Uint8Array(size) });
}

Deno.test("ScramKeysCache tells passwords, salts and iteration counts apart", () => {
  const cache = cacheOf(10);
  const [password, salt] = [utf8("secret"), utf8("salt")];
  const keys = cache.keysOf(password, salt, 5);
  equal(cache.keysOf(utf8("secret"), utf8("salt"), 5), keys);
  const others = [
    cache.keysOf(utf8("Secret"), salt, 5),
    cache.keysOf(password, utf8("Salt"), 5),
    cache.keysOf(password, salt, 6),
    cache.keysOf(utf8("secrets"), utf8("alt"), 5),
  ];
  for (const other of others) notDeepEqual(other.serverKey, keys.serverKey);
  equal(cache.size, 5);
});

Deno.test("ScramKeysCache forgets what was used least", () => {
  const cache = cacheOf(2);
  const of = (name: string) => cache.keysOf(utf8(name), utf8("salt"), 1);
  const [a, b] = [of("a"), of("b")];
  equal(of("a"), a);
  const c = of("c");
  deepEqual([cache.size, of("a") === a, of("c") === c, of("b") === b], [2, true, true, false]);
});
