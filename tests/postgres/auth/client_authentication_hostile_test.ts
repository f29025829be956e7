/**
 * Clients that break the rules of the exchange, and those who try names.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { concat, textOf, utf8 } from "../../../src/base/bytes.ts";
import type {
  AuthenticationMethod,
  ClientAuthentication,
  Step,
} from "../../../src/postgres/auth/client_authentication.ts";
import { NODE_PRIMITIVES, type Primitives } from "../../../src/postgres/auth/scram.ts";
import { ScramKeysCache } from "../../../src/postgres/auth/scram_keys_cache.ts";
import type { Secret } from "../../../src/postgres/secrets/secret.ts";
import { int32 } from "../../support/messages.ts";
import { Random } from "../../support/random.ts";
import {
  bodyOf,
  clientAuthentication,
  exchange,
  KINDS,
  PASSWORD,
  SECRETS,
  serverAuthentication,
  shared,
} from "./exchange.ts";

const BINDING = utf8("hash of the certificate, 32 byte");

/** The body of a SASLInitialResponse; `size` is what it claims of the response's length. */
function initial(mechanism: string, response: string, size = utf8(response).length): Uint8Array {
  return concat(utf8(`${mechanism}\0`), int32(size), utf8(response));
}

function started(changes: Parameters<typeof clientAuthentication>[0] = {}): ClientAuthentication {
  const authentication = clientAuthentication(changes);
  equal(authentication.start().kind, "send");
  return authentication;
}

/** What became of a first message: "send", or the SQLSTATE and the message. */
function outcomeOf(step: Step): string {
  return step.kind === "failed" ? `${step.sqlState} ${step.message}` : step.kind;
}

/** What an exchange with this client-first message comes to. */
function first(message: string, isPlus = false, isOffered = isPlus): string {
  const mechanism = isPlus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
  const changes = isOffered ? { channelBinding: BINDING } : {};
  return outcomeOf(started(changes).onPassword(initial(mechanism, message)));
}

Deno.test("CVE-2026-6664: ClientAuthentication checks the lengths of a SASLInitialResponse", () => {
  const honest = "n,,n=,r=abc";
  const size = honest.length;
  for (const claimed of [0x7fffffff, -2, -0x80000000, size + 1, size - 1, 0, 1, 0x10000 + size]) {
    const step = started().onPassword(initial("SCRAM-SHA-256", honest, claimed));
    match(outcomeOf(step), /^08P01 invalid SASLInitialResponse/, String(claimed));
  }
  // 0xffffffff is -1: no response, so none may follow.
  const none = started().onPassword(initial("SCRAM-SHA-256", honest, 0xffffffff));
  match(outcomeOf(none), /^08P01 invalid SASLInitialResponse/);
  for (let cutAt = 0; cutAt < "SCRAM-SHA-256".length + 5; cutAt++) {
    const step = started().onPassword(initial("SCRAM-SHA-256", honest).subarray(0, cutAt));
    match(outcomeOf(step), /^08P01 invalid SASLInitialResponse/, String(cutAt));
  }
  equal(started().onPassword(initial("SCRAM-SHA-256", honest)).kind, "send");
});

Deno.test("ClientAuthentication sends an empty challenge to a client without a first response", () => {
  const authentication = started();
  const step = authentication.onPassword(initial("SCRAM-SHA-256", "", -1));
  deepEqual(step.kind === "send" && bodyOf(step.bytes, "R"), Uint8Array.of(0, 0, 0, 11));
  equal(authentication.onPassword(utf8("n,,n=,r=abc")).kind, "send");
});

Deno.test("ClientAuthentication takes SASL messages of 1,024 bytes, and none that is longer", () => {
  const nonce = "x".repeat(1024 - "SCRAM-SHA-256\0....n,,n=,r=".length);
  equal(started().onPassword(initial("SCRAM-SHA-256", `n,,n=,r=${nonce}`)).kind, "send");
  const longer = started().onPassword(initial("SCRAM-SHA-256", `n,,n=,r=${nonce}x`));
  match(outcomeOf(longer), /^08P01 invalid SASL message/);
});

