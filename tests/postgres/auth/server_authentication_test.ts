import { deepEqual, equal, match, ok } from "node:assert/strict";
import { concat, textOf, utf8 } from "../../../src/base/bytes.ts";
import type { ServerCredentials } from "../../../src/postgres/auth/credentials.ts";
import { NODE_PRIMITIVES } from "../../../src/postgres/auth/scram.ts";
import { ScramKeysCache } from "../../../src/postgres/auth/scram_keys_cache.ts";
import type {
  LoginStep,
  ServerAuthentication,
} from "../../../src/postgres/auth/server_authentication.ts";
import { int32, textOfMessages } from "../../support/messages.ts";
import { Random } from "../../support/random.ts";
import { verifierOf } from "../../support/scram_secrets.ts";
import {
  bodyOf,
  clientAuthentication,
  exchange,
  PASSWORD,
  SECRETS,
  serverAuthentication,
  shared,
} from "./exchange.ts";

const OK = int32(0);
const CLEARTEXT = int32(3);
const MD5 = concat(int32(5), utf8("salt"));

function sasl(...mechanisms: readonly string[]): Uint8Array {
  return concat(int32(10), utf8(mechanisms.map((name) => `${name}\0`).join("") + "\0"));
}

function saslContinue(text: string): Uint8Array {
  return concat(int32(11), utf8(text));
}

function saslFinal(text: string): Uint8Array {
  return concat(int32(12), utf8(text));
}

/** What a step comes to, as text. */
function outcomeOf(step: LoginStep): string {
  return step.kind === "failed" ? step.message : step.kind;
}

/** A login that has sent its client-first, and the nonce in it. */
function begun(credentials?: ServerCredentials): {
  readonly login: ServerAuthentication;
  readonly nonce: string;
} {
  const login = serverAuthentication(credentials === undefined ? {} : { credentials });
  const step = login.onRequest(sasl("SCRAM-SHA-256"));
  const text = step.kind === "send" ? textOf(step.bytes) : "";
  return { login, nonce: /r=(.*)$/.exec(text)?.[1] ?? "" };
}

Deno.test("ServerAuthentication is done at once where the server trusts", () => {
  equal(outcomeOf(serverAuthentication({ credentials: undefined }).onRequest(OK)), "ok");
});

Deno.test("ServerAuthentication sends a password in clear text only where nobody listens", () => {
  const step = serverAuthentication().onRequest(CLEARTEXT);
  deepEqual(step.kind === "send" && bodyOf(step.bytes, "p"), concat(PASSWORD, utf8("\0")));
  const listened = serverAuthentication({ isEncrypted: false }).onRequest(CLEARTEXT);
  match(outcomeOf(listened), /^cannot log in as "ann": .*only over TLS or a Unix socket: use TLS/);
});

Deno.test("ServerAuthentication answers MD5 as the manual says", () => {
  const { md5 } = NODE_PRIMITIVES;
  const hash = md5(PASSWORD, utf8("ann"));
  const expected = `p \\00\\00\\00(md5${md5(utf8(hash), utf8("salt"))}\\00`;
  for (
    const credentials of [
      { kind: "password", password: PASSWORD },
      { kind: "md5", hash },
    ] as const
  ) {
    const login = serverAuthentication({ credentials, isEncrypted: false });
    const step = login.onRequest(MD5);
    const sent = step.kind === "send" ? textOfMessages(step.bytes) : [];
    deepEqual(sent, [`p p${expected.slice(2)}`]);
    equal(outcomeOf(login.onRequest(OK)), "ok");
  }
  for (const salt of ["", "sal", "salty"]) {
    match(
      outcomeOf(serverAuthentication().onRequest(concat(int32(5), utf8(salt)))),
      /salt must have 4 bytes/,
    );
  }
});

Deno.test("ServerAuthentication hashes the password of fifty logins once", () => {
  let hashed = 0;
  const primitives = {
    ...NODE_PRIMITIVES,
    pbkdf2: (...values: Parameters<typeof NODE_PRIMITIVES.pbkdf2>) => {
      hashed += 1;
      return NODE_PRIMITIVES.pbkdf2(...values);
    },
  };
  const random = new Random(4);
  const randomBytes = (size: number) => random.bytes(size);
  const keysCache = new ScramKeysCache({ entriesMax: 3, randomBytes, primitives });
  for (let i = 0; i < 50; i++) {
    const { client } = exchange(
      clientAuthentication(),
      serverAuthentication({ keysCache, primitives, randomBytes }),
    );
    equal(client?.kind, "ok");
  }
  equal(hashed, 1);
});

Deno.test("ServerAuthentication never uses a nonce twice", () => {
  const random = new Random(5);
  const nonces = Array.from({ length: 20 }, () => {
    const login = serverAuthentication({ randomBytes: (size) => random.bytes(size) });
    const step = login.onRequest(sasl("SCRAM-SHA-256"));
    return step.kind === "send" ? textOf(step.bytes).replace(/.*r=/s, "") : "";
  });
  equal(new Set(nonces).size, 20);
});

