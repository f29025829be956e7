import { deepEqual, equal, throws } from "node:assert/strict";
import { fromBase64 } from "../../../src/base/base64.ts";
import { textOf, utf8 } from "../../../src/base/bytes.ts";
import { NODE_PRIMITIVES, type Primitives, scramKeys } from "../../../src/postgres/auth/scram.ts";
import { ScramClient } from "../../../src/postgres/auth/scram_client.ts";
import { ScramKeysCache } from "../../../src/postgres/auth/scram_keys_cache.ts";
import { ScramServer } from "../../../src/postgres/auth/scram_server.ts";

/** RFC 7677 section 3: user "user", password "pencil". */
const EXAMPLE = {
  clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
} as const;

const SALT = fromBase64("W22ZaJ0SNY7soEsUEjb6gQ==")!;

function exampleServer(): ScramServer {
  const keys = () => scramKeys(NODE_PRIMITIVES, utf8("pencil"), SALT, 4096);
  return new ScramServer({
    source: { salt: SALT, iterations: 4096, keys },
    channelBinding: undefined,
    nonce: EXAMPLE.serverNonce,
    primitives: NODE_PRIMITIVES,
  });
}

Deno.test("ScramServer holds the exchange of RFC 7677", () => {
  const server = exampleServer();
  equal(textOf(server.first(utf8(EXAMPLE.clientFirst), false)), EXAMPLE.serverFirst);
  const verdict = server.final(utf8(EXAMPLE.clientFinal));
  equal(verdict.isRight, true);
  equal(textOf(verdict.message), EXAMPLE.serverFinal);
  const { clientKey } = scramKeys(NODE_PRIMITIVES, utf8("pencil"), SALT, 4096);
  deepEqual(verdict.clientKey, clientKey, "it is recovered from the proof");
});

Deno.test("ScramServer sees every changed bit of the proof", () => {
  const proof = fromBase64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")!;
  const keys = scramKeys(NODE_PRIMITIVES, utf8("pencil"), SALT, 4096);
  for (let bit = 0; bit < 256; bit += 5) {
    const server = new ScramServer({
      source: { salt: SALT, iterations: 4096, keys: () => keys },
      channelBinding: undefined,
      nonce: EXAMPLE.serverNonce,
      primitives: NODE_PRIMITIVES,
    });
    server.first(utf8(EXAMPLE.clientFirst), false);
    const wrong = proof.map((byte, i) => i === bit >> 3 ? byte ^ 1 << (bit & 7) : byte);
    const text = EXAMPLE.clientFinal.replace(/p=.*/, `p=${btoa(String.fromCharCode(...wrong))}`);
    equal(server.final(utf8(text)).isRight, false, `bit ${bit}`);
  }
});

Deno.test("ScramClient makes the proof that ScramServer takes, and the other way round", () => {
  const server = exampleServer();
  const client = new ScramClient({
    binding: { flag: "n" },
    nonce: "rOprNGfwEbeRWgbNEkqO",
    keysFor: (salt, iterations) => scramKeys(NODE_PRIMITIVES, utf8("pencil"), salt, iterations),
    primitives: NODE_PRIMITIVES,
  });
  equal(textOf(client.first()), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
  const { isRight, message } = server.final(client.final(server.first(client.first(), false)));
  equal(isRight, true);
  client.verify(message);
  throws(() => client.verify(utf8(EXAMPLE.serverFinal)), /signature is wrong/);
});

/** A cache with room for two, and the number of times that a password was hashed. */
function countingCache(): { readonly cache: ScramKeysCache; readonly hashed: () => number } {
  let count = 0;
  const primitives: Primitives = {
    ...NODE_PRIMITIVES,
    pbkdf2: (...values) => (count += 1, NODE_PRIMITIVES.pbkdf2(...values)),
  };
  const randomBytes = (size: number) => new Uint8Array(size).fill(7);
  const cache = new ScramKeysCache({ entriesMax: 2, randomBytes, primitives });
  return { cache, hashed: () => count };
}

Deno.test("ScramKeysCache hashes a password once, however often it is asked", () => {
  const { cache, hashed } = countingCache();
  const keys = scramKeys(NODE_PRIMITIVES, utf8("pencil"), SALT, 2);
  for (let i = 0; i < 50; i++) deepEqual(cache.keysOf(utf8("pencil"), SALT, 2), keys);
  equal(hashed(), 1);
});

Deno.test("ScramKeysCache tells passwords, salts and iterations apart", () => {
  const { cache, hashed } = countingCache();
  const asked: readonly (readonly [string, string, number])[] = [
    ["ab", "c", 1],
    ["a", "bc", 1],
    ["ab", "d", 1],
    ["ab", "c", 2],
  ];
  for (const [password, salt, iterations] of asked) {
    const keys = scramKeys(NODE_PRIMITIVES, utf8(password), utf8(salt), iterations);
    deepEqual(cache.keysOf(utf8(password), utf8(salt), iterations), keys);
  }
  equal(hashed(), asked.length);
});

Deno.test("ScramKeysCache forgets what was not asked for the longest", () => {
  const { cache, hashed } = countingCache();
  const ask = (password: string) => void cache.keysOf(utf8(password), SALT, 1);
  for (const password of ["a", "b", "a", "c"]) ask(password);
  equal(cache.size, 2);
  equal(hashed(), 3);
  ask("a");
  equal(hashed(), 3, "a was asked for after b");
  ask("b");
  equal(hashed(), 4, "so b was forgotten");
});
