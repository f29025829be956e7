import { deepEqual, equal, ok } from "node:assert/strict";
import { concat, textOf, utf8 } from "../../../src/base/bytes.ts";
import type { AuthenticationMethod } from "../../../src/postgres/auth/client_authentication.ts";
import type { ServerCredentials } from "../../../src/postgres/auth/credentials.ts";
import { NODE_PRIMITIVES } from "../../../src/postgres/auth/scram.ts";
import { StandIn } from "../../../src/postgres/auth/stand_in.ts";
import type { Secret } from "../../../src/postgres/secrets/secret.ts";
import { textOfMessages } from "../../support/messages.ts";
import {
  bodyOf,
  clientAuthentication,
  exchange,
  KINDS,
  PASSWORD,
  SECRETS,
  serverAuthentication,
  shared,
  USER,
} from "./exchange.ts";

const METHODS = ["password", "md5", "scram-sha-256"] as const;

/** What the gateway has learned after a login, or undefined where it cannot succeed. */
const LEARNED: Readonly<
  Record<typeof METHODS[number], Readonly<Record<Secret["kind"], string | undefined>>>
> = {
  "password": { "plain": "password", "md5": "password", "scram-sha-256": "password" },
  "md5": { "plain": "password", "md5": "md5", "scram-sha-256": "scram-sha-256" },
  "scram-sha-256": { "plain": "password", "md5": undefined, "scram-sha-256": "scram-sha-256" },
};

const WRONG = { kind: "password", password: utf8("guess") } as const;

const FAILED = {
  kind: "failed",
  message: `password authentication failed for user "${USER}"`,
  sqlState: "28P01",
} as const;

function withoutReason(step: object): object {
  return { ...step, reason: undefined };
}

for (const method of METHODS) {
  for (const kind of KINDS) {
    const learned = LEARNED[method][kind];
    const verdict = learned === undefined ? "lets nobody in" : "lets in who knows the password";

    Deno.test(`ClientAuthentication by ${method} with a secret of kind ${kind} ${verdict}`, () => {
      const secret = SECRETS[kind];
      const right = exchange(clientAuthentication({ method, secret }), serverAuthentication());
      if (learned === undefined) {
        deepEqual(withoutReason(right.server), withoutReason(FAILED));
      } else {
        equal(right.server.kind, "ok");
        equal(right.server.kind === "ok" && right.server.learned?.kind, learned);
        deepEqual(right.client, { kind: "ok" });
      }
      const wrong = exchange(
        clientAuthentication({ method, secret }),
        serverAuthentication({ credentials: WRONG }),
      );
      deepEqual(withoutReason(wrong.server), withoutReason(FAILED));
    });

    Deno.test(`ClientAuthentication by ${method} learns from ${kind} what opens a server's door`, () => {
      const secret = SECRETS[kind];
      const { server } = exchange(clientAuthentication({ method, secret }), serverAuthentication());
      if (server.kind !== "ok") return equal(learned, undefined);
      const credentials: ServerCredentials | undefined = server.learned;
      // With SCRAM's keys only where the same verifier is stored: there, and not next door.
      const behind = exchange(
        clientAuthentication({ method, secret }),
        serverAuthentication({ credentials }),
      );
      equal(behind.server.kind, "ok");
    });
  }
}

Deno.test("ClientAuthentication by trust lets everybody in and learns what is stored", () => {
  const step = clientAuthentication({ method: "trust", secret: undefined }).start();
  deepEqual(step, { kind: "ok", bytes: new Uint8Array(), learned: undefined });
  const known = clientAuthentication({ method: "trust", secret: SECRETS.plain }).start();
  deepEqual(known.kind === "ok" && known.learned, { kind: "password", password: PASSWORD });
});