Deno.test("ClientAuthentication takes only mechanisms that it offered", () => {
  const invalid = "08P01 client selected an invalid SASL authentication mechanism";
  for (const mechanism of ["", "SCRAM-SHA-1", "scram-sha-256", "OAUTHBEARER"]) {
    equal(outcomeOf(started().onPassword(initial(mechanism, "n,,n=,r=abc"))), invalid);
  }
  const plus = initial("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc");
  equal(outcomeOf(started().onPassword(plus)), invalid);
  equal(started({ channelBinding: BINDING }).onPassword(plus).kind, "send");
});

Deno.test("ClientAuthentication treats the channel binding flag as RFC 5802 says", () => {
  equal(first("n,,n=,r=abc"), "send");
  equal(first("n,,n=,r=abc", false, true), "send");
  equal(first("y,,n=,r=abc"), "send");
  match(first("y,,n=,r=abc", false, true), /^28000 SCRAM channel binding negotiation error/);
  match(first("p=tls-server-end-point,,n=,r=abc"), /^08P01 .*without channel binding/);
  equal(first("p=tls-server-end-point,,n=,r=abc", true), "send");
  match(first("n,,n=,r=abc", true), /^08P01 .*with channel binding, but its message has none/);
  match(first("y,,n=,r=abc", true), /^08P01 .*with channel binding, but its message has none/);
  match(first("p=tls-unique,,n=,r=abc", true), /^08P01 unsupported SCRAM channel-binding type/);
});

Deno.test("ClientAuthentication refuses what is no client-first message", () => {
  equal(
    first("n,a=bob,n=,r=abc"),
    "0A000 client uses authorization identity, but it is not supported",
  );
  equal(first("n,,m=x,n=,r=abc"), "0A000 client requires an unsupported SCRAM extension");
  const malformed = [
    "",
    "x",
    "n",
    "n,",
    "n,,",
    "q,,n=,r=abc",
    "n,n=,r=abc",
    "n,,n=",
    "n,,n=,",
    "n,,n=,r=",
    "n,,r=abc",
    "n,,n=,r=a b",
    "n,,n=,r=a\tb",
    "n,,n=,r=é",
    "n,,n=,r=abc,",
    "n,,n=,r=abc,x",
    "n,,n=,r=abc,1=x",
    "n,,n=\0,r=abc",
  ];
  for (const message of malformed) {
    match(first(message), /^08P01 malformed SCRAM message/, JSON.stringify(message));
  }
  equal(first("n,,n=\u00ff,r=abc,z=ignored"), "send");
});

/** What a client-final message comes to; the real one is changed by `change`. */
function final(change: (real: string) => string, channelBinding?: Uint8Array): string {
  const binding = channelBinding === undefined ? {} : { channelBinding };
  const server = started(binding);
  const client = serverAuthentication(binding);
  const start = clientAuthentication(binding).start() as { bytes: Uint8Array };
  const one = client.onRequest(bodyOf(start.bytes, "R")) as { bytes: Uint8Array };
  const two = server.onPassword(bodyOf(one.bytes, "p")) as { bytes: Uint8Array };
  const real = client.onRequest(bodyOf(two.bytes, "R")) as { bytes: Uint8Array };
  return outcomeOf(server.onPassword(utf8(change(textOf(bodyOf(real.bytes, "p"))))));
}