Deno.test("ServerAuthentication passes a client's proof on where the verifier is the same", () => {
  const { server } = exchange(clientAuthentication(), serverAuthentication());
  const credentials = server.kind === "ok" ? server.learned : undefined;
  equal(credentials?.kind, "scram-sha-256");
  const behind = exchange(clientAuthentication(), serverAuthentication({ credentials }));
  deepEqual(behind.client, { kind: "ok" });

  for (const [salt, iterations] of [["sixteen bytes ok", 4], ["sixteen bytes no", 3], ["s", 3]]) {
    const verifier = verifierOf(PASSWORD, utf8(String(salt)), Number(iterations));
    const other = clientAuthentication({ secret: { kind: "scram-sha-256", verifier } });
    const login = serverAuthentication({ credentials });
    const first = login.onRequest(bodyOf((other.start() as { bytes: Uint8Array }).bytes, "R"));
    const second = other.onPassword(bodyOf((first as { bytes: Uint8Array }).bytes, "p"));
    const third = login.onRequest(bodyOf((second as { bytes: Uint8Array }).bytes, "R"));
    match(outcomeOf(third), /SCRAM verifier is not the one that the gateway checks/);
  }
  for (const [request, asked] of [[CLEARTEXT, "in clear text"], [MD5, "MD5 hash"]] as const) {
    const step = serverAuthentication({ credentials }).onRequest(request);
    match(outcomeOf(step), new RegExp(`asks for .*${asked}.* only the keys of the client's own`));
  }
});

Deno.test("ServerAuthentication says what is missing when it cannot answer", () => {
  for (const request of [CLEARTEXT, MD5, sasl("SCRAM-SHA-256")]) {
    const step = serverAuthentication({ credentials: undefined }).onRequest(request);
    match(outcomeOf(step), /there are no credentials: give the gateway a password/);
  }
  const hash = SECRETS.md5.kind === "md5" ? SECRETS.md5.hash : "";
  for (const request of [CLEARTEXT, sasl("SCRAM-SHA-256")]) {
    const step = serverAuthentication({ credentials: { kind: "md5", hash } }).onRequest(request);
    match(outcomeOf(step), /there is only an MD5 hash: give the gateway a password/);
    equal(outcomeOf(step).includes(hash), false);
  }
});

Deno.test("ServerAuthentication says which methods it does not know", () => {
  const cases: readonly (readonly [number, RegExp])[] = [
    [2, /method Kerberos V5, which is not supported: let it ask for scram-sha-256/],
    [7, /method GSSAPI, /],
    [8, /method GSSAPI, /],
    [9, /method SSPI, /],
    [6, /method number 6, /],
    [-1, /method number -1, /],
  ];
  for (const [code, expected] of cases) {
    match(outcomeOf(serverAuthentication().onRequest(int32(code))), expected);
  }
  match(outcomeOf(serverAuthentication().onRequest(sasl("OAUTHBEARER"))), /offers no SASL mech/);
  // Offered without TLS, there is nothing to bind to.
  match(outcomeOf(serverAuthentication().onRequest(sasl("SCRAM-SHA-256-PLUS"))), /no SASL mech/);
});

Deno.test("ServerAuthentication binds the exchange to the channel where the server offers it", () => {
  const channelBinding = utf8("hash of the certificate, 32 byte");
  const first = (login: ServerAuthentication, ...mechanisms: readonly string[]) => {
    const step = login.onRequest(sasl(...mechanisms));
    return step.kind === "send" ? textOf(bodyOf(step.bytes, "p")) : outcomeOf(step);
  };
  const both = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"] as const;
  match(
    first(serverAuthentication({ channelBinding }), ...both),
    /^SCRAM-SHA-256-PLUS\0.{4}p=tls-server-end-point,,n=,r=/s,
  );
  match(
    first(serverAuthentication({ channelBinding }), "SCRAM-SHA-256"),
    /^SCRAM-SHA-256\0.{4}y,,n=,r=/s,
  );
  match(first(serverAuthentication(), ...both), /^SCRAM-SHA-256\0.{4}n,,n=,r=/s);
});