Deno.test("ClientAuthentication by cert believes what was found out of the certificate", () => {
  const attempt = { method: "cert", secret: SECRETS.md5 } as const;
  const right = clientAuthentication({ ...attempt, isCertificateRight: true }).start();
  equal(right.kind, "ok");
  for (const isCertificateRight of [false, undefined]) {
    const wrong = clientAuthentication({
      ...attempt,
      ...(isCertificateRight === undefined ? {} : { isCertificateRight }),
    }).start();
    equal(wrong.kind === "failed" && wrong.sqlState, "28000");
    equal(
      wrong.kind === "failed" && wrong.message,
      'certificate authentication failed for user "ann"',
    );
  }
});

Deno.test("ClientAuthentication by password lets nobody in with an empty one", () => {
  const empty: Secret = { kind: "plain", password: new Uint8Array() };
  const credentials = { kind: "password", password: new Uint8Array() } as const;
  const { server } = exchange(
    clientAuthentication({ method: "password", secret: empty }),
    serverAuthentication({ credentials }),
  );
  deepEqual(withoutReason(server), withoutReason(FAILED));
});

Deno.test("ClientAuthentication lets nobody in with what stands in for a missing secret", () => {
  const common = shared();
  const standIn = new StandIn(NODE_PRIMITIVES, common.mockKey, USER);
  const credentials = { kind: "password", password: standIn.password() } as const;
  for (const method of METHODS) {
    for (const secret of [undefined, SECRETS.md5]) {
      const { server } = exchange(
        clientAuthentication({ method, secret }, common),
        serverAuthentication({ credentials }),
      );
      deepEqual(withoutReason(server), withoutReason(FAILED), method);
    }
  }
});

Deno.test("ClientAuthentication keeps a copy of the password, not a view of the message", () => {
  const authentication = clientAuthentication({ method: "password" });
  authentication.start();
  const body = concat(PASSWORD, utf8("\0"));
  const step = authentication.onPassword(body);
  body.fill(0);
  deepEqual(step.kind === "ok" && step.learned, { kind: "password", password: PASSWORD });
});

Deno.test("ClientAuthentication takes passwords of 65,535 bytes, as tokens have", () => {
  const password = new Uint8Array(65_535).fill(0x61);
  for (const method of METHODS) {
    const { server } = exchange(
      clientAuthentication({ method, secret: { kind: "plain", password } }),
      serverAuthentication({ credentials: { kind: "password", password } }),
    );
    equal(server.kind, "ok");
  }
  const authentication = clientAuthentication({ method: "password" });
  authentication.start();
  const step = authentication.onPassword(concat(password, utf8("a\0")));
  equal(step.kind === "failed" && step.sqlState, "08P01");
});

Deno.test("ClientAuthentication salts MD5 anew each time", () => {
  const common = shared();
  const salts = Array.from({ length: 20 }, () => {
    const step = clientAuthentication({ method: "md5", secret: SECRETS.md5 }, common).start();
    return step.kind === "send" ? String(bodyOf(step.bytes, "R").slice(4)) : "";
  });
  equal(new Set(salts).size, 20);
});

Deno.test("ClientAuthentication by md5 does not take the answer to another salt", () => {
  const common = shared();
  const attempt = { method: "md5", secret: SECRETS.md5 } as const;
  const overheard = serverAuthentication().onRequest(
    bodyOf((clientAuthentication(attempt, common).start() as { bytes: Uint8Array }).bytes, "R"),
  );
  const second = clientAuthentication(attempt, common);
  equal(second.start().kind, "send");
  const bytes = overheard.kind === "send" ? overheard.bytes : new Uint8Array();
  deepEqual(withoutReason(second.onPassword(bodyOf(bytes, "p"))), withoutReason(FAILED));
});

Deno.test("ClientAuthentication does not take the stored MD5 hash for the password", () => {
  const hash = SECRETS.md5.kind === "md5" ? `md5${SECRETS.md5.hash}` : "";
  const { server } = exchange(
    clientAuthentication({ method: "password", secret: SECRETS.md5 }),
    serverAuthentication({ credentials: { kind: "password", password: utf8(hash) } }),
  );
  equal(server.kind, "failed");
});

