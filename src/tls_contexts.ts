/**
 * TLS contexts from the configuration.
 *
 * @module
 */

import { messageOf } from "./base/errors.ts";
import type { ClientConfig, ServerConfig, TlsFiles } from "./config/config.ts";
import { TlsClientContext } from "./net/tls/client_context.ts";
import { openSsl } from "./net/tls/openssl.ts";
import type { PemText } from "./net/tls/pem.ts";
import { TlsServerContext } from "./net/tls/server_context.ts";
import { isTlsOptional, type ServerTls } from "./postgres/server_dial.ts";

/** TLS towards one configured server. */
export type ClientTls = ServerTls;

/** What PostgreSQL's clients ask for by ALPN. */
const ALPN = ["postgresql"];

/**
 * TLS towards a server; undefined if it is not spoken.
 *
 * @throws {Error} If OpenSSL is missing or a file's text is broken; it says which.
 */
export function clientTls({ tls }: ClientConfig): ClientTls | undefined {
  const { mode, negotiation, minVersion } = tls;
  if (mode === "disable") return undefined;
  // Where TLS is welcome but not needed, its absence is no reason to fail.
  const isOptional = isTlsOptional(mode) && tls.ca === "" && tls.cert === "";
  if (isOptional && !isTlsAvailable()) return undefined;
  const context = advised(() =>
    TlsClientContext.load({
      mode: mode === "verify-ca" || mode === "verify-full" ? mode : "require",
      ca: tls.ca === "" ? "system" : pem(tls, "ca"),
      certificate: tls.cert === "" ? undefined : pem(tls, "cert"),
      key: tls.key === "" ? undefined : pem(tls, "key"),
      minVersion,
    })
  );
  return { mode, negotiation, context };
}

/**
 * TLS towards clients; undefined if it is not offered.
 *
 * @throws {Error} As `clientTls`.
 */
export function serverTls(
  { tls, protocol }: Pick<ServerConfig, "tls" | "protocol">,
): TlsServerContext | undefined {
  if (tls.mode === "disable") return undefined;
  const isRequired = tls.mode === "verify-ca" || tls.mode === "verify-full";
  return advised(() =>
    TlsServerContext.load({
      certificate: pem(tls, "cert"),
      key: pem(tls, "key"),
      ca: tls.ca === "" ? undefined : pem(tls, "ca"),
      clientCertificates: tls.ca === "" ? "none" : isRequired ? "require" : "request",
      minVersion: tls.minVersion,
      alpn: protocol === "postgres" ? ALPN : [], // who knows what a raw client asks for
    })
  );
}

/** What to do where OpenSSL's words say only what it does not like. */
const ADVICE: readonly (readonly [words: RegExp, advice: string])[] = [
  [
    / key too small$/,
    "OpenSSL's security level asks for more, of RSA mostly 2048 bits: make a new key and a " +
    "certificate for it",
  ],
  [
    / md too weak$/,
    "OpenSSL's security level asks for a better hash: have it signed with SHA-256",
  ],
];

function advised<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    const message = messageOf(error);
    const advice = ADVICE.find(([words]) => words.test(message))?.[1];
    throw advice === undefined ? error : new Error(`${message}; ${advice}`, { cause: error });
  }
}

function isTlsAvailable(): boolean {
  try {
    openSsl();
    return true;
  } catch {
    return false;
  }
}

function pem(tls: TlsFiles, what: "cert" | "key" | "ca"): PemText {
  return { text: tls[what], source: tls[`${what}File`] };
}
