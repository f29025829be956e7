/**
 * The gateway as the server: finds out whether a client is the user it says it is. Bytes in, bytes
 * and a verdict out.
 *
 * Somebody who does not know the password learns nothing from the way it fails: an unknown user, a
 * user without a secret, one whose secret does not fit the method and one whose password is wrong
 * get the same messages, made by the same calls. Three things are not hidden. Verifiers whose
 * number of iterations differs from `iterations`, or whose salt has other than 16 bytes, are seen
 * to exist by everybody who asks, with PostgreSQL as well; a secret of a kind that is not in
 * `secretKinds` takes its own time.
 *
 * @module
 */

import { toBase64 } from "../../base/base64.ts";
import type { Secret } from "../secrets/secret.ts";
import { ProtocolError } from "../wire/errors.ts";
import {
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  readPasswordMessage,
  readSaslInitialResponse,
  readSaslResponse,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
} from "./authentication_messages.ts";
import { credentialsOf, type ServerCredentials } from "./credentials.ts";
import {
  type CheckedUser,
  isKindPossible,
  isMd5AnswerRight,
  isPasswordRight,
} from "./password_check.ts";
import { NODE_PRIMITIVES, type Primitives } from "./scram.ts";
import type { ScramKeysCache } from "./scram_keys_cache.ts";
import { SCRAM_NONCE_SIZE } from "./scram_messages.ts";
import { ScramServer, type VerifierSource } from "./scram_server.ts";
import { StandIn } from "./stand_in.ts";

/** How a client proves who it is, in the words of pg_hba.conf. */
export type AuthenticationMethod = "trust" | "password" | "md5" | "scram-sha-256" | "cert";

/** What all authentications of clients have in common. */
export interface ClientAuthenticationShared {
  /** Cryptographically strong. */
  readonly randomBytes: (size: number) => Uint8Array;
  /**
   * 32 secret bytes that salts are made from where no stored secret has one. They must be the same
   * in all workers, and should outlive a restart where unknown users must not be told from those
   * whose salt is stored: derive them from something secret that stays, such as the users file.
   */
  readonly mockKey: Uint8Array;
  /** Of secrets that are stored as plain text, and of users who do not exist: 1 to 1,000,000. */
  readonly iterations: number;
  /**
   * The kinds of secrets that any user may have. The fewer, the cheaper: with "plain" each user's
   * first SCRAM login hashes a password, with "scram-sha-256" so does each login with `password`.
   */
  readonly secretKinds: ReadonlySet<Secret["kind"]>;
  /** Not the one that logins to servers use. */
  readonly keysCache: ScramKeysCache;
  readonly primitives?: Primitives;
}

/** One client that wants in. */
export interface ClientAuthenticationAttempt {
  readonly method: AuthenticationMethod;
  /** As the StartupMessage has it. */
  readonly user: string;
  /** Undefined if the user is unknown or has none. */
  readonly secret: Secret | undefined;
  /**
   * `tls-server-end-point` (RFC 5929): a hash of the gateway's certificate, at most 64 bytes. When
   * it is given, SCRAM-SHA-256-PLUS is offered.
   */
  readonly channelBinding?: Uint8Array;
  /** For method cert: whether the client's verified certificate stands for this user. */
  readonly isCertificateRight?: boolean;
}

/** SQLSTATEs of a failed authentication. */
export type AuthenticationSqlState =
  | "28P01" // invalid_password
  | "28000" // invalid_authorization_specification
  | "08P01" // protocol_violation
  | "0A000"; // feature_not_supported

/** What is to be done next. */
export type Step =
  /** Send these messages, then wait for a message of type "p". */
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Send these messages, which may be none, then AuthenticationOk. */
  | {
    readonly kind: "ok";
    readonly bytes: Uint8Array;
    /** What lets the gateway log in to a server as this user; undefined if nothing does. */
    readonly learned: ServerCredentials | undefined;
  }
  | {
    readonly kind: "failed";
    /** For the client, in an ErrorResponse of severity FATAL. */
    readonly message: string;
    readonly sqlState: AuthenticationSqlState;
    /** For the log only: it tells what the message hides. Holds no secret. */
    readonly reason: string;
  };

