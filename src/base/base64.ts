/**
 * Base64 as SCRAM writes it: the standard alphabet, padded, without line breaks or anything else
 * that lenient decoders skip. There is one text for some bytes, so a changed proof is a wrong one.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc4648#section-4
 *
 * @module
 */

// The last character before the padding has bits that stand for nothing: they must be zero.
const PATTERN =
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

/** Bytes as base64; meant for at most a few thousand of them. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** The bytes that `text` stands for, or undefined if it is not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!PATTERN.test(text)) return undefined;
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
