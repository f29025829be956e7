/**
 * A connection's first packets: agrees to TLS or declines it, and declines what the gateway does
 * not offer, until the client says what the connection is for.
 *
 * @module
 */

import { LateSet } from "../base/late_collections.ts";
import { ProtocolError } from "./wire/errors.ts";
import { ACCEPTED, DECLINED } from "./wire/messages.ts";
import {
  isTlsHandshake,
  readStartupPacket,
  type StartupMemory,
  type StartupPacket,
} from "./wire/startup_packet.ts";

/** What the first packets lead to. */
export type Purpose =
  | Extract<StartupPacket, { kind: "startup" | "cancel" }>
  /** TLS begins with the next byte; the packets that decide come inside of it. */
  | { readonly kind: "tls" };

/** What PostgreSQL's clients must ask for when they begin with TLS (RFC 7301). */
const ALPN_PROTOCOL = "postgresql";

/** The first packets of one connection. Not shared: it remembers what was declined. */
export class Startup {
  readonly #packetSizeMax: number;
  readonly #recent: StartupMemory;
  readonly #declined = new LateSet<StartupPacket["kind"]>();
  /** `offered`: the client may ask. `direct`: it began without asking. */
  #tls: "none" | "offered" | "begun" | "direct" | "secured";

  /**
   * @param packetSizeMax Largest packet accepted, in bytes.
   * @param offersTls Whether an SSLRequest is answered with yes.
   * @param recent What other clients have sent.
   */
  constructor(packetSizeMax: number, offersTls: boolean, recent: StartupMemory) {
    this.#packetSizeMax = packetSizeMax;
    this.#recent = recent;
    this.#tls = offersTls ? "offered" : "none";
  }

  /** Whether TLS has begun and its handshake is not done. */
  get isSecuring(): boolean {
    return this.#tls === "begun" || this.#tls === "direct";
  }

  /**
   * The handshake is done.
   *
   * @throws {ProtocolError} If the client began with TLS and did not ask for PostgreSQL's protocol:
   * it may have been led here by somebody who wants to confuse it with another one (ALPACA).
   */
  onSecured(alpn: string | undefined): void {
    if (this.#tls === "direct" && alpn !== ALPN_PROTOCOL) {
      throw new ProtocolError(
        `direct TLS needs ALPN "${ALPN_PROTOCOL}": use sslnegotiation=direct of libpq 17 or newer`,
      );
    }
    this.#tls = "secured";
    this.#declined.clear();
  }

  /**
   * Takes whole packets from `view`, up to and with the one that decides.
   *
   * @param reply Sends bytes to the client.
   * @returns How many bytes were taken, and what they lead to if that is clear.
   * @throws {ProtocolError} If these are not packets that a client may begin with.
   */
  take(
    view: Uint8Array,
    reply: (bytes: Uint8Array) => void,
  ): { readonly taken: number; readonly purpose?: Purpose } {
    if (this.#tls === "offered" && isTlsHandshake(view)) {
      this.#tls = "direct";
      return { taken: 0, purpose: { kind: "tls" } };
    }
    const read = readStartupPacket(view, this.#packetSizeMax, this.#recent);
    if (read === undefined) return { taken: 0 };
    const { packet, size: taken } = read;
    if (packet.kind === "startup" || packet.kind === "cancel") return { taken, purpose: packet };
    const isTls = packet.kind === "ssl" && this.#tls === "offered";
    if (!isTls) {
      this.#decline(packet.kind);
      reply(DECLINED);
    }
    // An honest client waits for the answer; whoever put plain bytes there wants them to be taken
    // for what it says inside of TLS (CVE-2021-23214).
    if (taken < view.length) {
      const name = packet.kind === "ssl" ? "SSL" : "GSSAPI encryption";
      throw new ProtocolError(`received unencrypted data after ${name} request`);
    }
    if (!isTls) return { taken };
    this.#tls = "begun";
    reply(ACCEPTED);
    return { taken, purpose: { kind: "tls" } };
  }

  /** PostgreSQL takes each request once, too: a client that asks again is lost or hostile. */
  #decline(kind: StartupPacket["kind"]): void {
    if (this.#declined.has(kind)) {
      const name = kind === "ssl" ? "SSLRequest" : "GSSENCRequest";
      throw new ProtocolError(`${name} was sent twice: it has been declined already`);
    }
    this.#declined.add(kind);
  }
}