Deno.test("CVE-2026-6665: ServerAuthentication refuses what a hostile server-first message says", () => {
  const { nonce } = begun();
  const good = `r=${nonce}xyz,s=c2FsdA==,i=1`;
  equal(outcomeOf(begun().login.onRequest(saslContinue(good))), "send");
  const hostile = [
    `r=${nonce}${"x".repeat(1_000_000)},s=c2FsdA==,i=1`,
    `r=${nonce}${"x".repeat(4096)},s=c2FsdA==,i=1`,
    `r=${nonce},s=c2FsdA==,i=1`,
    `r=${nonce.slice(1)}xyz,s=c2FsdA==,i=1`,
    `r=xyz,s=c2FsdA==,i=1`,
    `r=${nonce}\u0001,s=c2FsdA==,i=1`,
    `r=${nonce}é,s=c2FsdA==,i=1`,
    `s=c2FsdA==,i=1`,
    `r=${nonce}xyz,i=1`,
    `r=${nonce}xyz,s=c2FsdA==`,
    `r=${nonce}xyz,s=,i=1`,
    `r=${nonce}xyz,s=c2FsdA,i=1`,
    `r=${nonce}xyz,s=${btoa("x".repeat(1025))},i=1`,
    ...["", "0", "-1", "2147483648", "1000001", "4294967297", "1e3", "0x10", " 1", "1 "].map(
      (iterations) => `r=${nonce}xyz,s=c2FsdA==,i=${iterations}`,
    ),
    `${good},`,
    `${good},x=y`,
    `m=x,${good}`,
    "e=unknown-user",
    "",
    "\0",
    "r",
    "r=",
    ",",
  ];
  for (const text of hostile) {
    const step = begun().login.onRequest(saslContinue(text));
    match(outcomeOf(step), /^cannot log in as "ann": (malformed|invalid) /, text.slice(0, 80));
  }
});

Deno.test("CVE-2026-6665: ServerAuthentication refuses what a hostile server-final message says", () => {
  const finish = (text: string) => {
    const { login, nonce } = begun();
    login.onRequest(saslContinue(`r=${nonce}xyz,s=c2FsdA==,i=1`));
    return outcomeOf(login.onRequest(saslFinal(text)));
  };
  match(finish("e=invalid-proof"), /the server refused the SCRAM exchange: invalid-proof$/);
  match(finish(`e=\u001b[31m${"x".repeat(500)}`), /exchange: \?\[31mx{59}$/);
  match(finish(`v=${btoa("x".repeat(32))}`), /signature is wrong: .* may not be the server/);
  for (const text of ["", "v=", "v=AAAA", "x=y", `v=${btoa("x".repeat(33))}`, "v=\0", "v=é"]) {
    match(finish(text), /malformed SCRAM message/, text);
  }
});

Deno.test("ServerAuthentication does not believe AuthenticationOk before the server proved itself", () => {
  const { login } = begun();
  match(outcomeOf(login.onRequest(OK)), /let us in before it proved/);
  const second = begun();
  second.login.onRequest(saslContinue(`r=${second.nonce}xyz,s=c2FsdA==,i=1`));
  match(outcomeOf(second.login.onRequest(OK)), /let us in before it proved/);
});

Deno.test("ServerAuthentication takes every message at its place only", () => {
  const requests = [CLEARTEXT, MD5, sasl("SCRAM-SHA-256"), saslContinue("r=x"), saslFinal("v=x")];
  const impossible = /Authentication messages come in an impossible order/;
  for (const request of requests) {
    const answered = serverAuthentication();
    equal(outcomeOf(answered.onRequest(MD5)), "send");
    match(outcomeOf(answered.onRequest(request)), impossible);
    const done = serverAuthentication();
    equal(outcomeOf(done.onRequest(OK)), "ok");
    match(outcomeOf(done.onRequest(request)), impossible);
    match(outcomeOf(done.onRequest(OK)), /AuthenticationOk came twice/);
  }
  for (const request of requests.slice(3)) {
    match(outcomeOf(serverAuthentication().onRequest(request)), impossible);
  }
  for (const request of [...requests.slice(0, 3), saslFinal("v=x")]) {
    match(outcomeOf(begun().login.onRequest(request)), impossible);
  }
});

Deno.test("ServerAuthentication waits between the server's proof and its AuthenticationOk", () => {
  const { client } = exchange(clientAuthentication({}, shared()), serverAuthentication());
  deepEqual(client, { kind: "ok" });
});

Deno.test("ServerAuthentication refuses Authentication messages that are cut or too long", () => {
  for (const size of [0, 1, 3, 4097, 1_000_000]) {
    const step = serverAuthentication().onRequest(new Uint8Array(size));
    match(outcomeOf(step), /its body must have 4 to 4096 bytes/);
  }
  const mechanisms = utf8("SCRAM-SHA-256\0\0");
  for (let end = 0; end < mechanisms.length; end++) {
    const step = serverAuthentication().onRequest(concat(int32(10), mechanisms.subarray(0, end)));
    match(outcomeOf(step), /list must end with the message/);
  }
  const more = concat(int32(10), mechanisms, utf8("\0"));
  match(outcomeOf(serverAuthentication().onRequest(more)), /list must end with the message/);
});

Deno.test("ServerAuthentication keeps secrets out of its errors", () => {
  const steps = [
    serverAuthentication({ isEncrypted: false }).onRequest(CLEARTEXT),
    serverAuthentication().onRequest(int32(99)),
    begun().login.onRequest(saslContinue("r=x")),
  ];
  for (const step of steps) {
    equal(step.kind, "failed");
    ok(!outcomeOf(step).includes(textOf(PASSWORD)));
  }
});