/** What the next message of type "p" is. */
type Expected =
  | "password"
  | "md5 answer"
  | "SASLInitialResponse"
  | "client-first"
  | "client-final"
  | "nothing";

const NOTHING = new Uint8Array();

/**
 * One authentication. Call `start` once, then `onPassword` for each message of type "p" until a
 * step is no longer "send".
 */
export class ClientAuthentication {
  readonly #shared: ClientAuthenticationShared;
  readonly #attempt: ClientAuthenticationAttempt;
  readonly #checked: CheckedUser;
  #expected: Expected = "nothing";
  #md5Salt: Uint8Array = NOTHING;
  #scram: ScramServer | undefined;
  #isPlus = false;

  constructor(attempt: ClientAuthenticationAttempt, shared: ClientAuthenticationShared) {
    const { user, secret } = attempt;
    const { secretKinds, iterations, mockKey, primitives = NODE_PRIMITIVES } = shared;
    const standIn = new StandIn(primitives, mockKey, user);
    this.#shared = shared;
    this.#attempt = attempt;
    this.#checked = { user, secret, standIn, secretKinds, iterations, primitives };
  }

  /** The first step. */
  start(): Step {
    const { method, secret } = this.#attempt;
    switch (method) {
      case "trust":
        return { kind: "ok", bytes: NOTHING, learned: credentialsOf(secret) };
      case "cert":
        return this.#judgeCertificate();
      case "password":
        return this.#ask("password", authenticationCleartextPassword());
      case "scram-sha-256":
        return this.#askForScram();
      case "md5": {
        // A verifier cannot answer MD5, so PostgreSQL and PgBouncer ask for SCRAM then.
        const other = this.#checked.standIn.kind(this.#shared.secretKinds);
        if ((secret?.kind ?? other) === "scram-sha-256") return this.#askForScram();
        this.#md5Salt = this.#shared.randomBytes(4);
        return this.#ask("md5 answer", authenticationMd5Password(this.#md5Salt));
      }
    }
  }

  /**
   * Takes a message of type "p": PasswordMessage, SASLInitialResponse or SASLResponse.
   *
   * @param body Without the header; it is not kept.
   */
  onPassword(body: Uint8Array): Step {
    const expected = this.#expected;
    this.#expected = "nothing";
    try {
      return this.#answer(expected, body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return failed(error.message, sqlStateOf(error), error.message);
    }
  }

