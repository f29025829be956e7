/**
 * Which texts are certificates and private keys in PEM format, by what stands around them.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc7468, sections 5 and 10, and the older forms that
 * OpenSSL reads and writes.
 *
 * @module
 */

/** What a text in PEM format may be needed for. */
export type PemKind = "certificate" | "private key";

const LABELS: Readonly<Record<PemKind, RegExp>> = {
  "certificate": /^((X509|TRUSTED) )?CERTIFICATE$/,
  "private key": /^((RSA|EC|DSA) )?PRIVATE KEY$/,
};

/**
 * Says what is wrong with a text that should hold a certificate or a key, without quoting what it
 * holds; undefined if it can be one.
 */
export function wrongPem(text: string, kind: PemKind): string | undefined {
  const found = text.matchAll(/^-----BEGIN ([A-Z0-9 ]{1,40})-----/gm);
  const labels = Array.from(found, (match) => match[1]!);
  const isKey = kind === "private key";
  // A key without a passphrase beside it would not help: the first one is read.
  if (isKey && (labels.includes("ENCRYPTED PRIVATE KEY") || /^Proc-Type:.*ENCRYPTED/m.test(text))) {
    const remedy = "remove it with: openssl pkey -in FILE -out NEW_FILE";
    return `the private key has a passphrase, which nobody could type in; ${remedy}`;
  }
  if (labels.some((label) => LABELS[kind].test(label))) return undefined;
  const got = labels[0] === undefined ? "nothing like that" : `"BEGIN ${labels[0]}"`;
  return `expected a ${kind} as PEM, which has "BEGIN ${kind.toUpperCase()}"; got ${got}`;
}
