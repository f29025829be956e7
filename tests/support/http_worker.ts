/**
 * A server of HTTP in a thread of its own, which does by request what servers may do: says with its
 * first message where it listens.
 *
 * @module
 */

const scope = globalThis as unknown as { postMessage(data: unknown): void };

const HEAD = "HTTP/1.1 200 OK\r\nx-kind: test\r\n";

/** How a connection goes on: a server may close one that could be used again. */
type After = "keep" | "close";

const ANSWERS: Readonly<Record<string, (conn: Deno.Conn) => Promise<After>>> = {
  async "/pieces"(conn) {
    await say(conn, `${HEAD}transfer-encoding: chunked\r\n\r\n`);
    for (const piece of ["one ", "two ", "three"]) {
      await pause(20);
      await say(conn, `${piece.length.toString(16)}\r\n${piece}\r\n`);
    }
    await say(conn, "0\r\n\r\n");
    return "keep";
  },
  async "/large"(conn) {
    const body = "x".repeat(3_000_000);
    await say(conn, `${HEAD}content-length: ${body.length}\r\n\r\n${body}`);
    return "keep";
  },
  async "/empty"(conn) {
    await say(conn, "HTTP/1.1 204 No Content\r\n\r\n");
    return "keep";
  },
  async "/endless"(conn) {
    await say(conn, `${HEAD}transfer-encoding: chunked\r\n\r\n`);
    for (;;) await say(conn, "4\r\nmore\r\n");
  },
  async "/broken"(conn) {
    await say(conn, `${HEAD}content-length: 100\r\n\r\nnot so much`);
    return "close";
  },
  async "/silent"(conn) {
    await conn.read(new Uint8Array(1));
    return "close";
  },
  async "/brief"(conn) {
    await say(conn, `${HEAD}content-length: 5\r\n\r\nbrief`);
    await pause(20);
    return "close";
  },
};

async function serve(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const size = await conn.read(buffer);
    if (size === null) return;
    const path = new TextDecoder().decode(buffer.subarray(0, size)).split(" ")[1]!;
    if (await ANSWERS[path]!(conn) === "close") return;
  }
}

async function say(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
scope.postMessage(`http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`);
for await (const conn of listener) serve(conn).catch(() => {}).finally(() => conn.close());
