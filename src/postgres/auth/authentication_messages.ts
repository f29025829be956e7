/**
 * The messages of authentication: the Authentication messages of a server, and the three that share
 * the type "p". Everything that is read here comes from a peer who has proved nothing yet.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

import { int32At, putInt32, textOf, utf8 } from "../../base/bytes.ts";
import { PASSWORD_SIZE_MAX } from "../secrets/secret.ts";
import { ProtocolError } from "../wire/errors.ts";
import { message } from "../wire/messages.ts";

/** What an Authentication message asks for, by its first 32 bits. */
export const AUTHENTICATION = {
  ok: 0,
  kerberosV5: 2,
  cleartextPassword: 3,
  md5Password: 5,
  gss: 7,
  gssContinue: 8,
  sspi: 9,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

/** Mechanism with a channel binding. */
export const SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS";

/** Mechanism without. */
export const SCRAM_SHA_256 = "SCRAM-SHA-256";

/**
 * Longest body of a SASLInitialResponse or SASLResponse: PG_MAX_SASL_MESSAGE_LENGTH of
 * src/backend/libpq/auth-sasl.c. An honest one has about 200 bytes.
 */
const SASL_MESSAGE_SIZE_MAX = 1024;

const AUTHENTICATION_TAG = 0x52; // R
const PASSWORD_TAG = 0x70; // p
const NUL = new Uint8Array(1);

/** Encodes AuthenticationCleartextPassword. */
export function authenticationCleartextPassword(): Uint8Array {
  return authentication(AUTHENTICATION.cleartextPassword);
}

/** Encodes AuthenticationMD5Password; `salt` is 4 bytes. */
export function authenticationMd5Password(salt: Uint8Array): Uint8Array {
  return authentication(AUTHENTICATION.md5Password, salt);
}

/** Encodes AuthenticationSASL. */
export function authenticationSasl(mechanisms: readonly string[]): Uint8Array {
  const names = mechanisms.map((name) => utf8(`${name}\0`));
  return authentication(AUTHENTICATION.sasl, ...names, NUL);
}

/** Encodes AuthenticationSASLContinue. */
export function authenticationSaslContinue(data: Uint8Array): Uint8Array {
  return authentication(AUTHENTICATION.saslContinue, data);
}

/** Encodes AuthenticationSASLFinal. */
export function authenticationSaslFinal(data: Uint8Array): Uint8Array {
  return authentication(AUTHENTICATION.saslFinal, data);
}

/** Encodes PasswordMessage. */
export function passwordMessage(password: Uint8Array): Uint8Array {
  return message(PASSWORD_TAG, password, NUL);
}

/** Encodes SASLInitialResponse. */
export function saslInitialResponse(mechanism: string, response: Uint8Array): Uint8Array {
  return message(PASSWORD_TAG, utf8(`${mechanism}\0`), int32(response.length), response);
}

/** Encodes SASLResponse. */
export function saslResponse(response: Uint8Array): Uint8Array {
  return message(PASSWORD_TAG, response);
}

/**
 * Decodes PasswordMessage.
 *
 * @param body Without the header.
 * @returns A view of the password, which may be empty.
 * @throws {ProtocolError} If it is no text that ends with the message, or it is too long.
 */
export function readPasswordMessage(body: Uint8Array): Uint8Array {
  if (body.length > PASSWORD_SIZE_MAX + 1) {
    throw new ProtocolError(
      `invalid password message: a password must have at most ${PASSWORD_SIZE_MAX} bytes`,
    );
  }
  if (body.length === 0 || body.indexOf(0) !== body.length - 1) {
    throw new ProtocolError("invalid password packet size: its one NUL must be the last byte");
  }
  return body.subarray(0, -1);
}

/** What a SASLInitialResponse says. */
export interface SaslInitialResponse {
  readonly mechanism: string;
  /** Undefined if the client waits for an empty challenge first. */
  readonly response: Uint8Array | undefined;
}

/**
 * Decodes SASLInitialResponse.
 *
 * @param body Without the header. The response is a view of it.
 * @throws {ProtocolError} If a length does not fit: the response ends where the message ends.
 */
export function readSaslInitialResponse(body: Uint8Array): SaslInitialResponse {
  checkSaslSize(body);
  const end = body.indexOf(0);
  const start = end + 5;
  if (end < 0 || body.length < start) {
    throw new ProtocolError("invalid SASLInitialResponse: it ends before its response's length");
  }
  const mechanism = textOf(body.subarray(0, end));
  const size = int32At(body, end + 1);
  const isMissing = size === -1;
  if ((isMissing ? 0 : size) !== body.length - start) {
    throw new ProtocolError(
      "invalid SASLInitialResponse: its response's length must be -1, or end with the message",
    );
  }
  return { mechanism, response: isMissing ? undefined : body.subarray(start) };
}

/**
 * Decodes SASLResponse.
 *
 * @param body Without the header, which is also what is returned.
 * @throws {ProtocolError} If it is longer than any response of SCRAM.
 */
export function readSaslResponse(body: Uint8Array): Uint8Array {
  checkSaslSize(body);
  return body;
}

/**
 * Decodes the list of an AuthenticationSASL.
 *
 * @param list The body from its fifth byte on.
 * @throws {ProtocolError} If the list is not ended as it must be.
 */
export function readSaslMechanisms(list: Uint8Array): string[] {
  const text = textOf(list);
  if (!text.endsWith("\0\0") || text.indexOf("\0\0") !== text.length - 2) {
    throw new ProtocolError("invalid AuthenticationSASL: its list must end with the message");
  }
  return text.slice(0, -2).split("\0");
}

function checkSaslSize(body: Uint8Array): void {
  if (body.length <= SASL_MESSAGE_SIZE_MAX) return;
  throw new ProtocolError(
    `invalid SASL message: it must have at most ${SASL_MESSAGE_SIZE_MAX} bytes`,
  );
}

function authentication(code: number, ...data: readonly Uint8Array[]): Uint8Array {
  return message(AUTHENTICATION_TAG, int32(code), ...data);
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  putInt32(bytes, 0, value);
  return bytes;
}
