/**
 * Listeners and servers that are not 127.0.0.1: Unix sockets and IPv6, alone and together.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HeldClient } from "../support/clients.ts";
import { startGateway } from "../support/gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { interruptPsql, psql } from "../support/psql.ts";
import { targetAt, testOnServers } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

/** Whether this machine can bind [::1]: some containers cannot. */
function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

const ipv6 = hasIpv6();

await testOnServers(`Unix sockets${ipv6 ? " and IPv6" : ""}`, {
  postgres: { settings: { "listen_addresses": ipv6 ? "127.0.0.1,::1" : "127.0.0.1" } },
}, {
  "every listener leads to its server, whatever either of them is": async ({ server }) => {
    for (const workers of [1, 3]) {
      const folder = await Deno.makeTempDir({ prefix: "sluice-socket-" });
      try {
        const clients: Record<string, { address: string }> = {
          tcp: { address: `127.0.0.1:${server.port}` },
          unix: { address: `${server.socketDir}/.s.PGSQL.${server.port}` },
          ...(ipv6 ? { ipv6: { address: `[::1]:${server.port}` } } : {}),
        };
        const servers: Record<string, { address: string; socketMode?: string; proxies: string[] }> =
          {};
        let number = 5000;
        for (const name of Object.keys(clients)) {
          const proxies = [name];
          servers[`tcp-${name}`] = { address: "127.0.0.1:0", proxies };
          const address = `${folder}/.s.PGSQL.${number += 1}`;
          servers[`unix-${name}`] = { address, socketMode: "0600", proxies };
          if (ipv6) servers[`ipv6-${name}`] = { address: "[::1]:0", proxies };
        }
        const config = {
          servers,
          clients,
          loggers: { default: { level: "debug", format: "json" } },
          metrics: { address: "127.0.0.1:0" },
          runtime: { workers },
        };
        await using gateway = await startGateway({ config });
        const direct = targetAt(server);
        for (const [name, { address }] of Object.entries(servers)) {
          const port = Number(address.split(".").at(-1));
          const place = name.startsWith("unix") ? { host: folder, port } : gateway.targetOf(name);
          const target = targetAt(place);
          const { stdout, stderr } = await psql(
            target,
            "select case when inet_client_addr() is null then 'unix' else 'tcp' end;\n",
          );
          assert.equal(stderr, "");
          assert.equal(stdout, name.endsWith("unix") ? "unix\n" : "tcp\n", name);
          assert.deepEqual(await queryOnce(target, "select $1::int as n", [6]), [{ n: 6 }]);
        }
        const file = `${folder}/.s.PGSQL.5001`;
        assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
        const { stderr } = await interruptPsql(targetAt({ host: folder, port: 5001 }), direct);
        assert.match(stderr, /57014/);
        await gateway.untilIdle();
        gateway.signal("SIGTERM");
        assert.equal(await gateway.exitCode(), 0);
        await eventually(
          "the sockets' files are gone",
          () => [...Deno.readDirSync(folder)].length === 0,
        );
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }
  },

  "a socket's file that a killed gateway left is taken over, a living one's is not": async (
    { server },
  ) => {
    const folder = await Deno.makeTempDir({ prefix: "sluice-socket-" });
    try {
      const config = {
        servers: { default: { address: `${folder}/.s.PGSQL.5432` } },
        clients: { default: { address: `127.0.0.1:${server.port}` } },
        loggers: { default: { level: "debug", format: "json" } },
        metrics: { address: "127.0.0.1:0" },
        runtime: { workers: 2 },
      };
      const target = targetAt({ host: folder, port: 5432 });
      {
        await using _killed = await startGateway({ config });
      }
      assert.equal([...Deno.readDirSync(folder)].length, 1, "it left its file");
      await using _gateway = await startGateway({ config });
      await using _client = await HeldClient.connect(target);
      await assert.rejects(startGateway({ config }), /another process answers there/);
      assert.deepEqual(await queryOnce(target, "select 1 as n"), [{ n: 1 }]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
