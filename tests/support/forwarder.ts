/**
 * A piece of network in front of a server, which a test can cut: all of its bytes pass through
 * this process.
 *
 * @module
 */

import { eventually } from "./wait.ts";

const HOST = "127.0.0.1";
const CHUNK_SIZE_MAX = 64 * 1024;

/**
 * What becomes of connections:
 * - "open": bytes pass;
 * - "silent": as if packets were lost. New connections are accepted and hear nothing, old ones
 *   stay open and no byte passes, nor the end of either side. What was held passes when it opens;
 * - "refusing": new connections are refused, old ones are closed.
 */
export type ForwarderState = "open" | "silent" | "refusing";

/** Forwards the connections of one port of 127.0.0.1 to another one. */
export class Forwarder implements AsyncDisposable {
  /** Where it listens; it stays the same while it refuses, too. */
  readonly port: number;
  readonly #targetPort: () => number;
  /** Those of both sides. */
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving = new Set<Promise<void>>();
  #listener: Deno.TcpListener | undefined;
  /** Resolves when the listener is closed, which is after `close` has returned. */
  #accepting = Promise.resolve();
  #state: ForwarderState = "open";
  /** Resolved unless it is silent: bytes wait for it. */
  #opening = Promise.withResolvers<void>();

  /** @param targetPort Asked for each connection. */
  constructor(targetPort: () => number) {
    this.#targetPort = targetPort;
    this.#opening.resolve();
    const listener = Deno.listen({ hostname: HOST, port: 0 });
    this.port = listener.addr.port;
    this.#listen(listener);
  }

  /** @throws {Error} If somebody else has taken its port while it refused. */
  async change(state: ForwarderState): Promise<void> {
    if (state === this.#state) return;
    if (this.#state === "silent") this.#opening.resolve();
    if (state === "silent") this.#opening = Promise.withResolvers();
    this.#state = state;
    if (state === "refusing") return await this.#close();
    if (this.#listener !== undefined) return;
    this.#listen(await eventually(`port ${this.port} is free again`, () => this.#reopened()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.change("refusing");
    await Promise.all(this.#serving);
  }

  #reopened(): Deno.TcpListener | undefined {
    try {
      return Deno.listen({ hostname: HOST, port: this.port });
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) return undefined;
      throw error;
    }
  }

  #listen(listener: Deno.TcpListener): void {
    this.#listener = listener;
    this.#accepting = this.#accept(listener);
  }

  #track(work: Promise<void>): void {
    this.#serving.add(work);
    void work.finally(() => this.#serving.delete(work));
  }

  async #close(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    await this.#accepting;
    for (const connection of [...this.#connections]) this.#closeOne(connection);
  }

  #closeOne(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    for await (const client of listener) this.#track(this.#serve(client));
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#connections.add(client);
    await this.#opening.promise;
    let server: Deno.TcpConn;
    try {
      server = await Deno.connect({ hostname: HOST, port: this.#targetPort() });
    } catch {
      return this.#closeOne(client); // The server refuses, so this does.
    }
    if (!this.#connections.has(client)) return server.close(); // Refused in the meantime.
    this.#connections.add(server);
    client.setNoDelay();
    server.setNoDelay();
    await Promise.all([this.#pass(client, server), this.#pass(server, client)]);
    this.#closeOne(client);
    this.#closeOne(server);
  }

  /** Passes bytes on in one direction, and their end. */
  async #pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(CHUNK_SIZE_MAX);
    let isListening = true;
    for (;;) {
      const size = await from.read(buffer).catch(() => null);
      await this.#opening.promise;
      if (size === null) break;
      // What nobody reads any more is read all the same: behind it is the end.
      if (isListening) isListening = await wroteAll(to, buffer.subarray(0, size));
    }
    await to.closeWrite().catch(() => {});
  }
}

async function wroteAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<boolean> {
  try {
    for (let start = 0; start < bytes.length;) start += await to.write(bytes.subarray(start));
    return true;
  } catch {
    return false;
  }
}
