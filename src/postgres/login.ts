/**
 * What changes on the way while a server authenticates a client through the gateway: everything
 * passes as it is (trust, passwords, MD5, SCRAM, GSS), but two things that are the gateway's own.
 * The client gets the gateway's cancel key instead of the server's, and one answer about the
 * protocol version, which says what both the gateway and the server can do.
 *
 * @module
 */

import { concat, int32At } from "../base/bytes.ts";
import {
  AUTHENTICATION,
  authenticationSasl,
  readSaslMechanisms,
  SCRAM_SHA_256_PLUS,
} from "./auth/authentication_messages.ts";
import { ProtocolError } from "./wire/errors.ts";
import { HEADER_SIZE, HELD_MESSAGE_SIZE_MAX } from "./wire/framer.ts";
import { negotiateProtocolVersion, readNegotiatedMinorVersion } from "./wire/messages.ts";
import {
  MINOR_VERSION_MAX,
  type StartupMessage,
  unknownExtensions,
} from "./wire/startup_packet.ts";
import { BACKEND } from "./wire/tags.ts";

/** One login. Not shared: it remembers what has been negotiated. */
export class Login {
  readonly #extensions: readonly string[];
  #minorVersion: number;
  /** The client asked for more than the gateway knows and has not been told yet. */
  #owesNegotiation: boolean;

  constructor(startup: StartupMessage) {
    this.#extensions = unknownExtensions(startup);
    this.#minorVersion = Math.min(startup.minorVersion, MINOR_VERSION_MAX);
    this.#owesNegotiation = this.#extensions.length > 0 ||
      startup.minorVersion > MINOR_VERSION_MAX;
  }

  /**
   * What the client gets in place of a message from the server.
   *
   * @param bytes The whole message, header included.
   * @param issueKey Makes a BackendKeyData of the gateway's own out of the server's.
   * @returns Undefined if the message passes as it is.
   */
  translate(
    tag: number,
    bytes: Uint8Array,
    issueKey: (serverKey: Uint8Array, minorVersion: number) => Uint8Array,
  ): Uint8Array | undefined {
    switch (tag) {
      case BACKEND.backendKeyData:
        return issueKey(bytes, this.#minorVersion);
      case BACKEND.negotiateProtocolVersion:
        return this.#negotiate(readNegotiatedMinorVersion(bytes));
      case BACKEND.errorResponse:
      case BACKEND.noticeResponse:
        return undefined;
    }
    const passed = tag === BACKEND.authentication ? withoutChannelBinding(bytes) : bytes;
    // Clients take one NegotiateProtocolVersion, before authentication: libpq refuses a second.
    if (this.#owesNegotiation) return concat(this.#negotiate(this.#minorVersion), passed);
    return passed === bytes ? undefined : passed;
  }

  #negotiate(serverMinorVersion: number): Uint8Array {
    if (serverMinorVersion > this.#minorVersion) {
      throw new ProtocolError(
        "invalid NegotiateProtocolVersion: it is newer than what was asked for",
      );
    }
    this.#owesNegotiation = false;
    this.#minorVersion = serverMinorVersion;
    const minorVersion = serverMinorVersion;
    return negotiateProtocolVersion({ minorVersion, extensions: this.#extensions });
  }
}

/**
 * An AuthenticationSASL without the mechanism that binds to a TLS connection: the client's ends
 * here, so it could only fail. Any other message as it is.
 */
function withoutChannelBinding(bytes: Uint8Array): Uint8Array {
  const isSasl = bytes.length >= HEADER_SIZE + 4 &&
    int32At(bytes, HEADER_SIZE) === AUTHENTICATION.sasl;
  if (!isSasl) return bytes;
  const offered = readSaslMechanisms(bytes.subarray(HEADER_SIZE + 4));
  const left = offered.filter((name) => name !== SCRAM_SHA_256_PLUS);
  return left.length === offered.length ? bytes : authenticationSasl(left);
}

/**
 * Checks that a message which the gateway must read has come whole.
 *
 * @throws {ProtocolError} If it is larger than any such message can be.
 */
export function checkWhole(isLast: boolean, tag: number): void {
  if (isLast) return;
  throw new ProtocolError(
    `message "${String.fromCharCode(tag)}" is longer than ${HELD_MESSAGE_SIZE_MAX} bytes`,
  );
}
