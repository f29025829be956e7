/**
 * One connection's encryption: ciphertext in, plaintext out and the other way round, in memory. It
 * knows no sockets; whoever has one carries the bytes.
 *
 * @module
 */

import { textOf } from "../../base/bytes.ts";
import { type PeerCertificate, readCertificate, serverEndPoint } from "./certificate.ts";
import { allocated, bytesAt, openSsl, type Pointer, takeErrors, textAt } from "./openssl.ts";

/** Most plaintext in a record, in bytes (RFC 8446, section 5.1). */
export const RECORD_SIZE_MAX = 16 * 1024;

/** What both sides have agreed on. */
export interface TlsInfo {
  /** "TLSv1.3" */
  readonly protocol: string;
  /** "TLS_AES_256_GCM_SHA384" */
  readonly cipher: string;
  /** The protocol chosen, if the client offered any: "postgresql". */
  readonly alpn: string | undefined;
  /** The name that the client asked for (SNI): what it says, not what is checked. */
  readonly serverName: string | undefined;
  /** Undefined if the peer showed none. */
  readonly peerCertificate: PeerCertificate | undefined;
  /** Channel binding `tls-server-end-point` (RFC 5929): the hash of the server's certificate. */
  readonly serverEndPoint: Uint8Array | undefined;
}

/** The peer broke the rules of TLS, or is not who it should be: the connection is lost. */
export class TlsError extends Error {
  override readonly name = "TlsError";
}

// SSL_ERROR_... in ssl.h.
const ERROR_WANT_READ = 2;
const ERROR_ZERO_RETURN = 6;

// X509_V_OK in x509_vfy.h.
const VERIFY_OK = 0n;

// SSL_R_CERTIFICATE_VERIFY_FAILED's text in ssl_err.c; why is told by the verification's result.
const VERIFY_FAILED = "certificate verify failed";

/** OpenSSL's `SSL` with memory at both ends. To be given back with `free`. */
export class TlsConnection {
  readonly #ssl: Pointer;
  /** Both belong to the `SSL`. */
  readonly #incoming: Pointer;
  readonly #outgoing: Pointer;
  /** The pointer as a struct: see `openssl.ts`. */
  readonly #sslStruct: Uint8Array<ArrayBuffer>;
  readonly #isServer: boolean;
  readonly #library = openSsl();

