/**
 * The gateway as a client: logs in to a server. Bytes in, bytes and a verdict out.
 *
 * The server is not trusted more than needed: it gets a password in clear text only where nobody
 * can listen, it must prove itself whenever it asks for SCRAM, and no number or size it names is
 * believed.
 *
 * @module
 */

import { toBase64 } from "../../base/base64.ts";
import { int32At } from "../../base/bytes.ts";
import { ProtocolError } from "../wire/errors.ts";
import {
  AUTHENTICATION,
  passwordMessage,
  readSaslMechanisms,
  saslInitialResponse,
  saslResponse,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
} from "./authentication_messages.ts";
import type { ServerCredentials } from "./credentials.ts";
import { md5HashOf } from "./md5.ts";
import { md5Answer } from "./password_check.ts";
import { NODE_PRIMITIVES, type Primitives, type ScramKeys } from "./scram.ts";
import { type ClientBinding, ScramClient } from "./scram_client.ts";
import type { ScramKeysCache } from "./scram_keys_cache.ts";
import { SCRAM_MESSAGE_SIZE_MAX, SCRAM_NONCE_SIZE } from "./scram_messages.ts";

/** What one login needs. */
export interface ServerAuthenticationOptions {
  /** As the StartupMessage has it. */
  readonly user: string;
  /** Undefined if there are none: then only a server that asks for nothing lets us in. */
  readonly credentials: ServerCredentials | undefined;
  /** Whether nobody can listen: over TLS, and over a Unix socket. */
  readonly isEncrypted: boolean;
  /** `tls-server-end-point` (RFC 5929): a hash of the server's certificate; only over TLS. */
  readonly channelBinding?: Uint8Array;
  /** Cryptographically strong. */
  readonly randomBytes: (size: number) => Uint8Array;
  /** Shared by the logins of all pools. */
  readonly keysCache: ScramKeysCache;
  readonly primitives?: Primitives;
}

/** What is to be done next. */
export type LoginStep =
  /** Send these messages, then wait for the next Authentication message. */
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Wait for the next Authentication message. */
  | { readonly kind: "wait" }
  /** The server has let us in. */
  | { readonly kind: "ok" }
  /** Close the connection. For the log: the message has what to do, and no secret. */
  | { readonly kind: "failed"; readonly message: string };

/** The server asks for what it is not given; it broke no rule of the protocol. */
class LoginError extends Error {
  override readonly name = "LoginError";
}

/** Where the login stands. */
type State = "new" | "answered" | "client-first" | "client-final" | "verified" | "over";

/** Methods that exist and are not done here. */
const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [AUTHENTICATION.kerberosV5, "Kerberos V5"],
  [AUTHENTICATION.gss, "GSSAPI"],
  [AUTHENTICATION.gssContinue, "GSSAPI"],
  [AUTHENTICATION.sspi, "SSPI"],
]);

/** One login: call `onRequest` for each Authentication message until it is over. */
export class ServerAuthentication {
  readonly #options: ServerAuthenticationOptions;
  readonly #primitives: Primitives;
  #state: State = "new";
  #scram: ScramClient | undefined;

  constructor(options: ServerAuthenticationOptions) {
    this.#options = options;
    this.#primitives = options.primitives ?? NODE_PRIMITIVES;
  }

  /**
   * Takes an Authentication message (type "R").
   *
   * @param body Without the header; it is not kept.
   */
  onRequest(body: Uint8Array): LoginStep {
    const state = this.#state;
    this.#state = "over";
    try {
      return this.#answer(state, body);
    } catch (error) {
      if (!(error instanceof ProtocolError || error instanceof LoginError)) throw error;
      const user = JSON.stringify(this.#options.user);
      return { kind: "failed", message: `cannot log in as ${user}: ${error.message}` };
    }
  }

  #answer(state: State, body: Uint8Array): LoginStep {
    if (body.length < 4 || body.length > SCRAM_MESSAGE_SIZE_MAX) {
      throw new ProtocolError(
        `invalid Authentication message: its body must have 4 to ${SCRAM_MESSAGE_SIZE_MAX} bytes`,
      );
    }
    const code = int32At(body, 0);
    const data = body.subarray(4);
    switch (code) {
      case AUTHENTICATION.ok:
        return this.#onOk(state);
      case AUTHENTICATION.cleartextPassword:
        checkOrder(state, "new");
        return this.#send("answered", passwordMessage(this.#cleartext()));
      case AUTHENTICATION.md5Password:
        checkOrder(state, "new");
        return this.#send("answered", passwordMessage(this.#md5(data)));
      case AUTHENTICATION.sasl:
        checkOrder(state, "new");
        return this.#send("client-first", this.#beginScram(readSaslMechanisms(data)));
      case AUTHENTICATION.saslContinue:
        checkOrder(state, "client-first");
        return this.#send("client-final", saslResponse(this.#scram!.final(data)));
      case AUTHENTICATION.saslFinal:
        checkOrder(state, "client-final");
        this.#scram!.verify(data);
        this.#state = "verified";
        return { kind: "wait" };
    }
    const name = UNSUPPORTED.get(code) ?? `number ${code}`;
    throw new LoginError(
      `the server asks for authentication method ${name}, which is not supported: let it ask for ` +
        "scram-sha-256, md5, password or trust in its pg_hba.conf",
    );
  }