  #answer(expected: Expected, body: Uint8Array): Step {
    switch (expected) {
      case "password":
        return this.#judgePassword(readPasswordMessage(body));
      case "md5 answer":
        return this.#judgeMd5(readPasswordMessage(body));
      case "SASLInitialResponse":
        return this.#onInitialResponse(body);
      case "client-first":
        return this.#onClientFirst(readSaslResponse(body));
      case "client-final":
        return this.#onClientFinal(readSaslResponse(body));
      case "nothing":
        throw new ProtocolError("unexpected password message: none was asked for");
    }
  }

  #ask(expected: Expected, bytes: Uint8Array): Step {
    this.#expected = expected;
    return { kind: "send", bytes };
  }

  #judgeCertificate(): Step {
    const { secret, user, isCertificateRight } = this.#attempt;
    if (isCertificateRight) return { kind: "ok", bytes: NOTHING, learned: credentialsOf(secret) };
    return failed(
      `certificate authentication failed for user "${user}"`,
      "28000",
      "no verified certificate stands for the user",
    );
  }

  #judgePassword(given: Uint8Array): Step {
    if (!isPasswordRight(this.#checked, given, this.#shared.mockKey)) return this.#wrong();
    const learned: ServerCredentials = { kind: "password", password: given.slice() };
    return { kind: "ok", bytes: NOTHING, learned };
  }

  #judgeMd5(given: Uint8Array): Step {
    if (!isMd5AnswerRight(this.#checked, given, this.#md5Salt)) return this.#wrong();
    return { kind: "ok", bytes: NOTHING, learned: credentialsOf(this.#attempt.secret) };
  }

  #askForScram(): Step {
    const { channelBinding } = this.#attempt;
    this.#scram = new ScramServer({
      source: this.#verifierSource(),
      channelBinding,
      nonce: toBase64(this.#shared.randomBytes(SCRAM_NONCE_SIZE)),
      primitives: this.#checked.primitives,
    });
    const isOffered = channelBinding !== undefined;
    const mechanisms = [...(isOffered ? [SCRAM_SHA_256_PLUS] : []), SCRAM_SHA_256];
    return this.#ask("SASLInitialResponse", authenticationSasl(mechanisms));
  }

  #onInitialResponse(body: Uint8Array): Step {
    const { mechanism, response } = readSaslInitialResponse(body);
    this.#isPlus = mechanism === SCRAM_SHA_256_PLUS;
    const isOffered = this.#isPlus
      ? this.#attempt.channelBinding !== undefined
      : mechanism === SCRAM_SHA_256;
    if (!isOffered) {
      throw new ProtocolError("client selected an invalid SASL authentication mechanism");
    }
    if (response !== undefined) return this.#onClientFirst(response);
    return this.#ask("client-first", authenticationSaslContinue(NOTHING));
  }

  #onClientFirst(message: Uint8Array): Step {
    const answer = this.#scram!.first(message, this.#isPlus);
    return this.#ask("client-final", authenticationSaslContinue(answer));
  }

  #onClientFinal(message: Uint8Array): Step {
    const { secret } = this.#attempt;
    const { isRight, clientKey, message: answer } = this.#scram!.final(message);
    const isPossible = secret?.kind === "plain" || secret?.kind === "scram-sha-256";
    if (!isRight || !isPossible) return this.#wrong();
    const learned: ServerCredentials | undefined = secret.kind === "plain"
      ? credentialsOf(secret)
      : { kind: "scram-sha-256", clientKey, verifier: secret.verifier };
    return { kind: "ok", bytes: authenticationSaslFinal(answer), learned };
  }

  /** What SCRAM is checked against: of everybody the same is made, then the right one is taken. */
  #verifierSource(): VerifierSource {
    const { secret, standIn } = this.#checked;
    const { iterations, keysCache } = this.#shared;
    const verifier = secret?.kind === "scram-sha-256" ? secret.verifier : undefined;
    const ownSalt = standIn.salt();
    return {
      salt: verifier?.salt ?? ownSalt,
      iterations: verifier?.iterations ?? iterations,
      keys: () => {
        const unknown = { keys: standIn.scramKeys(), password: standIn.password() };
        const password = secret?.kind === "plain" ? secret.password : unknown.password;
        const made = isKindPossible(this.#checked, "plain")
          ? keysCache.keysOf(password, ownSalt, iterations)
          : undefined;
        return verifier ?? made ?? unknown.keys;
      },
    };
  }

  #wrong(): Step {
    const { user, secret, method } = this.#attempt;
    const isUnfit = secret?.kind === "md5" && method === "scram-sha-256";
    const reason = secret === undefined
      ? "the user is unknown or has no secret"
      : isUnfit
      ? "the stored secret is an MD5 hash, which SCRAM cannot be done with: store a SCRAM " +
        "verifier or the password, or let the user log in with method md5"
      : "the password is wrong";
    return failed(`password authentication failed for user "${user}"`, "28P01", reason);
  }
}

function failed(message: string, sqlState: AuthenticationSqlState, reason: string): Step {
  return { kind: "failed", message, sqlState, reason };
}

function sqlStateOf(error: ProtocolError): AuthenticationSqlState {
  return error.sqlState === "28000" || error.sqlState === "0A000" ? error.sqlState : "08P01";
}
