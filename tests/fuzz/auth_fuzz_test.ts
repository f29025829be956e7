/**
 * Throws bytes and texts at everything that reads what strangers send before they have proved
 * anything, and at what operators write. Whatever comes is taken or refused, never crashes, and
 * lets nobody in.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { isIP } from "node:net";
import { fromBase64, toBase64 } from "../../src/base/base64.ts";
import { textOf, utf8 } from "../../src/base/bytes.ts";
import { parseCidr, parseIpAddress } from "../../src/base/ip_range.ts";
import { LinearRegExp } from "../../src/base/linear_regexp.ts";
import { FailureThrottle } from "../../src/postgres/auth/failure_throttle.ts";
import { HbaRules } from "../../src/postgres/auth/hba.ts";
import { saslprep } from "../../src/postgres/auth/saslprep.ts";
import { parseSecret } from "../../src/postgres/secrets/secret.ts";
import {
  bodyOf,
  clientAuthentication,
  KINDS,
  PASSWORD,
  SECRETS,
  serverAuthentication,
  shared,
  USER,
} from "../postgres/auth/exchange.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { fuzz, type Random } from "../support/random.ts";
import { verifierText } from "../support/scram_secrets.ts";

/** Some bytes of `bytes` changed, taken away or put in. */
function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const list = [...bytes];
  for (let i = 1 + random.below(3); i > 0; i--) {
    const at = random.below(list.length + 1);
    const value = random.oneIn(2) ? random.below(256) : random.pick([0, 0x2c, 0x3d, 0x7f, 0xff]);
    list.splice(at, random.below(3), ...(random.oneIn(2) ? [value] : []));
  }
  return Uint8Array.from(list);
}

function randomText(random: Random, alphabet: string, sizeMax: number): string {
  const characters = [...alphabet];
  return Array.from({ length: random.below(sizeMax) }, () => random.pick(characters)).join("");
}

Deno.test("ClientAuthentication lets nobody in whose messages were tampered with", async () => {
  const seen = new Set<string>();
  const { isWhole } = await fuzz(1_500, (random) => {
    const method = random.pick(["password", "md5", "scram-sha-256"] as const);
    const secret = random.oneIn(5) ? undefined : SECRETS[random.pick(KINDS)];
    const channelBinding = random.oneIn(3) ? { channelBinding: random.bytes(32) } : {};
    const server = clientAuthentication({ method, secret, ...channelBinding });
    const client = serverAuthentication(channelBinding);
    const tamperAt = random.below(3);
    let isChanged = false;
    let isPasswordStill = false;
    let step = server.start();
    for (let i = 0; step.kind === "send"; i++) {
      const answer = client.onRequest(bodyOf(step.bytes, "R"));
      if (answer.kind !== "send") break;
      const body = bodyOf(answer.bytes, "p");
      const sent = i < tamperAt ? body : mutated(random, body);
      isChanged ||= String(sent) !== String(body);
      // A password that is written in another way is the same password to a SCRAM verifier.
      isPasswordStill = method === "password" && secret?.kind === "scram-sha-256" &&
        String(saslprep(sent.subarray(0, -1))) === String(saslprep(PASSWORD));
      step = server.onPassword(sent);
    }
    if (step.kind === "failed") seen.add(step.sqlState);
    else seen.add(step.kind);
    if (isChanged && step.kind === "ok" && !isPasswordStill) {
      throw new Error(`${USER} got in by ${method} with a changed message`);
    }
  });
  equal(["28P01", "08P01", "ok"].every((one) => seen.has(one)) || !isWhole, true, [...seen].join());
});

Deno.test("ClientAuthentication takes any bytes without a crash", async () => {
  await fuzz(2_000, (random) => {
    const method = random.pick(["password", "md5", "scram-sha-256"] as const);
    const server = clientAuthentication({ method, secret: SECRETS[random.pick(KINDS)] });
    let step = server.start();
    for (let i = 0; step.kind === "send" && i < 5; i++) {
      step = server.onPassword(random.bytes(random.below(60)));
    }
    equal(step.kind, "failed");
  });
});

Deno.test("ServerAuthentication never takes a tampered server for the real one", async () => {
  let completed = 0;
  const { isWhole } = await fuzz(1_500, (random) => {
    const server = clientAuthentication();
    const client = serverAuthentication();
    const tamperAt = random.below(4);
    let isChanged = false;
    let step = server.start();
    for (let i = 0; step.kind !== "failed"; i++) {
      const body = bodyOf(step.bytes, "R");
      const sent = i === tamperAt ? mutated(random, body) : body;
      isChanged ||= String(sent) !== String(body);
      const answer = client.onRequest(sent);
      if (answer.kind === "failed") return;
      // AuthenticationOk made of the first message is what a server says that wants no password.
      if (answer.kind === "ok") return equal(i, 0);
      if (answer.kind === "wait") {
        completed += 1;
        return equal(isChanged && tamperAt > 0, false, "the whole exchange is signed");
      }
      step = server.onPassword(bodyOf(answer.bytes, "p"));
    }
  });
  equal(completed > 0 || !isWhole, true);
});

Deno.test("ServerAuthentication takes any bytes without a crash", async () => {
  await fuzz(2_000, (random) => {
    const client = serverAuthentication();
    for (let i = 0; i < 4; i++) {
      const body = random.bytes(random.below(40));
      if (body.length >= 4 && random.oneIn(2)) body.set([0, 0, 0, random.below(13)]);
      if (client.onRequest(body).kind !== "send") return;
    }
  });
});