  /** @param context OpenSSL's `SSL_CTX`, of which a reference is kept. */
  constructor(context: Pointer, isServer: boolean) {
    const ssl = this.#library;
    this.#isServer = isServer;
    this.#ssl = allocated(ssl.sslNew(context));
    this.#incoming = allocated(ssl.bioNew(ssl.bioMemory()));
    this.#outgoing = allocated(ssl.bioNew(ssl.bioMemory()));
    ssl.sslSetBios(this.#ssl, this.#incoming, this.#outgoing);
    if (isServer) ssl.sslSetAcceptState(this.#ssl);
    else ssl.sslSetConnectState(this.#ssl);
    this.#sslStruct = new Uint8Array(8);
    const address = BigInt(Deno.UnsafePointer.value(this.#ssl));
    new DataView(this.#sslStruct.buffer).setBigUint64(0, address, true);
  }

  /** For what only one side sets. */
  get pointer(): Pointer {
    return this.#ssl;
  }

  /**
   * Goes as far as it can.
   *
   * @returns True once the handshake is done.
   * @throws {TlsError} If it failed; the message says why.
   */
  handshake(): boolean {
    const result = this.#library.sslHandshake(this.#sslStruct);
    if (result === 1) return true;
    if (this.#library.sslError(this.#ssl, result) === ERROR_WANT_READ) return false;
    throw this.#failure();
  }

  /** Takes ciphertext from the peer; how much of it is the caller's to limit. */
  feed(ciphertext: Uint8Array): void {
    this.#library.bioWrite(this.#incoming, ciphertext as BufferSource, ciphertext.length);
  }

  /** True if ciphertext that was fed was not looked at. */
  get hasUnread(): boolean {
    return this.#library.bioPending(this.#incoming) > 0;
  }

  /**
   * Decrypts up to one record.
   *
   * @param room At least one byte.
   * @returns How many bytes it wrote; `undefined` if more ciphertext is needed; `"end"` if the peer
   * has said that nothing follows.
   * @throws {TlsError} If the ciphertext is broken.
   */
  read(room: Uint8Array): number | undefined | "end" {
    const size = this.#library.sslRead(this.#ssl, room as BufferSource, room.length);
    if (size > 0) return size;
    const error = this.#library.sslError(this.#ssl, size);
    if (error === ERROR_WANT_READ) return undefined;
    if (error === ERROR_ZERO_RETURN) return "end";
    throw this.#failure();
  }

  /**
   * Encrypts: the result waits in `outgoingSize`.
   *
   * @param plaintext 1 byte to {@linkcode RECORD_SIZE_MAX}, after the handshake.
   * @throws {TlsError} If the connection is lost already.
   */
  write(plaintext: Uint8Array): void {
    const size = this.#library.sslWrite(this.#ssl, plaintext as BufferSource, plaintext.length);
    if (size !== plaintext.length) throw this.#failure();
  }

  /** Says that nothing follows: the result waits, too. */
  shutdown(): void {
    // After an error there is nothing more to say, and OpenSSL complains.
    if (this.#library.sslShutdown(this.#ssl) < 0) takeErrors();
  }

  /** Bytes of ciphertext to be sent. */
  get outgoingSize(): number {
    return this.#library.bioPending(this.#outgoing);
  }

  /** Takes out ciphertext to be sent. @returns How many bytes, less than 1 for none. */
  takeOutgoing(room: Uint8Array): number {
    return this.#library.bioRead(this.#outgoing, room as BufferSource, room.length);
  }

  /**
   * What was agreed on; after the handshake.
   *
   * @param ownEndPoint The channel binding of our own certificate, for a server.
   */
  info(ownEndPoint: Uint8Array | undefined): TlsInfo {
    const ssl = this.#library;
    const x509 = ssl.sslPeerCertificate(this.#ssl);
    try {
      const endPoint = x509 === null || this.#isServer ? ownEndPoint : serverEndPoint(x509);
      return {
        protocol: textAt(ssl.sslVersion(this.#ssl)),
        cipher: textAt(ssl.cipherName(ssl.sslCipher(this.#ssl))),
        alpn: this.#alpn(),
        serverName: textAt(ssl.sslServerName(this.#ssl, 0)) || undefined,
        peerCertificate: x509 === null
          ? undefined
          : readCertificate(x509, ssl.sslVerifyResult(this.#ssl)),
        serverEndPoint: endPoint,
      };
    } finally {
      if (x509 !== null) ssl.x509Free(x509);
    }
  }

  /** Gives the memory back. Nothing may be called after it. */
  free(): void {
    this.#library.sslFree(this.#ssl);
  }

  #alpn(): string | undefined {
    const address = new BigUint64Array(1);
    const size = new Uint32Array(1);
    this.#library.sslAlpn(this.#ssl, address, size);
    if (size[0] === 0) return undefined;
    return textOf(bytesAt(Deno.UnsafePointer.create(address[0]!), size[0]!));
  }

  #failure(): TlsError {
    const { text, isAlert } = takeErrors();
    if (isAlert) return new TlsError(`the peer refuses: ${text}`);
    if (text !== VERIFY_FAILED) return new TlsError(text);
    const result = BigInt.asIntN(32, this.#library.sslVerifyResult(this.#ssl));
    const why = result === VERIFY_OK ? "" : `: ${textAt(this.#library.verifyErrorText(result))}`;
    return new TlsError(`${text}${why}`);
  }
}
