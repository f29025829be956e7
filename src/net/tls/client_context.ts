/**
 * TLS for connections to servers.
 *
 * @module
 */

import { isIP } from "node:net";
import type { Socket } from "../socket.ts";
import { alpnList } from "./alpn.ts";
import { cText, openSsl, type Pointer, takeErrors } from "./openssl.ts";
import type { PemText } from "./pem.ts";
import { TlsConnection, type TlsInfo } from "./tls_connection.ts";
import {
  adoptContext,
  freeContext,
  newContext,
  type TlsVersion,
  trust,
  useCertificate,
} from "./tls_context.ts";
import { TlsSocket } from "./tls_socket.ts";

/** How servers are checked, and what they are shown. */
export interface TlsClientSettings {
  /** As libpq's sslmode: nothing is checked; the certificate is; the name in it is, too. */
  readonly mode: "require" | "verify-ca" | "verify-full";
  /** The authorities that are trusted; those of the system unless given. Unused by `require`. */
  readonly ca: PemText | "system";
  /** For servers that ask; both or none. */
  readonly certificate?: PemText | undefined;
  readonly key?: PemText | undefined;
  readonly minVersion: TlsVersion;
}

/** What one connection is for. */
export interface TlsConnectOptions {
  /** The name or address that the server is known by; checked by `verify-full`. */
  readonly host: string;
  /** Protocols to ask for, best first; none unless given. */
  readonly alpn?: readonly string[];
  /** As for {@linkcode TlsServerContext.accept}. */
  readonly onSecured: (info: TlsInfo) => void;
}

// SSL_VERIFY_NONE, SSL_VERIFY_PEER in ssl.h.
const VERIFY_NONE = 0;
const VERIFY_PEER = 1;

// SSL_CTRL_SET_TLSEXT_HOSTNAME in ssl.h, TLSEXT_NAMETYPE_host_name in tls1.h.
const CONTROL_SERVER_NAME = 55;
const HOST_NAME = 0n;

// X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS in x509v3.h: "*.example.com" may be, "db*.example.com" not.
const NO_PARTIAL_WILDCARDS = 4;

/** Longest host name (RFC 1035, section 2.3.4). */
const HOST_SIZE_MAX = 255;

/** How to be a client. Its memory is given back by `close`, or once nobody has it any more. */
export class TlsClientContext {
  /** What works, and should be changed. */
  readonly warnings: readonly string[];
  readonly #context: Pointer;
  readonly #checksHost: boolean;
  #isClosed = false;

  private constructor(context: Pointer, checksHost: boolean, warnings: readonly string[]) {
    this.#context = context;
    adoptContext(this, context);
    this.#checksHost = checksHost;
    this.warnings = warnings;
  }

  /**
   * Makes a context.
   *
   * @throws {Error} If OpenSSL is missing, a text is broken, or key and certificate do not belong
   * together; the message names the source of the text and says what is wrong.
   */
  static load(settings: TlsClientSettings): TlsClientContext {
    const { mode, ca, certificate, key, minVersion } = settings;
    if ((certificate === undefined) !== (key === undefined)) {
      const source = (certificate ?? key)!.source;
      throw new Error(`Cannot use ${source}: a certificate and its key are given together`);
    }
    const ssl = openSsl();
    const context = newContext(ssl.clientMethod(), minVersion);
    try {
      if (ca !== "system") trust(context, ca, false);
      else if (mode !== "require") trustSystem(context); // not for nothing: it takes most of a MiB
      ssl.contextSetVerify(context, mode === "require" ? VERIFY_NONE : VERIFY_PEER, null);
      const isShown = certificate !== undefined && key !== undefined;
      const warnings = isShown ? useCertificate(context, certificate, key).warnings : [];
      return new TlsClientContext(context, mode === "verify-full", warnings);
    } catch (error) {
      ssl.contextFree(context);
      throw error;
    }
  }

  /**
   * Puts TLS onto a connection to a server, which has agreed to it, or expects it from the first
   * byte. A caller that was answered must have refused a server that sent more than its answer.
   *
   * @param socket May be started; belongs to the result from its start on.
   * @returns What is to be started; that throws if the context is closed by then.
   * @throws {Error} If `host` can be no host.
   */
  connect(socket: Socket, { host, alpn = [], onSecured }: TlsConnectOptions): Socket {
    if (host === "" || host.length > HOST_SIZE_MAX || /[^\x21-\x7e]/.test(host)) {
      const rule = `a host has 1 to ${HOST_SIZE_MAX} ASCII characters`;
      throw new Error(`Cannot make a TLS connection to "${host}": ${rule}`);
    }
    const protocols = alpnList(alpn);
    const begin = () => this.#begin(host, protocols);
    return new TlsSocket(socket, { begin, ownEndPoint: undefined, onSecured });
  }

  /** Begins no more; connections that are started stay. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    freeContext(this, this.#context);
  }

  #begin(host: string, protocols: Uint8Array<ArrayBuffer>): TlsConnection {
    if (this.#isClosed) throw new Error("Cannot make a TLS connection: the context is closed");
    const ssl = openSsl();
    const connection = new TlsConnection(this.#context, false);
    const { pointer } = connection;
    const isAddress = isIP(host) !== 0;
    // RFC 6066, section 3: addresses are no server names.
    let isReady = isAddress ||
      ssl.sslControl(pointer, CONTROL_SERVER_NAME, HOST_NAME, cText(host)) === 1n;
    if (protocols.length > 0) {
      isReady &&= ssl.sslSetAlpn(pointer, protocols, protocols.length) === 0;
    }
    if (this.#checksHost) {
      const parameters = ssl.sslVerifyParameters(pointer);
      ssl.verifySetHostFlags(parameters, NO_PARTIAL_WILDCARDS);
      const isSet = isAddress
        ? ssl.verifySetIp(parameters, cText(host))
        : ssl.verifySetHost(parameters, cText(host), 0n);
      isReady &&= isSet === 1;
    }
    if (isReady) return connection;
    connection.free();
    throw new Error(`Cannot make a TLS connection to "${host}": ${takeErrors().text}`);
  }
}

function trustSystem(context: Pointer): void {
  if (openSsl().contextUseSystemCas(context) === 1) return;
  throw new Error(`Cannot use the system's authorities: ${takeErrors().text}`);
}
