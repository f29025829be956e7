import { deepEqual, equal, throws } from "node:assert/strict";
import { toBase64 } from "../../../src/base/base64.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { credentialsOf } from "../../../src/postgres/auth/credentials.ts";
import { md5HashOf } from "../../../src/postgres/auth/md5.ts";
import { saslprep } from "../../../src/postgres/auth/saslprep.ts";
import { parseSecret, SecretError } from "../../../src/postgres/secrets/secret.ts";
import { verifierOf, verifierText } from "../../support/scram_secrets.ts";

/** What PostgreSQL 15.18 stored with `ALTER ROLE ann PASSWORD ...`. */
const STORED: Readonly<Record<string, string>> = {
  "pencil": "SCRAM-SHA-256$4096:y6gwKV8BV/SpJU6PNsoJMQ==" +
    "$R/P2Z09W7zlZG86ge6x9hm9G5cjmNgjf92OX6Nn9hKQ=:N19imK9y5WJ+rddHsp6mWFw3pTkCLAdDa6QVKQvJuq4=",
  // A control character: prohibited by RFC 4013, but ASCII is not looked at.
  "a\u0007b": "SCRAM-SHA-256$4096:uYdALSxEWvhytKuqOJtjhw==" +
    "$WvpxSTFs4BIBdWZydZpIKc5jX3NzAf5HTCbt4VQ6Jwc=:yRlrV4ZjlL/LmOQX/Wkj4BEuTadf0VPF7c8MMaZv91I=",
  // A soft hyphen goes.
  "I\u00adX": "SCRAM-SHA-256$4096:LXShSuZzct1wSX8F1cMzxw==" +
    "$/ZKsczdgO/bPIIcNwI1wVWoag5l+g8mAh1PI4oq3j+Q=:1u0MkwYyYWvf8j9klScL1NCPNRMRRwjPnxMdOitIecw=",
  // The Roman numeral nine becomes two letters.
  "\u2168": "SCRAM-SHA-256$4096:LPZnXtzLWpLDbWL6q4T41Q==" +
    "$0x9Wj1zHhMiXM0T83aZfJY4D9+RDyOv86RkkNcCXF04=:BA1S9ovYrTOEpZLk6TZEIs3wkAo5s5kFUnAt5b3KOLI=",
  // The feminine ordinal indicator becomes an a.
  "\u00aa": "SCRAM-SHA-256$4096:FtVYLWhVcMyQPsG1qqITxw==" +
    "$jlV5UU0bBWaEob6fIHFrUmpNGFUkV6qX4JkC8BCJA+I=:1DxdYAT5F+5rLl8fBHCzjrUjU90DEWG4avzOzYkm+ug=",
  // A no-break space and an ogham space become spaces.
  "\u00a0x\u1680": "SCRAM-SHA-256$4096:Rz+evGGcJ3FNdgvJqRkNZg==" +
    "$Ml9QLATbtVJ5g9nCOSo8n+N3M9nQ1Yh33GM1ybRhqvQ=:Ij6tN1FvwlkJvMmKNnzrDU3XKRVVwtOCdH8YudGgEMQ=",
  // A zero-width space becomes a space, although it might as well go; a byte order mark goes.
  "\u200b\u00aa": "SCRAM-SHA-256$4096:ihyT94upNqo4VL7t1Sy0Jg==" +
    "$mfxUihQRa8zCX9qy54hVTD7Bk+P/m0DsO2BJ9fmgzS8=:ssgI41cW0IChOOO0pcbefeMEo35dHTIdeKtXURIEhTA=",
  "x\ufeff\u00aa": "SCRAM-SHA-256$4096:/fOkrZRKLO1XoAAbNBwaAg==" +
    "$FinhldVhyS1tV6ANaWr/NQ+voyBsL8GtZx0ir/FCkII=:QCK+PvqXwZMnNvMu14G4N7pM6naKzUZNWsL8TW7wTGA=",
  // From here on the raw bytes are hashed. Not assigned in Unicode 3.2:
  "\u00aa\u{1f600}": "SCRAM-SHA-256$4096:2Y10tSedXqKrbKBzu1ZK4g==" +
    "$Jzfwr0toKSFwFECcLbNiZr6fADwJLq7pN2RczvuA0bQ=:l7OpWAZJZ/xHEHXT36aj0veNZAkNx/RVu8bObtFlan4=",
  // A control character beyond ASCII:
  "a\u0080\u00aa": "SCRAM-SHA-256$4096:gkCe/FYviR/KyDNxbWLJuw==" +
    "$Cbg74tAE/gKhBqwar1gQHEtRkqpMVLR1Rud9kQQZXDI=:BsK9uRRFx5bblRIjsGLihvkNytfyyw/Ee1ZaOKUcay0=",
  // From right to left, but it ends with a digit:
  "\u06271": "SCRAM-SHA-256$4096:vDodLW6E9qdINypj7SxPhA==" +
    "$y79ZRQulZln0ozuufF0sewreWFDUH/BfKI9vX4BTCD4=:78UtG0G88cqIiw0j1fsN4pIZrcbI305FPvajUvodbM8=",
  // From right to left with a digit inside, which is allowed and normalized:
  "\u06271\u0628\ufb1d": "SCRAM-SHA-256$4096:HQMCU9k2akix7ayYTVkgGg==" +
    "$BjoyqsLzJbEDaUMvsTlU7Bs3pKlaPcSXaekyG03XFfM=:72z+m1ppQ9WC3oxthjV+xxHPxU6Mp8U7PjwhI4r8jpA=",
  // Both directions:
  "\u0627a\u0628\u00aa": "SCRAM-SHA-256$4096:UKiDBI75kmoxaPBhANBytA==" +
    "$7QoGOonmNDKO8zO/paQR0IRYNDAMPJ6CdXghhfeaunM=:XTMPMBAhHOzBsamIvSl8nkHBeKvbXKeg6UR3SpVvRFs=",
  // Nothing would be left:
  "\u00ad": "SCRAM-SHA-256$4096:kYf7nIzXzmKEU38d/Jv2hg==" +
    "$z9cs1sDFXvMpOInOxUvv7VNJ/ucVxmF/hx5GqqDMKIs=:WiaCZzmF9LnMGu5D3Gi/XjkjERMSGEjXMDhXP7M5K6o=",
};

