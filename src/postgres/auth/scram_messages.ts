/**
 * The four messages of SCRAM, as both sides write and read them.
 *
 *     client-first:  n,,n=,r=<client's nonce>          n, y or p=<type>: the channel binding
 *     server-first:  r=<both nonces>,s=<salt>,i=<iterations>
 *     client-final:  c=<binding>,r=<both nonces>,p=<ClientProof>
 *     server-final:  v=<ServerSignature>  or  e=<error>
 *
 * They are texts in which every character stands for one byte, because both sides sign exactly the
 * bytes that were sent, whether they are UTF-8 or not.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc5802#section-7
 *
 * @module
 */

import { fromBase64, toBase64 } from "../../base/base64.ts";
import { concat } from "../../base/bytes.ts";
import {
  areIterations,
  SCRAM_ITERATIONS_MAX,
  SCRAM_KEY_SIZE,
  SCRAM_SALT_SIZE_MAX,
} from "../secrets/scram_limits.ts";
import { ProtocolError } from "../wire/errors.ts";

/** The only type of channel binding that PostgreSQL knows: a hash of the server's certificate. */
export const CHANNEL_BINDING_TYPE = "tls-server-end-point";

/** Longest message that is read; an honest one has about 200 bytes. */
export const SCRAM_MESSAGE_SIZE_MAX = 4096;

/** Bytes of chance in a nonce: SCRAM_RAW_NONCE_LEN of src/include/common/scram-common.h. */
export const SCRAM_NONCE_SIZE = 18;

/** What a client says first. */
export interface ClientFirst {
  /** "n": it cannot bind; "y": it can and thinks that the server cannot; "p": it does. */
  readonly bindingFlag: "n" | "y" | "p";
  /** Type of the binding with flag "p", else "". */
  readonly bindingType: string;
  /** Everything before the bare message, its comma included. */
  readonly gs2Header: string;
  /** The part that is signed. */
  readonly bare: string;
  readonly nonce: string;
}

/** What a server answers. */
export interface ServerFirst {
  /** The client's nonce and the server's. */
  readonly nonce: string;
  /** 1 to 1024 bytes. */
  readonly salt: Uint8Array;
  /** 1 to 1,000,000. */
  readonly iterations: number;
}

/** What a client proves itself with. */
export interface ClientFinal {
  /** In base64: the GS2 header and the binding's data. */
  readonly binding: string;
  readonly nonce: string;
  /** 32 bytes. */
  readonly proof: Uint8Array;
  /** The part that is signed. */
  readonly withoutProof: string;
}

/** What a server proves itself with, or why it refuses. */
export type ServerFinal =
  /** 32 bytes. */
  | { readonly kind: "signature"; readonly signature: Uint8Array }
  | { readonly kind: "error"; readonly value: string };

/**
 * A message's bytes as the text that the functions here read.
 *
 * @throws {ProtocolError} If it is empty, too long, or has a NUL.
 */
export function scramText(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > SCRAM_MESSAGE_SIZE_MAX || bytes.includes(0)) {
    throw malformed(`a message must have 1 to ${SCRAM_MESSAGE_SIZE_MAX} bytes, none of them NUL`);
  }
  return String.fromCharCode(...bytes);
}

/** The bytes of a text of this module. */
export function scramBytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Writes the bare client-first message. The user's name is empty: the startup message has it. */
export function clientFirstBare(nonce: string): string {
  return `n=,r=${nonce}`;
}

/**
 * Reads client-first.
 *
 * @throws {ProtocolError} If it is malformed, or asks for what PostgreSQL does not have either.
 */
export function readClientFirst(text: string): ClientFirst {
  const reader = new AttributeReader(text);
  const bindingFlag = text[0];
  if (bindingFlag !== "n" && bindingFlag !== "y" && bindingFlag !== "p") {
    throw malformed("it must begin with the channel binding flag n, y or p");
  }
  const bindingType = bindingFlag === "p" ? reader.take("p") : "";
  if (bindingFlag !== "p") reader.skip(`${bindingFlag},`);
  if (reader.isAt("a=")) {
    throw new ProtocolError(
      "client uses authorization identity, but it is not supported",
      FEATURE_NOT_SUPPORTED,
    );
  }
  reader.skip(",");
  const gs2Header = text.slice(0, reader.at);
  if (reader.isAt("m=")) {
    throw new ProtocolError(
      "client requires an unsupported SCRAM extension",
      FEATURE_NOT_SUPPORTED,
    );
  }
  reader.take("n");
  const nonce = checkedNonce(reader.take("r"));
  while (!reader.isAtEnd) reader.takeAny();
  return { bindingFlag, bindingType, gs2Header, bare: text.slice(gs2Header.length), nonce };
}

