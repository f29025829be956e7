/**
 * Databases that are none: silent, hasty, talking nonsense, or with no room for another connection.
 * The client is told in words, and its place in the pool is free again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { refusal } from "../support/clients.ts";
import { configFor, startGateway } from "../support/gateway.ts";
import { auth } from "../support/messages.ts";
import { targetAt } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const LISTENER = 'listener="default"';

interface Impostor extends AsyncDisposable {
  readonly address: string;
}

/** Listens like a database, and does `act` with whoever comes. */
function impostor(act: (conn: Deno.TcpConn) => Promise<void>): Impostor {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.TcpConn[] = [];
  const serving = (async () => {
    for await (const conn of listener) {
      conns.push(conn);
      await act(conn).catch(() => {});
    }
  })();
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
      for (const conn of conns) {
        try {
          conn.close();
        } catch {
          // `act` has closed it.
        }
      }
    },
  };
}

async function readStartup(conn: Deno.TcpConn): Promise<void> {
  await conn.read(new Uint8Array(1024));
}

Deno.test("a server that accepts and says nothing: 08001 after dialTimeout", async () => {
  await using server = impostor(() => Promise.resolve());
  const config = configFor(server.address, { client: { dialTimeout: "300ms" } });
  await using gateway = await startGateway({ config });
  assert.equal((await refusal(targetAt(gateway.target))).code, "08001");
  await gateway.untilIdle();
  const timeouts = 'sluice_server_connect_timeouts_total{phase="login",pool="default"}';
  assert.equal(await gateway.metric(timeouts), 1);
});

Deno.test("a server that asks and says nothing more: 57014 after loginTimeout", async () => {
  await using server = impostor(async (conn) => {
    await readStartup(conn);
    await conn.write(auth(3));
  });
  const config = configFor(server.address, { server: { loginTimeout: "300ms" } });
  await using gateway = await startGateway({ config });
  const { code, message } = await refusal(targetAt(gateway.target));
  assert.equal(code, "57014");
  assert.match(message, /canceling authentication: it took longer than 300ms/);
  await gateway.untilIdle();
  assert.equal(await gateway.metric(`sluice_login_timeouts_total{${LISTENER}}`), 1);
});

Deno.test("a server that closes without a word: 08006", async () => {
  await using server = impostor(async (conn) => {
    await readStartup(conn);
    conn.close();
  });
  await using gateway = await startGateway({ config: configFor(server.address) });
  assert.equal((await refusal(targetAt(gateway.target))).code, "08006");
  await gateway.untilIdle();
});

Deno.test("a server that is not PostgreSQL: 08P01", async () => {
  await using server = impostor(async (conn) => {
    await readStartup(conn);
    await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  await using gateway = await startGateway({ config: configFor(server.address) });
  const { code, message } = await refusal(targetAt(gateway.target));
  assert.equal(code, "08P01");
  assert.match(message, /the server broke the protocol/);
  await gateway.untilIdle();
});

Deno.test("nobody listens: 08001 after every attempt, in the order of the proxies", async () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const config = {
    ...configFor(`127.0.0.1:${port}`, { server: { proxies: ["first", "second"] } }),
    clients: {
      first: { address: `127.0.0.1:${port}`, retries: 1, backoff: "10ms" },
      second: { address: "/nowhere/.s.PGSQL.5432", retries: 0 },
    },
    pools: {},
  };
  await using gateway = await startGateway({ config });
  const { code, message } = await refusal(targetAt(gateway.target));
  assert.equal(code, "08001");
  assert.match(message, /"first", "second" did not answer/);
  const attempts = await eventually("each attempt is logged", () => {
    const logged = gateway.logs.filter(({ msg }) => msg === "cannot connect to server");
    return logged.length < 3 ? undefined : logged;
  });
  assert.deepEqual(attempts.map((line) => [line["pool"], line["attempt"], line["attempts"]]), [
    ["first", 1, 2],
    ["first", 2, 2],
    ["second", 1, 1],
  ]);
  await gateway.untilIdle();
});
