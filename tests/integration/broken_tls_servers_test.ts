/**
 * Servers that answer an SSLRequest with what is no answer: nothing of it is taken for what is
 * inside of TLS.
 *
 * @module
 */

import assert from "node:assert/strict";
import { startGate } from "../support/gate.ts";

const PASSWORD = "Tr0ub4dor & 3";

/** A server that answers the first thing it hears, and hangs up at the second. */
async function withFakeServer(
  answer: Uint8Array,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async (conn: Deno.Conn) => {
    using open = conn;
    const room = new Uint8Array(1024);
    if (await open.read(room) === null) return;
    await open.write(answer);
    await open.read(room);
  };
  const serving = (async () => {
    for await (const conn of listener) await serve(conn).catch(() => {});
  })();
  try {
    await body(listener.addr.port);
  } finally {
    listener.close();
    await serving;
  }
}

const FAKES: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "CVE-2021-43767: plain bytes behind its answer are not taken for what is inside of TLS": [
    new TextEncoder().encode("SR\0\0\0\x08\0\0\0\0"),
    /plain bytes behind its answer/,
  ],
  "nonsense": [new TextEncoder().encode("H"), /answer to SSLRequest is nonsense/],
  "an error": [new TextEncoder().encode("E"), /answer to SSLRequest is nonsense/],
  "yes, and then it hangs up": [new TextEncoder().encode("S"), /TLS handshake/],
};

for (const [name, [answer, message]] of Object.entries(FAKES)) {
  Deno.test(`a server answers SSLRequest with ${name}`, async () => {
    await withFakeServer(answer, async (port) => {
      await using gate = await startGate({ host: "127.0.0.1", port }, {
        auth: { method: "trust" },
        client: { user: "any", password: PASSWORD, retries: 0, tls: { mode: "require" } },
        secrets: [PASSWORD],
      });
      const why = await gate.whyLoginFailed(async () => {
        assert.equal(await gate.code(), "08004");
      });
      assert.match(why, message);
    });
  });
}