  #send(next: State, bytes: Uint8Array): LoginStep {
    this.#state = next;
    return { kind: "send", bytes };
  }

  #onOk(state: State): LoginStep {
    if (state === "client-first" || state === "client-final") {
      throw new ProtocolError(
        "the server let us in before it proved in the SCRAM exchange that it knows the password, " +
          "so it may not be the server it claims to be",
      );
    }
    if (state === "over") throw new ProtocolError("AuthenticationOk came twice");
    return { kind: "ok" };
  }

  #cleartext(): Uint8Array {
    const { credentials, isEncrypted } = this.#options;
    if (!isEncrypted) {
      throw new LoginError(
        "the server asks for the password in clear text, which is sent only over TLS or a Unix " +
          "socket: use TLS, or let the server ask for scram-sha-256",
      );
    }
    if (credentials?.kind === "password") return credentials.password;
    throw this.#lacking("the password in clear text");
  }

  #md5(salt: Uint8Array): Uint8Array {
    if (salt.length !== 4) {
      throw new ProtocolError("invalid AuthenticationMD5Password: its salt must have 4 bytes");
    }
    const { credentials, user } = this.#options;
    switch (credentials?.kind) {
      case "password": {
        const hash = md5HashOf(credentials.password, user, this.#primitives);
        return md5Answer(hash, salt, this.#primitives);
      }
      case "md5":
        return md5Answer(credentials.hash, salt, this.#primitives);
    }
    throw this.#lacking("an MD5 hash of the password");
  }

  #beginScram(mechanisms: readonly string[]): Uint8Array {
    const { channelBinding, credentials, randomBytes } = this.#options;
    const isPlus = channelBinding !== undefined && mechanisms.includes(SCRAM_SHA_256_PLUS);
    if (!isPlus && !mechanisms.includes(SCRAM_SHA_256)) {
      throw new LoginError(
        `the server offers no SASL mechanism that can be used here: ${SCRAM_SHA_256}, or ` +
          `${SCRAM_SHA_256_PLUS} over TLS`,
      );
    }
    if (credentials === undefined || credentials.kind === "md5") {
      throw this.#lacking("a SCRAM-SHA-256 proof");
    }
    const binding: ClientBinding = isPlus
      ? { flag: "p", data: channelBinding }
      : { flag: channelBinding === undefined ? "n" : "y" };
    this.#scram = new ScramClient({
      binding,
      nonce: toBase64(randomBytes(SCRAM_NONCE_SIZE)),
      keysFor: (salt, iterations) => this.#keysFor(credentials, salt, iterations),
      primitives: this.#primitives,
    });
    return saslInitialResponse(isPlus ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256, this.#scram.first());
  }

  #keysFor(
    credentials: Exclude<ServerCredentials, { kind: "md5" }>,
    salt: Uint8Array,
    iterations: number,
  ): ScramKeys {
    if (credentials.kind === "password") {
      return this.#options.keysCache.keysOf(credentials.password, salt, iterations);
    }
    const { verifier, clientKey } = credentials;
    const isSame = iterations === verifier.iterations && salt.length === verifier.salt.length &&
      salt.every((byte, i) => byte === verifier.salt[i]);
    if (!isSame) {
      throw new LoginError(
        "the server's SCRAM verifier is not the one that the gateway checks the client with, so " +
          "the client's proof is of no use there: store the very same verifier in both places, " +
          "or give the gateway a password for the server",
      );
    }
    return { clientKey, storedKey: verifier.storedKey, serverKey: verifier.serverKey };
  }

  /** The error when what we have does not answer what the server asks for. */
  #lacking(what: string): LoginError {
    const { credentials } = this.#options;
    const have = credentials === undefined
      ? "there are no credentials"
      : credentials.kind === "md5"
      ? "there is only an MD5 hash"
      : "there are only the keys of the client's own SCRAM exchange";
    return new LoginError(
      `the server asks for ${what}, and ${have}: give the gateway a password for the server`,
    );
  }
}

function checkOrder(state: State, expected: State): void {
  if (state === expected) return;
  throw new ProtocolError("the server's Authentication messages come in an impossible order");
}
