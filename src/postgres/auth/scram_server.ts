/**
 * The server's side of one SCRAM exchange: the gateway checks that a client knows a password
 * without being told it. An exchange that is bound to fail, because there is no such user, is held
 * to its end like any other.
 *
 * @module
 */

import { equalInConstantTime } from "../../base/bytes.ts";
import { ProtocolError } from "../wire/errors.ts";
import { maskWithClientSignature, type Primitives } from "./scram.ts";
import {
  CHANNEL_BINDING_TYPE,
  channelBindingValue,
  type ClientFirst,
  readClientFinal,
  readClientFirst,
  scramBytes,
  scramText,
  serverFinal,
  serverFirst,
} from "./scram_messages.ts";

/** What an exchange is checked against. */
export interface VerifierSource {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** Called once, when the client has sent its proof: making keys can take milliseconds. */
  keys(): { readonly storedKey: Uint8Array; readonly serverKey: Uint8Array };
}

/** What one exchange needs. */
export interface ScramServerOptions {
  readonly source: VerifierSource;
  /** Hash of the gateway's certificate; undefined where no channel binding was offered. */
  readonly channelBinding: Uint8Array | undefined;
  /** The server's part of the nonce: printable ASCII without commas, never used before. */
  readonly nonce: string;
  readonly primitives: Primitives;
}

/** How an exchange ended. */
export interface ScramVerdict {
  readonly isRight: boolean;
  /** What the client made its proof with, if it is right. */
  readonly clientKey: Uint8Array;
  /** The server-final message, to be sent if it is right. */
  readonly message: Uint8Array;
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const INVALID_AUTHORIZATION_SPECIFICATION = "28000";

/** One exchange: `first`, then `final`. */
export class ScramServer {
  readonly #options: ScramServerOptions;
  #clientFirst: ClientFirst | undefined;
  #serverFirst = "";
  #nonce = "";

  constructor(options: ScramServerOptions) {
    this.#options = options;
  }

  /**
   * Takes client-first.
   *
   * @param isPlus Whether the client selected SCRAM-SHA-256-PLUS.
   * @returns Server-first.
   * @throws {ProtocolError} If it is malformed, or binds in a way that was not offered.
   */
  first(message: Uint8Array, isPlus: boolean): Uint8Array {
    const clientFirst = readClientFirst(scramText(message));
    this.#checkBindingFlag(clientFirst, isPlus);
    const { source, nonce } = this.#options;
    this.#clientFirst = clientFirst;
    this.#nonce = clientFirst.nonce + nonce;
    this.#serverFirst = serverFirst({ ...source, nonce: this.#nonce });
    return scramBytes(this.#serverFirst);
  }

  /**
   * Takes client-final.
   *
   * @throws {ProtocolError} If it is malformed, or does not belong to this exchange or channel.
   */
  final(message: Uint8Array): ScramVerdict {
    const { source, primitives } = this.#options;
    const { binding, nonce, proof, withoutProof } = readClientFinal(scramText(message));
    this.#checkBinding(binding);
    if (!equalInConstantTime(scramBytes(nonce), scramBytes(this.#nonce))) {
      throw new ProtocolError("invalid SCRAM response: its nonce is not that of the exchange");
    }
    const authMessage = scramBytes(
      `${this.#clientFirst!.bare},${this.#serverFirst},${withoutProof}`,
    );
    const { storedKey, serverKey } = source.keys();
    const clientKey = maskWithClientSignature(primitives, proof, storedKey, authMessage);
    const isRight = equalInConstantTime(primitives.sha256(clientKey), storedKey);
    const signature = primitives.hmac(serverKey, authMessage);
    return { isRight, clientKey, message: scramBytes(serverFinal(signature)) };
  }

  #checkBindingFlag({ bindingFlag, bindingType }: ClientFirst, isPlus: boolean): void {
    if (isPlus !== (bindingFlag === "p")) {
      throw new ProtocolError(
        "malformed SCRAM message: the client selected a mechanism " +
          (isPlus ? "with channel binding, but its message has none" : "without channel binding, " +
            "but its message has one"),
      );
    }
    if (bindingFlag === "p" && bindingType !== CHANNEL_BINDING_TYPE) {
      throw new ProtocolError(
        `unsupported SCRAM channel-binding type: it must be ${CHANNEL_BINDING_TYPE}`,
      );
    }
    // RFC 5802 section 6: somebody between us took the mechanism out of the list.
    if (bindingFlag === "y" && this.#options.channelBinding !== undefined) {
      throw new ProtocolError(
        "SCRAM channel binding negotiation error: the client supports channel binding and was " +
          "told that the server does not, but it does",
        INVALID_AUTHORIZATION_SPECIFICATION,
      );
    }
  }

  #checkBinding(binding: string): void {
    const { gs2Header, bindingFlag } = this.#clientFirst!;
    const isBound = bindingFlag === "p";
    const data = isBound ? this.#options.channelBinding! : new Uint8Array();
    const expected = channelBindingValue(gs2Header, data);
    if (equalInConstantTime(scramBytes(binding), scramBytes(expected))) return;
    if (isBound) {
      throw new ProtocolError(
        "SCRAM channel binding check failed",
        INVALID_AUTHORIZATION_SPECIFICATION,
      );
    }
    throw new ProtocolError("unexpected SCRAM channel-binding attribute in client-final-message");
  }
}
