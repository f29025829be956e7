/**
 * The client's side of one SCRAM exchange: the gateway proves to a server that it knows a password,
 * and makes the server prove the same.
 *
 * @module
 */

import { equalInConstantTime } from "../../base/bytes.ts";
import { ProtocolError } from "../wire/errors.ts";
import { maskWithClientSignature, type Primitives, type ScramKeys } from "./scram.ts";
import {
  CHANNEL_BINDING_TYPE,
  channelBindingValue,
  clientFinal,
  clientFinalWithoutProof,
  clientFirstBare,
  readServerFinal,
  readServerFirst,
  scramBytes,
  scramText,
} from "./scram_messages.ts";

/** How this side binds the exchange to the TLS connection. */
export type ClientBinding =
  /** "n": there is nothing to bind to; "y": there is, but the server does not offer it. */
  | { readonly flag: "n" | "y" }
  | { readonly flag: "p"; readonly data: Uint8Array };

/** What one exchange needs. */
export interface ScramClientOptions {
  readonly binding: ClientBinding;
  /** The client's part of the nonce: printable ASCII without commas, never used before. */
  readonly nonce: string;
  /**
   * The keys for what the server asks: 1 to 1024 bytes of salt, 1 to 1,000,000 iterations.
   *
   * @throws {Error} If there are none for it; it is passed on.
   */
  keysFor(salt: Uint8Array, iterations: number): ScramKeys;
  readonly primitives: Primitives;
}

/** Longest part of a server's error that is quoted, in characters; the RFC's have at most 32. */
const ERROR_QUOTE_MAX = 64;

/** One exchange: `first`, `final`, `verify`. */
export class ScramClient {
  readonly #options: ScramClientOptions;
  #serverSignature: Uint8Array | undefined;

  constructor(options: ScramClientOptions) {
    this.#options = options;
  }

  /** Client-first. */
  first(): Uint8Array {
    return scramBytes(this.#gs2Header + clientFirstBare(this.#options.nonce));
  }

  /**
   * Takes server-first.
   *
   * @returns Client-final.
   * @throws {ProtocolError} If it is malformed, not an answer to `first`, or has no keys.
   */
  final(message: Uint8Array): Uint8Array {
    const { nonce: ownNonce, keysFor, binding, primitives } = this.#options;
    const text = scramText(message);
    const { nonce, salt, iterations } = readServerFirst(text);
    if (!nonce.startsWith(ownNonce) || nonce.length === ownNonce.length) {
      throw new ProtocolError("invalid SCRAM response: its nonce must begin with the client's");
    }
    const data = binding.flag === "p" ? binding.data : new Uint8Array();
    const bindingValue = channelBindingValue(this.#gs2Header, data);
    const withoutProof = clientFinalWithoutProof(bindingValue, nonce);
    const authMessage = scramBytes(`${clientFirstBare(ownNonce)},${text},${withoutProof}`);
    const { clientKey, storedKey, serverKey } = keysFor(salt, iterations);
    const proof = maskWithClientSignature(primitives, clientKey, storedKey, authMessage);
    this.#serverSignature = primitives.hmac(serverKey, authMessage);
    return scramBytes(clientFinal(withoutProof, proof));
  }

  /**
   * Takes server-final. When this returns, the server knows the password's keys too.
   *
   * @throws {ProtocolError} If it does not, or refuses.
   */
  verify(message: Uint8Array): void {
    const final = readServerFinal(scramText(message));
    if (final.kind === "error") {
      const value = final.value.slice(0, ERROR_QUOTE_MAX).replaceAll(/[^\x20-\x7e]/g, "?");
      throw new ProtocolError(`the server refused the SCRAM exchange: ${value}`);
    }
    if (!equalInConstantTime(final.signature, this.#serverSignature!)) {
      throw new ProtocolError(
        "the server's SCRAM signature is wrong: it does not know the password's keys, so it may " +
          "not be the server it claims to be",
      );
    }
  }

  get #gs2Header(): string {
    const { flag } = this.#options.binding;
    return flag === "p" ? `p=${CHANNEL_BINDING_TYPE},,` : `${flag},,`;
  }
}
