import { deepEqual, equal, rejects } from "node:assert/strict";
import { startGateway } from "../src/app.ts";
import type { Config } from "../src/config/config.ts";
import { loadConfig } from "../src/config/load.ts";
import type { Log } from "../src/observe/log.ts";
import type { LogRecord } from "../src/observe/log_record.ts";
import { Certificates } from "./support/certificates.ts";
import { PATIENCE_MS, within } from "./support/wait.ts";
import "./support/opened_libc.ts";

/** One listener on a free port in front of a server that is not there. */
function configWith(settings: { readonly server?: unknown; readonly client?: unknown }): Config {
  const text = JSON.stringify({
    servers: { default: { address: "127.0.0.1:0", ...settings.server ?? {} } },
    clients: { default: { address: "127.0.0.1:1", ...settings.client ?? {} } },
    metrics: { enabled: false },
    runtime: { workers: 1 },
  });
  const loaded = loadConfig({ text, fileName: "/sluice.yaml", env: {}, cores: 1 });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function memoryLog(): Log & { readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  return {
    records,
    level: "info",
    lost: 0,
    write: (record) => void records.push(record),
    reopen: () => [],
    flush() {},
    close() {},
  };
}

Deno.test("startGateway warns of certificates that have expired, on both sides", async () => {
  using certificates = new Certificates();
  const listener = certificates.make({ subject: "/CN=gateway", isExpired: true });
  const client = certificates.make({ subject: "/CN=client", isExpired: true });
  const log = memoryLog();
  const config = configWith({
    server: { tls: { mode: "require", ...listener } },
    client: { tls: { mode: "require", ...client } },
  });
  const gateway = await within(PATIENCE_MS, "it starts", startGateway(config, log));
  await gateway.abort();
  deepEqual(
    log.records.filter(({ message }) => message === "TLS").map(({ level, fields }) => [
      level,
      fields["warning"],
    ]),
    [listener, client].map(({ certFile }) => [
      "warn",
      `The certificate of ${certFile} has expired`,
    ]),
  );
});

Deno.test("startGateway starts nothing with files that cannot be used", async () => {
  const config = configWith({ server: { auth: { method: "trust" } } });
  const server = config.servers.get("default")!;
  const users = new Map([["ann", "SCRAM-SHA-256$hunter2"]]);
  const auth = { ...server.auth, usersFile: "/users", users };
  const broken = { ...config, servers: new Map([["default", { ...server, auth }]]) };
  const log = memoryLog();
  await rejects(startGateway(broken, log), /^Error: Cannot use \/users: user "ann": invalid SCRAM/);
  equal(log.records.length, 0);
});

Deno.test("startGateway names the key of an address that is taken, however many workers", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  for (const workers of [1, 2]) {
    const config = configWith({ server: { address } });
    const log = memoryLog();
    const runtime = { ...config.runtime, workers };
    await rejects(startGateway({ ...config, runtime }, log), {
      message: `Cannot listen on ${address}: something else listens there already; ` +
        "choose another servers.default.address or stop it",
    });
    equal(log.records.length, 0);
  }
});
