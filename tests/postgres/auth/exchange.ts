/**
 * Both sides of authentication, made with the same short options and set against each other.
 *
 * @module
 */

import { utf8 } from "../../../src/base/bytes.ts";
import {
  ClientAuthentication,
  type ClientAuthenticationAttempt,
  type ClientAuthenticationShared,
  type Step,
} from "../../../src/postgres/auth/client_authentication.ts";
import { md5HashOf } from "../../../src/postgres/auth/md5.ts";
import { ScramKeysCache } from "../../../src/postgres/auth/scram_keys_cache.ts";
import {
  type LoginStep,
  ServerAuthentication,
  type ServerAuthenticationOptions,
} from "../../../src/postgres/auth/server_authentication.ts";
import type { Secret } from "../../../src/postgres/secrets/secret.ts";
import { cut } from "../../support/messages.ts";
import { Random } from "../../support/random.ts";
import { verifierOf } from "../../support/scram_secrets.ts";

/** The user of most tests. */
export const USER = "ann";

/** Her password: SASLprep makes "IXé" of it. */
export const PASSWORD: Uint8Array = utf8("I\u00adXe\u0301");

/** Few, so that tests are fast. */
export const ITERATIONS = 3;

/** Every form that her password can be stored in. */
export const SECRETS: Readonly<Record<Secret["kind"], Secret>> = {
  "plain": { kind: "plain", password: PASSWORD },
  "md5": { kind: "md5", hash: md5HashOf(PASSWORD, USER) },
  "scram-sha-256": {
    kind: "scram-sha-256",
    verifier: verifierOf(PASSWORD, utf8("sixteen bytes ok"), ITERATIONS),
  },
};

/** All kinds of secrets. */
export const KINDS: readonly Secret["kind"][] = ["plain", "md5", "scram-sha-256"];

/** What all authentications of clients have in common, with repeatable chance. */
export function shared(
  changes: Partial<ClientAuthenticationShared> = {},
): ClientAuthenticationShared {
  const random = new Random(1);
  const randomBytes = (size: number) => random.bytes(size);
  return {
    randomBytes,
    mockKey: randomBytes(32),
    iterations: ITERATIONS,
    secretKinds: new Set(KINDS),
    keysCache: new ScramKeysCache({ entriesMax: 10, randomBytes }),
    ...changes,
  };
}

/** An authentication of {@linkcode USER}, by SCRAM with a verifier unless told otherwise. */
export function clientAuthentication(
  changes: Partial<ClientAuthenticationAttempt> = {},
  common: ClientAuthenticationShared = shared(),
): ClientAuthentication {
  const secret = SECRETS["scram-sha-256"];
  return new ClientAuthentication(
    { method: "scram-sha-256", user: USER, secret, ...changes },
    common,
  );
}

/** A login of {@linkcode USER} with {@linkcode PASSWORD} over TLS, unless told otherwise. */
export function serverAuthentication(
  changes: Partial<ServerAuthenticationOptions> = {},
): ServerAuthentication {
  const random = new Random(2);
  const randomBytes = (size: number) => random.bytes(size);
  return new ServerAuthentication({
    user: USER,
    credentials: { kind: "password", password: PASSWORD },
    isEncrypted: true,
    randomBytes,
    keysCache: new ScramKeysCache({ entriesMax: 10, randomBytes }),
    ...changes,
  });
}

/** How an exchange ended: at the side that judges, and at the side that logs in. */
export interface Outcome {
  readonly server: Exclude<Step, { kind: "send" }>;
  /** Undefined if the server ended it first. */
  readonly client: LoginStep | undefined;
}

/**
 * Lets both sides talk until one of them is done.
 *
 * @throws {Error} If the client gives up: then the server never learns how it went.
 */
export function exchange(server: ClientAuthentication, client: ServerAuthentication): Outcome {
  let step = server.start();
  while (step.kind === "send") {
    const answer = client.onRequest(bodyOf(step.bytes, "R"));
    if (answer.kind !== "send") throw new Error(`the client gave up: ${JSON.stringify(answer)}`);
    step = server.onPassword(bodyOf(answer.bytes, "p"));
  }
  if (step.kind === "failed") return { server: step, client: undefined };
  if (step.bytes.length > 0) {
    const answer = client.onRequest(bodyOf(step.bytes, "R"));
    if (answer.kind !== "wait") return { server: step, client: answer };
  }
  return { server: step, client: client.onRequest(new Uint8Array(4)) };
}

/**
 * The body of the one message in `bytes`.
 *
 * @throws {Error} If there is not exactly one, of type `tag`.
 */
export function bodyOf(bytes: Uint8Array, tag: string): Uint8Array<ArrayBuffer> {
  const messages = cut(bytes);
  if (messages.length !== 1 || messages[0]!.tag !== tag) {
    throw new Error(`expected one message "${tag}", got ${messages.map((one) => one.tag)}`);
  }
  return messages[0]!.bytes.slice(5);
}
