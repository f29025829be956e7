/**
 * Servers of protocols that a test makes up, and what a test needs to talk to them.
 *
 * @module
 */

import { concat } from "../../src/base/bytes.ts";

/** What a server does with one connection, which is closed behind it. */
export type Serve = (conn: Deno.Conn) => Promise<void>;

/** A server on a free port of 127.0.0.1. Disposing of it ends it and all its connections. */
export class TcpServer implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #conns = new Set<Deno.Conn>();
  readonly #serve: Serve;
  readonly #accepting: Promise<void>;
  /** How many connections there were. */
  accepted = 0;

  /** @param tls Its certificate and key as PEM, to speak TLS from the first byte on. */
  constructor(serve: Serve, tls?: { readonly cert: string; readonly key: string }) {
    this.#serve = serve;
    const where = { hostname: "127.0.0.1", port: 0 };
    this.#listener = tls === undefined ? Deno.listen(where) : Deno.listenTls({ ...where, ...tls });
    this.#accepting = this.#accept();
  }

  /** "127.0.0.1:40000" */
  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  /** Connections that are there now. */
  get size(): number {
    return this.#conns.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) closeQuietly(conn);
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    try {
      for await (const conn of this.#listener) {
        this.accepted += 1;
        this.#conns.add(conn);
        serving.push(this.#run(conn));
      }
    } catch {
      // Closed.
    }
    await Promise.all(serving);
  }

  async #run(conn: Deno.Conn): Promise<void> {
    await this.#serve(conn).catch(() => {}); // the test sees what the client gets
    closeQuietly(conn);
    this.#conns.delete(conn);
  }
}

/** Sends back what comes, until the other end sends nothing more. */
export async function echo(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
    await writeAll(conn, buffer.subarray(0, size));
  }
}

/** Sends all of it. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Reads to the end. */
export async function readAll(conn: Deno.Conn): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(64 * 1024);
    const size = await conn.read(buffer);
    if (size === null) return concat(...pieces);
    pieces.push(buffer.subarray(0, size));
  }
}

/** Reads exactly so many bytes. @throws {Error} If it ends before. */
export async function readSize(conn: Deno.Conn, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const read = await conn.read(bytes.subarray(at));
    if (read === null) throw new Error(`The connection ended after ${at} of ${size} bytes`);
    at += read;
  }
  return bytes;
}

/** Closes it, if nobody has. */
export function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
