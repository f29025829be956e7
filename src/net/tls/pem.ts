/**
 * Certificates and keys as texts. Files are read here, where their permissions can be looked at;
 * what uses them is given texts, so that a worker needs no access to the files.
 *
 * @module
 */

import { asError } from "../../base/errors.ts";

/** A text in PEM format, and where it is from. Survives `structuredClone`. Never log `text`. */
export interface PemText {
  readonly text: string;
  /** For messages: the path of its file. */
  readonly source: string;
}

/** Paths; what is undefined is not read. */
export interface TlsPaths {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly caFile?: string | undefined;
}

/** What the files hold. */
export interface TlsTexts {
  readonly certificate: PemText | undefined;
  readonly key: PemText | undefined;
  readonly ca: PemText | undefined;
  /** What works, and should be changed. */
  readonly warnings: readonly string[];
}

/** Largest file taken, in bytes: all authorities that a system trusts are a quarter of it. */
const FILE_SIZE_MAX = 1024 * 1024;

/**
 * Reads the files.
 *
 * @throws {Error} If one is missing, cannot be read, is too large, or holds something else; the
 * message names the file and says what is wrong.
 */
export function readTlsFiles(paths: TlsPaths): TlsTexts {
  const { certFile, keyFile, caFile } = paths;
  return {
    certificate: certFile === undefined ? undefined : readPem(certFile, "certificate"),
    key: keyFile === undefined ? undefined : readPem(keyFile, "private key"),
    ca: caFile === undefined ? undefined : readPem(caFile, "certificate"),
    warnings: keyFile === undefined ? [] : permissionWarnings(keyFile),
  };
}

function readPem(path: string, kind: "certificate" | "private key"): PemText {
  let text: string;
  try {
    const { size } = Deno.statSync(path);
    if (size > FILE_SIZE_MAX) throw new Error(`it has ${size} bytes of at most ${FILE_SIZE_MAX}`);
    text = Deno.readTextFileSync(path);
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    const why = isMissing ? "there is no such file" : asError(error).message;
    throw new Error(`Cannot read the ${kind} file ${path}: ${why}`, { cause: error });
  }
  const pem = { text, source: path };
  assertPem(pem, kind);
  return pem;
}

/**
 * Checks that a text can hold what it should.
 *
 * @throws {Error} If it is no PEM text, holds something else, or a key that has a passphrase.
 */
export function assertPem({ text, source }: PemText, kind: "certificate" | "private key"): void {
  const labels = Array.from(text.matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----/gm), (match) => match[1]!);
  const suffix = kind === "certificate" ? "CERTIFICATE" : "PRIVATE KEY";
  if (!labels.some((label) => label.endsWith(suffix))) {
    const found = labels.length === 0 ? "it is not in PEM format" : `it holds ${labels.join(", ")}`;
    const rule = `a text with "-----BEGIN ${suffix}-----" is needed`;
    throw new Error(`Cannot use ${source} as ${kind}: ${found}; ${rule}`);
  }
  const isEncrypted = labels.includes("ENCRYPTED PRIVATE KEY") ||
    /^Proc-Type:.*ENCRYPTED/m.test(text);
  if (kind === "private key" && isEncrypted) {
    const remedy = `decrypt it with "openssl pkey -in ${source} -out ..."`;
    throw new Error(`Cannot use ${source} as private key: it has a passphrase; ${remedy}`);
  }
}

/** PostgreSQL's rule: nobody but the owner, or, if that is root, its group, may read the key. */
function permissionWarnings(path: string): string[] {
  const { mode, uid } = Deno.statSync(path);
  if (mode === null) return [];
  const forbidden = uid === 0 ? 0o037 : 0o077;
  if ((mode & forbidden) === 0) return [];
  const text = (mode & 0o777).toString(8).padStart(4, "0");
  const remedy = `use "chmod 0600 ${path}"`;
  return [`The private key file ${path} can be read or written by others (${text}); ${remedy}`];
}
