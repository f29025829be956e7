/**
 * TLS for accepted connections.
 *
 * @module
 */

import type { Socket } from "../socket.ts";
import { alpnList, alpnSelection } from "./alpn.ts";
import { openSsl, type Pointer } from "./openssl.ts";
import type { PemText } from "./pem.ts";
import { TlsConnection, type TlsInfo } from "./tls_connection.ts";
import {
  adoptContext,
  freeContext,
  newContext,
  type TlsVersion,
  trust,
  useCertificate,
  type UsedCertificate,
} from "./tls_context.ts";
import { TlsSocket } from "./tls_socket.ts";

/** What clients are shown, and asked for. */
export interface TlsServerSettings {
  /** The certificate, followed by those of its issuers. */
  readonly certificate: PemText;
  readonly key: PemText;
  /** The authorities whose client certificates are accepted. */
  readonly ca?: PemText | undefined;
  /** With `request`, a client may have none; one that is not valid is refused in any case. */
  readonly clientCertificates: "none" | "request" | "require";
  readonly minVersion: TlsVersion;
  /** Protocols that a client may ask for, best first; a client that asks for others is refused. */
  readonly alpn: readonly string[];
}

// SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_VERIFY_FAIL_IF_NO_PEER_CERT in ssl.h.
const VERIFY_FLAGS = { none: 0, request: 1, require: 3 } as const;

/**
 * A certificate in use. Another one for new connections is another context. Its memory is given
 * back by `close`, or once nobody has it any more.
 */
export class TlsServerContext {
  /** What works, and should be changed. */
  readonly warnings: readonly string[];
  readonly #context: Pointer;
  readonly #endPoint: Uint8Array | undefined;
  #isClosed = false;

  private constructor(context: Pointer, { warnings, serverEndPoint }: UsedCertificate) {
    this.#context = context;
    adoptContext(this, context);
    this.#endPoint = serverEndPoint;
    this.warnings = warnings;
  }

  /**
   * Makes a context.
   *
   * @throws {Error} If OpenSSL is missing, a text is broken, or key and certificate do not belong
   * together; the message names the source of the text and says what is wrong.
   */
  static load(settings: TlsServerSettings): TlsServerContext {
    const { certificate, key, ca, clientCertificates, minVersion, alpn } = settings;
    if (clientCertificates !== "none" && ca === undefined) {
      throw new Error("Cannot check the certificates of clients: there is no file of authorities");
    }
    alpnList(alpn);
    const ssl = openSsl();
    const context = newContext(ssl.serverMethod(), minVersion);
    try {
      const used = useCertificate(context, certificate, key);
      if (ca !== undefined && clientCertificates !== "none") trust(context, ca, true);
      ssl.contextSetVerify(context, VERIFY_FLAGS[clientCertificates], null);
      if (alpn.length > 0) {
        const selection = alpnSelection(alpn);
        ssl.contextSetAlpnSelect(context, selection.callback, selection.argument);
      }
      return new TlsServerContext(context, used);
    } catch (error) {
      ssl.contextFree(context);
      throw error;
    }
  }

  /**
   * Puts TLS onto an accepted connection. The handshake begins when the result is started, with
   * what `socket` has unconsumed: so a caller that answers an SSLRequest must have refused a client
   * that sent more than that, and one that sees a first byte of 0x16 takes none of it.
   *
   * @param socket May be started; belongs to the result from its start on.
   * @param onSecured Called once, when the handshake is done and before any data. If that fails,
   * it is not called, and the handler's `onClose` is told why.
   * @returns What is to be started; that throws if the context is closed by then.
   */
  accept(socket: Socket, onSecured: (info: TlsInfo) => void): Socket {
    const begin = () => {
      if (this.#isClosed) throw new Error("Cannot accept a TLS connection: the context is closed");
      return new TlsConnection(this.#context, true);
    };
    return new TlsSocket(socket, { begin, ownEndPoint: this.#endPoint, onSecured });
  }

  /** Accepts no more; connections that are started stay. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    freeContext(this, this.#context);
  }
}
