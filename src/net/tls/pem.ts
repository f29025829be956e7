/**
 * Certificates and keys as texts, so that a worker needs no access to their files.
 *
 * @module
 */

import { type PemKind, wrongPem } from "../../base/pem.ts";

/** A text in PEM format, and where it is from. Survives `structuredClone`. Never log `text`. */
export interface PemText {
  readonly text: string;
  /** For messages: the path of its file. */
  readonly source: string;
}

/**
 * Checks that a text can hold what it should.
 *
 * @throws {Error} If it is no PEM text, holds something else, or a key that has a passphrase.
 */
export function assertPem({ text, source }: PemText, kind: PemKind): void {
  const reason = wrongPem(text, kind);
  if (reason !== undefined) throw new Error(`Cannot use ${source} as ${kind}: ${reason}`);
}