Deno.test("ClientAuthentication asks in PostgreSQL's messages", () => {
  const first = (changes: Parameters<typeof clientAuthentication>[0]) => {
    const step = clientAuthentication(changes).start();
    return step.kind === "send" ? textOfMessages(step.bytes) : step.kind;
  };
  deepEqual(first({ method: "password" }), ["R R\\00\\00\\00\\08\\00\\00\\00\\03"]);
  deepEqual(first({}), ["R R\\00\\00\\00\\17\\00\\00\\00\\0aSCRAM-SHA-256\\00\\00"]);
  deepEqual(first({ channelBinding: new Uint8Array(32) }), [
    "R R\\00\\00\\00*\\00\\00\\00\\0aSCRAM-SHA-256-PLUS\\00SCRAM-SHA-256\\00\\00",
  ]);
  const md5 = first({ method: "md5", secret: SECRETS.plain });
  equal(typeof md5 !== "string" && md5[0]!.startsWith("R R\\00\\00\\00\\0c\\00\\00\\00\\05"), true);
});

Deno.test("ClientAuthentication says in the reason what the message hides", () => {
  const reason = (secret: Secret | undefined, method: AuthenticationMethod = "scram-sha-256") => {
    const client = serverAuthentication({ credentials: WRONG });
    const { server } = exchange(clientAuthentication({ secret, method }), client);
    return server.kind === "failed" ? server.reason : "";
  };
  equal(reason(undefined), "the user is unknown or has no secret");
  equal(reason(SECRETS.plain), "the password is wrong");
  equal(reason(SECRETS["scram-sha-256"]), "the password is wrong");
  equal(reason(SECRETS.md5, "md5"), "the password is wrong");
  ok(reason(SECRETS.md5).startsWith("the stored secret is an MD5 hash, which SCRAM cannot"));
});

Deno.test("ClientAuthentication binds SCRAM to the channel when both sides can", () => {
  const channelBinding = utf8("hash of the certificate, 32 byte");
  const bound = exchange(
    clientAuthentication({ channelBinding }),
    serverAuthentication({ channelBinding }),
  );
  deepEqual([bound.server.kind, bound.client], ["ok", { kind: "ok" }]);
  const other = exchange(
    clientAuthentication({ channelBinding }),
    serverAuthentication({ channelBinding: utf8("hash of another's certificate...") }),
  );
  deepEqual(other.server, {
    kind: "failed",
    message: "SCRAM channel binding check failed",
    sqlState: "28000",
    reason: "SCRAM channel binding check failed",
  });
  // One side cannot: then the exchange is not bound, and both know that the other could not.
  equal(
    exchange(clientAuthentication(), serverAuthentication({ channelBinding })).server.kind,
    "ok",
  );
  equal(
    exchange(clientAuthentication({ channelBinding }), serverAuthentication()).server.kind,
    "ok",
  );
});

Deno.test("ClientAuthentication judges SCRAM the same from a verifier made from other Unicode", () => {
  const composed = { kind: "password", password: utf8("IXé") } as const;
  const { server } = exchange(
    clientAuthentication(),
    serverAuthentication({ credentials: composed }),
  );
  equal(server.kind, "ok");
});

Deno.test("ClientAuthentication hands out no secret in what may be logged", () => {
  for (const method of METHODS) {
    for (const kind of KINDS) {
      const { server } = exchange(
        clientAuthentication({ method, secret: SECRETS[kind] }),
        serverAuthentication({ credentials: WRONG }),
      );
      const logged = JSON.stringify(withoutReason(server)) +
        (server.kind === "failed" ? server.reason : "");
      equal(server.kind, "failed");
      for (const word of ["guess", textOf(PASSWORD), "I\\u00adX"]) {
        equal(logged.includes(word), false);
      }
    }
  }
});
