/**
 * Servers that a gateway must survive: they listen like a database and say what no database says.
 *
 * @module
 */

import { int32At, textOf } from "../../src/base/bytes.ts";

/** More than anything a gateway says before it is logged in. */
const READ_SIZE = 64 * 1024;

/** The gateway, as such a server sees it. */
export class Visitor {
  readonly #conn: Deno.TcpConn;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** What comes next; a login's packets are small and come whole. Nothing at the end. */
  async read(): Promise<Uint8Array> {
    const buffer = new Uint8Array(READ_SIZE);
    const size = await this.#conn.read(buffer);
    return buffer.slice(0, size ?? 0);
  }

  /** Reads a StartupMessage; says no to SSLRequest and GSSENCRequest before. */
  async readStartup(): Promise<string> {
    for (;;) {
      const packet = await this.read();
      if (packet.length === 0) return "";
      if (packet.length !== 8) return textOf(packet.subarray(8));
      await this.write(new TextEncoder().encode("N"));
    }
  }

  /** Reads a SASLInitialResponse and gives the client's nonce. */
  async readNonce(): Promise<string> {
    return /r=([^,\0]+)/.exec(textOf(await this.read()))?.[1] ?? "";
  }

  /** The code of a packet of the startup phase. */
  async readRequest(): Promise<number> {
    const packet = await this.read();
    return packet.length < 8 ? 0 : int32At(packet, 4);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Hangs up. */
  close(): void {
    try {
      this.#conn.close();
    } catch {
      // The gateway was faster.
    }
  }
}

/** A server that was started; disposing of it closes everything. */
export interface HostileBackend extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** How many have connected. */
  readonly visits: () => number;
}

/** Listens, does `act` with everybody who comes, then hangs up. */
export function hostileBackend(act: (visitor: Visitor) => Promise<void>): HostileBackend {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const visitors: Visitor[] = [];
  const acting: Promise<void>[] = [];
  const serving = (async () => {
    for await (const conn of listener) {
      const visitor = new Visitor(conn);
      visitors.push(visitor);
      acting.push(act(visitor).catch(() => {}).finally(() => visitor.close()));
    }
  })();
  return {
    host: "127.0.0.1",
    port: listener.addr.port,
    visits: () => visitors.length,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
      for (const visitor of visitors) visitor.close();
      await Promise.all(acting);
    },
  };
}