Deno.test("ClientAuthentication checks every attribute of client-final", () => {
  const cases: readonly (readonly [string, RegExp, (real: string) => string])[] = [
    ["the real one", /^ok$/, (real) => real],
    [
      "another flag",
      /^08P01 unexpected SCRAM channel-binding/,
      (real) => real.replace("iws", "SE"),
    ],
    ["flag y", /^08P01 unexpected SCRAM channel-binding/, (real) => real.replace("biws", "eSws")],
    ["another nonce", /^08P01 .*nonce is not that/, (real) => real.replace(/r=[^,]+/, "r=abc")],
    ["a longer nonce", /^08P01 .*nonce is not that/, (real) => real.replace(",p=", "x,p=")],
    ["no proof", /^08P01 malformed/, (real) => real.replace(/,p=.*/, "")],
    ["an empty proof", /^08P01 malformed/, (real) => real.replace(/p=.*/, "p=")],
    ["a short proof", /^08P01 malformed/, (real) => real.replace(/p=.*/, "p=AAAA")],
    ["more after it", /^08P01 malformed/, (real) => `${real},x=y`],
    ["a comma after it", /^08P01 malformed/, (real) => `${real},`],
    ["no base64", /^08P01 malformed/, (real) => real.replace(/p=..../, "p=!!!!")],
    ["no binding", /^08P01 malformed/, (real) => real.replace(/^c=biws,/, "")],
    ["nothing", /^08P01 malformed/, () => ""],
    // It is signed, so the proof no longer fits; alone it would be ignored, as by PostgreSQL.
    ["an extension", /^28P01 /, (real) => real.replace(",p=", ",x=y,p=")],
  ];
  for (const [name, expected, change] of cases) match(final(change), expected, name);
  const withoutFlag = (real: string) => real.replace(/c=[^,]+/, "c=biws");
  match(final(withoutFlag, BINDING), /^28000 SCRAM channel binding check failed/);
  equal(final((real) => real, BINDING), "ok");
});

Deno.test("ClientAuthentication takes no proof twice and no message that it did not ask for", () => {
  const none = "08P01 unexpected password message: none was asked for";
  equal(outcomeOf(clientAuthentication().onPassword(utf8("x\0"))), none);
  for (const method of ["password", "md5"] as const) {
    const authentication = started({ method, secret: SECRETS.plain });
    match(outcomeOf(authentication.onPassword(utf8("guess\0"))), /^28P01/);
    equal(outcomeOf(authentication.onPassword(concat(PASSWORD, utf8("\0")))), none);
  }
  const trusted = clientAuthentication({ method: "trust" });
  equal(trusted.start().kind, "ok");
  equal(outcomeOf(trusted.onPassword(utf8("x\0"))), none);
});

Deno.test("ClientAuthentication takes a password only as one text that fills its message", () => {
  const bodies = ["", "x", "\0\0", "a\0b\0", "a\0b"];
  for (const method of ["password", "md5"] as const) {
    for (const body of bodies) {
      const step = started({ method, secret: SECRETS.plain }).onPassword(utf8(body));
      match(outcomeOf(step), /^08P01 invalid password packet size/, JSON.stringify(body));
    }
  }
});

/** Primitives that write down how they are called, but not with what. */
function recorded(): { readonly primitives: Primitives; readonly calls: string[] } {
  const calls: string[] = [];
  const primitives: Primitives = {
    pbkdf2(password, salt, iterations) {
      calls.push(`pbkdf2 ${salt.length} ${iterations}`);
      return NODE_PRIMITIVES.pbkdf2(password, salt, iterations);
    },
    hmac(key, data) {
      calls.push(`hmac ${key.length}`);
      return NODE_PRIMITIVES.hmac(key, data);
    },
    sha256(data) {
      calls.push(`sha256 ${data.length}`);
      return NODE_PRIMITIVES.sha256(data);
    },
    md5(a, b) {
      calls.push("md5");
      return NODE_PRIMITIVES.md5(a, b);
    },
  };
  return { primitives, calls };
}

