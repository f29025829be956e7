/**
 * What the contexts of both sides have in common: OpenSSL's `SSL_CTX` with a certificate, a key,
 * and the authorities that are trusted.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { serverEndPoint } from "./certificate.ts";
import { allocated, cText, openSsl, type Pointer, takeErrors } from "./openssl.ts";
import { assertPem, type PemText } from "./pem.ts";

/** The oldest version of TLS that is spoken. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

// TLS1_2_VERSION and TLS1_3_VERSION in prov_ssl.h.
const VERSIONS: Readonly<Record<TlsVersion, bigint>> = { "TLSv1.2": 0x0303n, "TLSv1.3": 0x0304n };

// SSL_CTRL_... in ssl.h.
const CONTROL_MODE = 33;
const CONTROL_SESSION_CACHE = 44;
const CONTROL_CHAIN_CERTIFICATE = 89;
const CONTROL_MIN_VERSION = 123;

// SSL_MODE_RELEASE_BUFFERS in ssl.h: an idle connection gives 34 KiB back.
const MODE_RELEASE_BUFFERS = 0x10n;

// SSL_OP_... in ssl.h: no tickets, as in PostgreSQL (sessions are long, and tickets would need keys
// that all workers share), no compression (CRIME), no renegotiation (it would let a peer ask for
// work without end), the server chooses the cipher.
const OPTIONS = (1n << 14n) | (1n << 17n) | (1n << 30n) | (1n << 22n);

/** Most certificates in one text: what a system trusts is a fifth of it. */
const CERTIFICATES_MAX = 1_000;

/** Makes a context without certificates, for peers as old as `minVersion`. */
export function newContext(method: Deno.PointerValue, minVersion: TlsVersion): Pointer {
  const ssl = openSsl();
  const context = allocated(ssl.contextNew(method));
  ssl.contextSetOptions(context, OPTIONS);
  ssl.contextControl(context, CONTROL_MIN_VERSION, VERSIONS[minVersion], null);
  ssl.contextControl(context, CONTROL_MODE, MODE_RELEASE_BUFFERS, null);
  ssl.contextControl(context, CONTROL_SESSION_CACHE, 0n, null);
  ssl.contextSetNumTickets(context, 0n);
  return context;
}

/** The contexts of owners that nobody has any more. */
const orphans = new FinalizationRegistry<Pointer>((context) => openSsl().contextFree(context));

/**
 * Has a context freed when nobody has its owner any more, if `freeContext` did not before: whoever
 * replaces one by another cannot know for how long the old one is still dialled with.
 */
export function adoptContext(owner: object, context: Pointer): void {
  orphans.register(owner, context, owner);
}

/** Frees a context, once. Connections that were made with it have a reference of their own. */
export function freeContext(owner: object, context: Pointer): void {
  if (orphans.unregister(owner)) openSsl().contextFree(context);
}

/** What using a certificate tells. */
export interface UsedCertificate {
  readonly serverEndPoint: Uint8Array | undefined;
  readonly warnings: readonly string[];
}

/**
 * Shows `certificate`, the first of its text with the others as its chain, to peers.
 *
 * @throws {Error} If the texts are broken, or do not belong together.
 */
export function useCertificate(
  context: Pointer,
  certificate: PemText,
  key: PemText,
): UsedCertificate {
  const ssl = openSsl();
  const chain = readCertificates(certificate);
  try {
    const [own, ...issuers] = chain as [Pointer, ...Pointer[]];
    if (ssl.contextUseCertificate(context, own) !== 1) throw refused(certificate, "certificate");
    for (const issuer of issuers) {
      // SSL_CTX_add1_chain_cert: counts a reference of its own.
      const added = ssl.contextControl(context, CONTROL_CHAIN_CERTIFICATE, 1n, issuer);
      if (BigInt.asIntN(32, added) !== 1n) throw refused(certificate, "certificate");
    }
    useKey(context, own, key, certificate);
    return { serverEndPoint: serverEndPoint(own), warnings: validityWarnings(own, certificate) };
  } finally {
    for (const each of chain) ssl.x509Free(each);
  }
}

function useKey(context: Pointer, own: Pointer, key: PemText, certificate: PemText): void {
  const ssl = openSsl();
  assertPem(key, "private key");
  const bio = memoryWith(key.text);
  // An empty passphrase as the last argument: OpenSSL would ask the terminal for one otherwise.
  const pointer = ssl.pemReadKey(bio, null, null, cText(""));
  ssl.bioFree(bio);
  if (pointer === null) throw refused(key, "private key");
  const belongs = ssl.x509CheckKey(own, pointer) === 1;
  const isUsed = belongs && ssl.contextUseKey(context, pointer) === 1;
  ssl.keyFree(pointer);
  if (!belongs) {
    takeErrors();
    const rule = `it is not the key of the certificate in ${certificate.source}`;
    throw new Error(`Cannot use ${key.source} as private key: ${rule}`);
  }
  if (!isUsed) throw refused(key, "private key");
}

/**
 * Trusts the authorities in `ca` to have checked who peers are.
 *
 * @param tellClients Whether clients are told which authorities they may choose from.
 * @throws {Error} If the text is broken.
 */
export function trust(context: Pointer, ca: PemText, tellClients: boolean): void {
  const ssl = openSsl();
  const authorities = readCertificates(ca);
  try {
    for (const authority of authorities) {
      if (ssl.storeAdd(ssl.contextStore(context), authority) !== 1) {
        throw refused(ca, "certificate");
      }
      if (tellClients && ssl.contextAddClientCa(context, authority) !== 1) {
        throw refused(ca, "certificate");
      }
    }
  } finally {
    for (const each of authorities) ssl.x509Free(each);
  }
}

/** All certificates of a text, at least one; each is to be given back with `x509Free`. */
function readCertificates(pem: PemText): Pointer[] {
  const ssl = openSsl();
  assertPem(pem, "certificate");
  const bio = memoryWith(pem.text);
  const certificates: Pointer[] = [];
  for (;;) {
    const certificate = ssl.pemReadCertificate(bio, null, null, null);
    if (certificate === null || certificates.length === CERTIFICATES_MAX) break;
    certificates.push(certificate);
  }
  ssl.bioFree(bio);
  const begun = pem.text.match(/^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/gm)?.length ?? 0;
  if (certificates.length === begun) {
    takeErrors(); // that there are no more
    return certificates;
  }
  for (const each of certificates) ssl.x509Free(each);
  throw refused(pem, `certificate number ${certificates.length + 1}`);
}

/** Memory for OpenSSL to read `text` from, to be given back with `bioFree`. */
function memoryWith(text: string): Pointer {
  const { bioNew, bioMemory, bioWrite } = openSsl();
  const bio = allocated(bioNew(bioMemory()));
  const bytes = utf8(text);
  bioWrite(bio, bytes, bytes.length);
  return bio;
}

function refused(pem: PemText, kind: string): Error {
  return new Error(`Cannot use ${pem.source} as ${kind}: ${takeErrors().text}`);
}

function validityWarnings(x509: Pointer, pem: PemText): string[] {
  const { timeCompareNow, x509NotAfter, x509NotBefore } = openSsl();
  if (timeCompareNow(x509NotAfter(x509)) < 0) {
    return [`The certificate of ${pem.source} has expired`];
  }
  if (timeCompareNow(x509NotBefore(x509)) > 0) {
    return [`The certificate of ${pem.source} is not valid yet`];
  }
  return [];
}