/** Writes server-first. */
export function serverFirst(message: ServerFirst): string {
  return `r=${message.nonce},s=${toBase64(message.salt)},i=${message.iterations}`;
}

/**
 * Reads server-first.
 *
 * @throws {ProtocolError} If it is malformed, or out of the limits of {@linkcode ServerFirst}.
 */
export function readServerFirst(text: string): ServerFirst {
  const reader = new AttributeReader(text);
  const nonce = checkedNonce(reader.take("r"));
  const salt = fromBase64(reader.take("s"));
  const iterations = reader.take("i");
  if (!reader.isAtEnd) throw malformed("nothing may follow the iteration count of server-first");
  if (salt === undefined || salt.length < 1 || salt.length > SCRAM_SALT_SIZE_MAX) {
    throw malformed(`the salt must be base64 of 1 to ${SCRAM_SALT_SIZE_MAX} bytes`);
  }
  if (!areIterations(iterations)) {
    throw malformed(`the iteration count must be 1 to ${SCRAM_ITERATIONS_MAX}`);
  }
  return { nonce, salt, iterations: Number(iterations) };
}

/** The `c=` attribute's value. `data` is the binding's, empty without one. */
export function channelBindingValue(gs2Header: string, data: Uint8Array): string {
  return toBase64(concat(scramBytes(gs2Header), data));
}

/** Writes client-final up to its proof: the part that is signed. */
export function clientFinalWithoutProof(binding: string, nonce: string): string {
  return `c=${binding},r=${nonce}`;
}

/** Writes client-final. */
export function clientFinal(withoutProof: string, proof: Uint8Array): string {
  return `${withoutProof},p=${toBase64(proof)}`;
}

/**
 * Reads client-final.
 *
 * @throws {ProtocolError} If it is malformed.
 */
export function readClientFinal(text: string): ClientFinal {
  const reader = new AttributeReader(text);
  const binding = reader.take("c");
  const nonce = reader.take("r");
  let proofAt = reader.at;
  let attribute = reader.takeAny();
  while (attribute.name !== "p") {
    proofAt = reader.at;
    attribute = reader.takeAny();
  }
  const proof = fromBase64(attribute.value);
  if (proof?.length !== SCRAM_KEY_SIZE || !reader.isAtEnd) {
    throw malformed(`client-final must end with a proof of ${SCRAM_KEY_SIZE} bytes in base64`);
  }
  return { binding, nonce, proof, withoutProof: text.slice(0, proofAt - 1) };
}

/** Writes server-final. */
export function serverFinal(signature: Uint8Array): string {
  return `v=${toBase64(signature)}`;
}

/**
 * Reads server-final.
 *
 * @throws {ProtocolError} If it is malformed.
 */
export function readServerFinal(text: string): ServerFinal {
  const reader = new AttributeReader(text);
  if (reader.isAt("e=")) return { kind: "error", value: reader.take("e") };
  const signature = fromBase64(reader.take("v"));
  if (signature?.length !== SCRAM_KEY_SIZE || !reader.isAtEnd) {
    throw malformed(`server-final must be a signature of ${SCRAM_KEY_SIZE} bytes in base64`);
  }
  return { kind: "signature", signature };
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const FEATURE_NOT_SUPPORTED = "0A000";

/** Attributes one after the other: a letter, "=", and a value up to a comma or the text's end. */
class AttributeReader {
  readonly #text: string;
  /** Where the next attribute begins. */
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** A comma at the very end promises an attribute that does not come, so that is no end. */
  get isAtEnd(): boolean {
    return this.at > this.#text.length;
  }

  isAt(text: string): boolean {
    return this.#text.startsWith(text, this.at);
  }

  skip(text: string): void {
    if (!this.isAt(text)) throw malformed(`"${text}" is missing`);
    this.at += text.length;
  }

  take(name: string): string {
    const attribute = this.isAt(`${name}=`) ? this.takeAny() : undefined;
    if (attribute === undefined) throw malformed(`attribute "${name}" is missing`);
    return attribute.value;
  }

  takeAny(): { readonly name: string; readonly value: string } {
    const name = this.#text[this.at] ?? "";
    if (!/^[A-Za-z]$/.test(name) || this.#text[this.at + 1] !== "=") {
      throw malformed("an attribute must be a letter, an equals sign and a value");
    }
    const comma = this.#text.indexOf(",", this.at);
    const end = comma < 0 ? this.#text.length : comma;
    const value = this.#text.slice(this.at + 2, end);
    this.at = end + 1;
    return { name, value };
  }
}

/** RFC 5802: a nonce is printable ASCII without the comma. */
function checkedNonce(nonce: string): string {
  if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(nonce)) {
    throw malformed("a nonce must be printable ASCII, and at least one character");
  }
  return nonce;
}

function malformed(rule: string): ProtocolError {
  return new ProtocolError(`malformed SCRAM message: ${rule}`);
}
