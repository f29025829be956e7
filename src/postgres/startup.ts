/**
 * A connection's first packets: declines what the gateway does not offer until the client says
 * what the connection is for.
 *
 * @module
 */

import { ProtocolError } from "./wire/errors.ts";
import { DECLINED } from "./wire/messages.ts";
import { readStartupPacket, type StartupPacket } from "./wire/startup_packet.ts";

/** The packets that decide what a connection is for. */
export type Purpose = Extract<StartupPacket, { kind: "startup" | "cancel" }>;

/** The first packets of one connection. Not shared: it remembers what was declined. */
export class Startup {
  readonly #packetSizeMax: number;
  readonly #declined = new Set<StartupPacket["kind"]>();

  /** @param packetSizeMax Largest packet accepted, in bytes. */
  constructor(packetSizeMax: number) {
    this.#packetSizeMax = packetSizeMax;
  }

  /**
   * Takes whole packets from `view`, up to and with the one that decides.
   *
   * @param reply Sends bytes to the client.
   * @returns How many bytes were taken, and the deciding packet if it was among them.
   * @throws {ProtocolError} If these are not packets that a client may begin with.
   */
  take(
    view: Uint8Array,
    reply: (bytes: Uint8Array) => void,
  ): { readonly taken: number; readonly purpose?: Purpose } {
    let taken = 0;
    for (;;) {
      const read = readStartupPacket(view.subarray(taken), this.#packetSizeMax);
      if (read === undefined) return { taken };
      taken += read.size;
      const { packet } = read;
      if (packet.kind === "startup" || packet.kind === "cancel") return { taken, purpose: packet };
      this.#decline(packet.kind);
      reply(DECLINED);
    }
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