/** Two failed attempts: the calls that were made and what the client saw, salt and nonce aside. */
function traceOf(
  method: AuthenticationMethod,
  secret: Secret | undefined,
  secretKinds: ReadonlySet<Secret["kind"]>,
): unknown {
  const { primitives, calls } = recorded();
  const random = new Random(3);
  const randomBytes = (size: number) => random.bytes(size);
  const keysCache = new ScramKeysCache({ entriesMax: 5, randomBytes, primitives });
  const common = shared({ primitives, keysCache, secretKinds });
  const credentials = { kind: "password", password: utf8("guess") } as const;
  const outcomes = [1, 2].map(() => {
    const client = serverAuthentication({ credentials });
    const { server } = exchange(clientAuthentication({ method, secret }, common), client);
    calls.push("over");
    return { ...server, reason: undefined };
  });
  return { calls, outcomes };
}

Deno.test("ClientAuthentication makes the same calls for a wrong password as for an unknown user", () => {
  const sets: readonly (readonly Secret["kind"][])[] = [
    ["plain"],
    ["md5"],
    ["scram-sha-256"],
    KINDS,
  ];
  for (const kinds of sets) {
    const secretKinds = new Set(kinds);
    for (const method of ["password", "scram-sha-256"] as const) {
      const unknown = traceOf(method, undefined, secretKinds);
      for (const kind of kinds) {
        deepEqual(traceOf(method, SECRETS[kind], secretKinds), unknown, `${method} ${kinds}`);
      }
    }
    // By md5 a verifier is answered by SCRAM: the unknown user seems to have one kind of many.
    if (kinds.length > 1) continue;
    const unknown = traceOf("md5", undefined, secretKinds);
    deepEqual(traceOf("md5", SECRETS[kinds[0]!], secretKinds), unknown, `md5 ${kinds}`);
  }
  const both = new Set(["plain", "md5"] as const);
  deepEqual(traceOf("md5", SECRETS.plain, both), traceOf("md5", undefined, both));
  deepEqual(traceOf("md5", SECRETS.md5, both), traceOf("md5", undefined, both));
});

Deno.test("traceOf would see a difference: a user with a kind of secret that was not announced", () => {
  const none = new Set<Secret["kind"]>();
  const unknown = JSON.stringify(traceOf("password", undefined, none));
  equal(JSON.stringify(traceOf("password", SECRETS["scram-sha-256"], none)) === unknown, false);
});

/** The salt and the number of iterations that a user is answered with. */
function saltOf(user: string, common = shared(), secret?: Secret): string {
  const authentication = clientAuthentication({ user, secret }, common);
  authentication.start();
  const step = authentication.onPassword(initial("SCRAM-SHA-256", "n,,n=,r=abc"));
  return step.kind === "send" ? textOf(bodyOf(step.bytes, "R").slice(4)).replace(/^[^,]+/, "") : "";
}

Deno.test("ClientAuthentication answers an unknown user with a salt that stays, and is his own", () => {
  const common = shared();
  equal(saltOf("bob", common), saltOf("bob", common));
  equal(saltOf("bob", common) === saltOf("eve", common), false);
  equal(saltOf("bob") === saltOf("bob", shared({ mockKey: new Uint8Array(32) })), false);
  match(saltOf("bob", common), /^,s=[A-Za-z0-9+/]{22}==,i=3$/);
  equal(saltOf("bob", common), saltOf("bob", common, SECRETS.plain), "as with a stored password");
});

Deno.test("ClientAuthentication by md5 shows unknown users one kind of secret each, of all kinds", () => {
  const common = shared();
  const kindOf = (user: string) => {
    const step = clientAuthentication({ method: "md5", user, secret: undefined }, common).start();
    return step.kind === "send" ? bodyOf(step.bytes, "R")[3] : undefined;
  };
  const users = Array.from({ length: 50 }, (_, i) => `user${i}`);
  deepEqual(users.map(kindOf), users.map(kindOf));
  deepEqual([...new Set(users.map(kindOf))].sort(), [10, 5]);
});
