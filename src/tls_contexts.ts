/**
 * TLS contexts from the configuration.
 *
 * @module
 */

import type { ClientConfig, ServerTlsConfig, TlsFiles } from "./config/config.ts";
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
  const context = TlsClientContext.load({
    mode: mode === "verify-ca" || mode === "verify-full" ? mode : "require",
    ca: tls.ca === "" ? "system" : pem(tls, "ca"),
    certificate: tls.cert === "" ? undefined : pem(tls, "cert"),
    key: tls.key === "" ? undefined : pem(tls, "key"),
    minVersion,
  });
  return { mode, negotiation, context };
}

/** TLS towards clients; undefined if it is not offered. @throws {Error} As `clientTls`. */
export function serverTls(tls: ServerTlsConfig): TlsServerContext | undefined {
  if (tls.mode === "disable") return undefined;
  const isRequired = tls.mode === "verify-ca" || tls.mode === "verify-full";
  return TlsServerContext.load({
    certificate: pem(tls, "cert"),
    key: pem(tls, "key"),
    ca: tls.ca === "" ? undefined : pem(tls, "ca"),
    clientCertificates: tls.ca === "" ? "none" : isRequired ? "require" : "request",
    minVersion: tls.minVersion,
    alpn: ALPN,
  });
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
