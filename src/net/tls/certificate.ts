/**
 * What a certificate says: whose it is, and the hash that binds a login to it.
 *
 * @module
 */

import { textOf } from "../../base/bytes.ts";
import { allocated, bytesAt, cText, openSsl, type Pointer, takeErrors, textAt } from "./openssl.ts";

/** The certificate that a peer showed. */
export interface PeerCertificate {
  /** The first common name of the subject; undefined if there is none, or one that holds a NUL. */
  readonly commonName: string | undefined;
  /** The distinguished name as in RFC 2253: "CN=alice,O=Example". */
  readonly subject: string;
  /** "DNS:localhost", "IP:127.0.0.1", "email:a@b", "URI:..."; other kinds are left out. */
  readonly subjectAltNames: readonly string[];
  /** False only if nothing was to be verified (`require` as a client). */
  readonly isVerified: boolean;
  /** Why it is not verified, in OpenSSL's words. */
  readonly verifyError: string | undefined;
}

// NID_commonName, NID_subject_alt_name, NID_md5, NID_sha1 in obj_mac.h.
const NID_COMMON_NAME = 13;
const NID_SUBJECT_ALT_NAME = 85;
const NIDS_TOO_WEAK: readonly number[] = [4, 64];

// XN_FLAG_RFC2253 in x509.h.
const NAME_AS_RFC2253 = 0x1110317n;

// ASN1_STRFLGS_UTF8_CONVERT in asn1.h: UTF-8, and nothing escaped.
const STRING_AS_UTF8 = 0x10n;

// EVP_MAX_MD_SIZE in evp.h.
const DIGEST_SIZE_MAX = 64;

// GEN_EMAIL, GEN_DNS, GEN_URI, GEN_IPADD in x509v3.h.
const NAME_KINDS: Readonly<Record<number, string>> = { 1: "email", 2: "DNS", 6: "URI", 7: "IP" };

/** Longest name read out of a certificate, in bytes; a certificate may have up to 100 KiB. */
const NAME_SIZE_MAX = 8 * 1024;

/** Most alternative names read out of a certificate. */
const ALT_NAMES_MAX = 256;

/** Reads what the certificate at `x509` says. @param verifyResult What verifying it gave. */
export function readCertificate(x509: Pointer, verifyResult: bigint): PeerCertificate {
  const { x509Subject, nameText, verifyErrorText } = openSsl();
  const name = allocated(x509Subject(x509));
  // X509_V_OK in x509_vfy.h; a long, of which Windows fills the lower half.
  const result = BigInt.asIntN(32, verifyResult);
  return {
    commonName: commonName(name),
    subject: printed((bio) => nameText(bio, name, 0, NAME_AS_RFC2253)),
    subjectAltNames: subjectAltNames(x509),
    isVerified: result === 0n,
    verifyError: result === 0n ? undefined : textAt(verifyErrorText(result)),
  };
}

function commonName(name: Pointer): string | undefined {
  const { nameFind, nameEntry, nameEntryString, stringPrint } = openSsl();
  const index = nameFind(name, NID_COMMON_NAME, -1);
  if (index < 0) return undefined;
  const string = nameEntryString(nameEntry(name, index));
  const text = printed((bio) => stringPrint(bio, string, STRING_AS_UTF8));
  // Who trusts what is before a NUL lets "alice\0.example.com" in as alice (CVE-2009-4034).
  return text === "" || text.includes("\0") ? undefined : text;
}

function subjectAltNames(x509: Pointer): string[] {
  const ssl = openSsl();
  const names = ssl.x509Extension(x509, NID_SUBJECT_ALT_NAME, null, null);
  if (names === null) return [];
  const texts: string[] = [];
  const kind = new Int32Array(1);
  for (let i = 0; i < Math.min(ssl.stackSize(names), ALT_NAMES_MAX); i++) {
    const string = ssl.generalNameValue(ssl.stackValue(names, i), kind);
    const label = NAME_KINDS[kind[0]!];
    if (string === null || label === undefined) continue;
    const size = ssl.stringLength(string);
    if (size > NAME_SIZE_MAX) continue;
    const bytes = bytesAt(ssl.stringBytes(string), size);
    const text = label === "IP" ? addressOf(bytes) : textOf(bytes);
    if (text !== undefined && !text.includes("\0")) texts.push(`${label}:${text}`);
  }
  ssl.generalNamesFree(names);
  return texts;
}

function addressOf(bytes: Uint8Array): string | undefined {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** What `print` writes, up to a limit. */
function printed(print: (bio: Pointer) => void): string {
  const { bioNew, bioMemory, bioRead, bioFree } = openSsl();
  const bio = allocated(bioNew(bioMemory()));
  print(bio);
  const bytes = new Uint8Array(NAME_SIZE_MAX);
  const size = bioRead(bio, bytes, bytes.length);
  bioFree(bio);
  return textOf(bytes.subarray(0, Math.max(0, size)));
}

/**
 * The channel binding `tls-server-end-point` (RFC 5929, section 4.1): the certificate's hash, by
 * the function that it is signed with, or SHA-256 where that is MD5 or SHA-1.
 *
 * @returns Undefined for a signature without such a function (Ed25519), which the RFC leaves open.
 */
export function serverEndPoint(x509: Pointer): Uint8Array | undefined {
  const ssl = openSsl();
  const nid = new Int32Array(1);
  const isKnown = ssl.x509SignatureInfo(x509, nid, null, null, null) === 1 && nid[0] !== 0;
  if (!isKnown) {
    takeErrors();
    return undefined;
  }
  const name = NIDS_TOO_WEAK.includes(nid[0]!) ? "SHA256" : textAt(ssl.objectName(nid[0]!));
  const digest = ssl.digestByName(cText(name));
  const hash = new Uint8Array(DIGEST_SIZE_MAX);
  const size = new Uint32Array(1);
  if (digest === null || ssl.x509Digest(x509, digest, hash, size) !== 1) {
    takeErrors();
    return undefined;
  }
  return hash.slice(0, size[0]!);
}
