/**
 * What a client answers to a server that asks who it is: cleartext, MD5 and SCRAM-SHA-256. Written
 * for tests from the manual and the RFCs, so that what the gateway computes is checked by another
 * computation.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-flow.html and
 * https://www.rfc-editor.org/rfc/rfc5802
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { int32At, textOf, utf8 } from "../../src/base/bytes.ts";
import { type Bytes, int32, message, password as passwordMessage } from "./messages.ts";

/** "n,,": no channel binding, as a client without TLS says it. */
const GS2_HEADER = "n,,";

/** One client's side of one login. Not shared: it remembers what was said. */
export class ClientLogin {
  readonly #user: string;
  readonly #password: string;
  readonly #nonce: string;
  #firstBare = "";
  #serverSignature: string | undefined;

  /** @param nonce Printable and without a comma; random unless a test wants to know it. */
  constructor(user: string, password: string, nonce = randomBytes(18).toString("base64")) {
    this.#user = user;
    this.#password = password;
    this.#nonce = nonce;
  }

  /**
   * The answer to an Authentication message, or undefined where none is due.
   *
   * @throws {Error} If it asks for what this client does not know, or a server's proof is wrong.
   */
  answer(asked: Uint8Array): Bytes | undefined {
    const kind = int32At(asked, 5);
    const data = asked.subarray(9);
    switch (kind) {
      case 0:
        return undefined;
      case 3:
        return passwordMessage(this.#password);
      case 5:
        return passwordMessage(this.#md5(data));
      case 10:
        return this.#saslInitialResponse();
      case 11:
        return message("p", this.#clientFinal(textOf(data)));
      case 12:
        this.#checkServer(textOf(data));
        return undefined;
      default:
        throw new Error(`Cannot log in: the server asks for authentication of kind ${kind}`);
    }
  }

  #md5(salt: Uint8Array): string {
    const inner = createHash("md5").update(this.#password + this.#user).digest("hex");
    return "md5" + createHash("md5").update(inner).update(salt).digest("hex");
  }

  #saslInitialResponse(): Bytes {
    // PostgreSQL ignores the name in here: it has the one of the StartupMessage.
    this.#firstBare = `n=,r=${this.#nonce}`;
    const first = utf8(GS2_HEADER + this.#firstBare);
    return message("p", "SCRAM-SHA-256\0", int32(first.length), first);
  }

  #clientFinal(serverFirst: string): string {
    const fields = new Map(serverFirst.split(",").map((field) => [field[0]!, field.slice(2)]));
    const salt = Buffer.from(fields.get("s") ?? "", "base64");
    const iterations = Number(fields.get("i"));
    const nonce = fields.get("r") ?? "";
    if (!nonce.startsWith(this.#nonce)) throw new Error("The server's nonce is not made of ours");
    const salted = pbkdf2Sync(this.#password, salt, iterations, 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const storedKey = createHash("sha256").update(clientKey).digest();
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString("base64")},r=${nonce}`;
    const said = `${this.#firstBare},${serverFirst},${withoutProof}`;
    const signature = hmac(storedKey, said);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!));
    this.#serverSignature = hmac(hmac(salted, "Server Key"), said).toString("base64");
    return `${withoutProof},p=${proof.toString("base64")}`;
  }

  #checkServer(serverFinal: string): void {
    if (serverFinal === `v=${this.#serverSignature}`) return;
    throw new Error(`The server does not prove that it knows the secret: "${serverFinal}"`);
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