Deno.test("verifierOf makes of a password what PostgreSQL stored", () => {
  for (const [password, stored] of Object.entries(STORED)) {
    const secret = parseSecret(stored);
    const { salt, iterations } = secret?.kind === "scram-sha-256" ? secret.verifier : undefined!;
    equal(verifierText(verifierOf(utf8(password), salt, iterations)), stored, password);
  }
});

Deno.test("parseSecret reads what verifierText writes", () => {
  const verifier = verifierOf(utf8("pencil"), Uint8Array.of(0, 255, 7), 1);
  deepEqual(parseSecret(verifierText(verifier)), { kind: "scram-sha-256", verifier });
});

Deno.test("parseSecret reads the MD5 hash that PostgreSQL stored", () => {
  const hash = "28754acffc5400623f44a44d30b50393";
  deepEqual(parseSecret(`md5${hash}`), { kind: "md5", hash });
  equal(md5HashOf(utf8("pencil"), "ann"), hash);
});

Deno.test("parseSecret takes everything else for a password", () => {
  const passwords = [
    "x",
    " ",
    "md5",
    "md5rocks",
    `md5${"A".repeat(32)}`,
    `md5${"a".repeat(31)}`,
    `md5${"a".repeat(33)}`,
    "SCRAM-SHA-256",
    "scram-sha-256$1:AA==$",
    "é😀",
    "a".repeat(65_535),
  ];
  for (const password of passwords) {
    deepEqual(parseSecret(password), { kind: "plain", password: utf8(password) });
  }
  equal(parseSecret(""), undefined);
});

Deno.test("parseSecret refuses what is malformed, and does not quote it", () => {
  const key = toBase64(new Uint8Array(32));
  const malformed = [
    "SCRAM-SHA-256$",
    `SCRAM-SHA-256$4096:AA==$${key}`,
    `SCRAM-SHA-256$4096:AA==$${key}:`,
    `SCRAM-SHA-256$4096:AA==$${key}:${key}:`,
    `SCRAM-SHA-256$4096:AA==$${key}:${key} `,
    `SCRAM-SHA-256$4096:AA==$${key}:AAAA`,
    `SCRAM-SHA-256$4096:AA=$${key}:${key}`,
    `SCRAM-SHA-256$4096:$${key}:${key}`,
    `SCRAM-SHA-256$4096:${toBase64(new Uint8Array(1025))}$${key}:${key}`,
    ...["", "0", "-1", "01", "1e3", "1000001", "2147483648", " 1", "0x10"].map((iterations) =>
      `SCRAM-SHA-256$${iterations}:AA==$${key}:${key}`
    ),
  ];
  for (const text of malformed) {
    throws(() => parseSecret(text), (error: Error) => {
      equal(error instanceof SecretError, true, text);
      return !error.message.includes(key);
    });
  }
  for (const text of ["a".repeat(65_536), "a\0b"]) {
    throws(() => parseSecret(text), { name: "SecretError", message: /at most 65535 bytes/ });
  }
  equal(parseSecret(`SCRAM-SHA-256$1000000:AA==$${key}:${key}`)?.kind, "scram-sha-256");
});

Deno.test("saslprep does what RFC 4013 shows in its examples", () => {
  const examples: readonly (readonly [string, string])[] = [
    ["I\u00adX", "IX"],
    ["user", "user"],
    ["USER", "USER"],
    ["\u00aa", "a"],
    ["\u2168", "IX"],
  ];
  for (const [given, prepared] of examples) deepEqual(saslprep(utf8(given)), utf8(prepared));
});

Deno.test("saslprep leaves alone what is not UTF-8", () => {
  for (const bytes of [[0xff], [0xc2], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xc2, 0xaa, 0xfe]]) {
    deepEqual(saslprep(Uint8Array.from(bytes)), Uint8Array.from(bytes));
  }
  deepEqual(saslprep(utf8("\ufeff\u00aa")), utf8("a"), "a byte order mark maps to nothing");
});

Deno.test("credentialsOf knows that a verifier alone opens no door", () => {
  const verifier = verifierOf(utf8("pencil"), utf8("salt"), 1);
  equal(credentialsOf({ kind: "scram-sha-256", verifier }), undefined);
  equal(credentialsOf(undefined), undefined);
  deepEqual(credentialsOf({ kind: "md5", hash: "0" }), { kind: "md5", hash: "0" });
});
