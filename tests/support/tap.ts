/**
 * A wire-tap between the gateway and a server: passes bytes on, and notes the first packet of each
 * connection, which says what the connection is for and whether it is in plain text.
 *
 * @module
 */

/** One that listens. */
export interface Tap extends Disposable {
  readonly port: number;
  /** The codes of the first packets, such as 80877103 for SSLRequest. */
  readonly codes: number[];
}

/** CancelRequest's code, which no connection may begin with whose key came inside of TLS. */
export const CANCEL_CODE = 80877102;

/** Starts one in front of a port of this machine. */
export function startTap(serverPort: number): Tap {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const codes: number[] = [];
  async function serve(client: Deno.Conn): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: serverPort });
    let isFirst = true;
    const noting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (isFirst) codes.push(new DataView(chunk.buffer, chunk.byteOffset).getInt32(4));
        isFirst = false;
        controller.enqueue(chunk);
      },
    });
    await Promise.allSettled([
      client.readable.pipeThrough(noting).pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  }
  async function accept(): Promise<void> {
    for await (const client of listener) void serve(client);
  }
  const accepting = accept().catch(() => {}); // closed
  return {
    port: listener.addr.port,
    codes,
    [Symbol.dispose]() {
      listener.close();
      void accepting;
    },
  };
}