Deno.test("parseSecret reads or refuses any text, and what it reads is written the same", async () => {
  const verifier = SECRETS["scram-sha-256"];
  const text = verifier.kind === "scram-sha-256" ? verifierText(verifier.verifier) : "";
  const seen = new Set<string>();
  const { isWhole } = await fuzz(2_000, (random) => {
    const given = random.oneIn(3)
      ? randomText(random, "SCRAM-256$:=md5a0é😀", 40)
      : textOf(mutated(random, utf8(text)));
    try {
      const secret = parseSecret(given);
      seen.add(secret?.kind ?? "empty");
      if (secret?.kind === "scram-sha-256") {
        deepEqual(parseSecret(verifierText(secret.verifier)), secret);
      }
      if (secret?.kind === "plain") equal(textOf(secret.password), given);
    } catch (error) {
      equal((error as Error).name, "SecretError");
      seen.add("refused");
    }
  });
  const all = ["plain", "scram-sha-256", "refused", "empty"];
  equal(all.every((one) => seen.has(one)) || !isWhole, true, [...seen].join());
});

Deno.test("saslprep takes any bytes, and a prepared password stays as it is", async () => {
  await fuzz(2_000, (random) => {
    const characters = "aé\u00aa\u00ad\u0301\u0627\u200b\u2168\ufb1d\u{1f600}\u{e0001}\u0007";
    const given = random.oneIn(3)
      ? random.bytes(random.below(20))
      : utf8(randomText(random, characters, 8));
    const once = saslprep(given);
    // The raw bytes may be what is prepared: then preparing them again changes nothing either.
    deepEqual(saslprep(once), once);
  });
});

Deno.test("fromBase64 takes what the platform takes, or less", async () => {
  await fuzz(1_000, (random) => {
    const text = randomText(random, "ABz09+/==-_ \n", 12);
    const bytes = fromBase64(text);
    if (bytes === undefined) return;
    deepEqual(bytes, Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
    equal(toBase64(bytes).length, text.length);
  });
});

Deno.test("parseCidr and parseIpAddress agree with the platform on what is an address", async () => {
  let valid = 0;
  const { isWhole } = await fuzz(5_000, (random) => {
    const text = random.oneIn(2)
      ? randomText(random, "0123456789.", 16)
      : randomText(random, "0123456789abcf::::::.", 20);
    const words = parseIpAddress(text);
    equal(words !== undefined, isIP(text) !== 0, text);
    equal(parseCidr(text) !== undefined, words !== undefined, text);
    if (words !== undefined) valid += 1;
  });
  equal(valid > 20 || !isWhole, true, `${valid} addresses`);
});

Deno.test("LinearRegExp compiles any text or refuses it, and then matches any text", async () => {
  let compiled = 0;
  const { isWhole } = await fuzz(3_000, (random) => {
    let expression;
    try {
      expression = new LinearRegExp(randomText(random, "ab()[]{}|*+?^$\\.-1,:d", 15));
    } catch (error) {
      return equal((error as Error).name, "PatternError");
    }
    compiled += 1;
    const groups = expression.exec(randomText(random, "ab1-(é😀", 30));
    if (groups !== undefined) equal(groups.length, expression.groupCount + 1);
  });
  equal(compiled > 100 || !isWhole, true);
});

Deno.test("HbaRules finds or refuses anybody", async () => {
  const rules = new HbaRules([
    { type: "hostssl", databases: ["/^a"], users: ["+".slice(1), "b"], address: "10.0.0.0/8" },
    { type: "host", databases: ["sameuser"], users: ["all"], address: "::/0" },
    { type: "local", databases: ["all"], users: ["/(a|b)*c"] },
  ]);
  await fuzz(1_000, (random) => {
    const found = rules.find({
      isUnix: random.oneIn(2),
      isTls: random.oneIn(2),
      database: randomText(random, "abc\0é", 300),
      user: randomText(random, "abc\0é", 300),
      address: randomText(random, "0123456789.:%a", 20),
    });
    equal(found === undefined || ["hostssl", "host", "local"].includes(found.type), true);
  });
});

Deno.test("FailureThrottle stays within its limits whatever happens", async () => {
  await fuzz(50, async (random) => {
    const clock = new FakeClock();
    const addressesMax = 1 + random.below(20);
    const failuresMax = 1 + random.below(6);
    const options = { clock, failuresMax, windowMs: 1000, banMs: 500, addressesMax };
    const throttle = new FailureThrottle(options);
    for (let i = 0; i < 100; i++) {
      const address = `10.0.0.${random.below(40)}`;
      const user = random.pick(["ann", "bob", "eve"]);
      const verdict = throttle.check(address, user);
      if (verdict.kind === "refuse") {
        equal(verdict.retryAfterMs > 0 && verdict.retryAfterMs <= 500, true);
      } else {
        equal(verdict.delayMs >= 0 && verdict.delayMs <= 5000, true);
        if (random.oneIn(4)) throttle.onSuccess(address, user);
        else throttle.onFailure(address, user);
      }
      equal(throttle.size <= 2 * addressesMax, true);
      if (random.oneIn(5)) await clock.pass(random.below(400));
    }
  });
});

Deno.test("ClientAuthentication shows an unknown user nothing else than a known one", async () => {
  await fuzz(200, (random) => {
    const common = shared();
    const body = mutated(random, utf8("SCRAM-SHA-256\0\0\0\0\u000bn,,n=,r=abc"));
    const outcomes = [undefined, SECRETS.plain, SECRETS.md5].map((secret) => {
      const server = clientAuthentication({ secret }, common);
      server.start();
      const step = server.onPassword(body);
      if (step.kind !== "send") return { ...step, reason: undefined };
      return textOf(bodyOf(step.bytes, "R")).replace(/r=[^,]*/, "");
    });
    deepEqual(outcomes[0], outcomes[1]);
    deepEqual(outcomes[0], outcomes[2]);
  });
});
