/**
 * When certificates end: the outage that everybody knows the date of.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";

/** A certificate that the gateway shows to its peers, as the configuration has it. */
export interface ShownCertificate {
  /** Shown to the clients of a listener, or to the servers of a configured client. */
  readonly side: "listener" | "client";
  /** The listener's or client's name. */
  readonly name: string;
  /** PEM: the certificate, maybe followed by those of its issuers. */
  readonly pem: string;
}

/** Base64 holds no "-", so that a certificate ends where the next dash is. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Knows the ends of certificates, and reads each text once: it may be asked at every scrape. */
export class CertificateExpiry {
  /** One for each certificate of the configuration, by its side and name. */
  readonly #known = new Map<string, { readonly pem: string; readonly ms: number | undefined }>();

  /**
   * When the first certificate of the text ends, in milliseconds since 1970; undefined if there is
   * none that can be read.
   */
  endMs({ side, name, pem }: ShownCertificate): number | undefined {
    const key = `${side} ${name}`;
    const known = this.#known.get(key);
    if (known?.pem === pem) return known.ms;
    const ms = earliestEndMs(pem);
    this.#known.set(key, { pem, ms });
    return ms;
  }
}

function earliestEndMs(pem: string): number | undefined {
  const ends = [...pem.matchAll(CERTIFICATE)].map(([text]) => endMs(text));
  const known = ends.filter((end) => Number.isFinite(end));
  return known.length === 0 ? undefined : Math.min(...known);
}

/** NaN if it cannot be read: whoever uses it says so, and there is a gateway to be watched. */
function endMs(pem: string): number {
  try {
    return Date.parse(new X509Certificate(pem).validTo);
  } catch {
    return NaN;
  }
}
