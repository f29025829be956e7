/**
 * How clients come in and server connections come and go, and what the page of metrics shows of it:
 * states, TLS, authentication, failures, reasons of closing.
 *
 * @module
 */

import type { AuthConfig, TlsFiles } from "../../src/config/config.ts";
import { X509Certificate } from "node:crypto";
import { TlsServerContext } from "../../src/net/tls/server_context.ts";
import { shownCertificates } from "../../src/shown_certificates.ts";
import { Certificates, pem } from "../support/certificates.ts";
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from "../support/configs.ts";
import { type Actor, SERVERS, World } from "../support/dialogue.ts";
import {
  AUTH_OK,
  complete,
  error,
  password,
  query,
  ready,
  SSL_REQUEST,
  startup,
} from "../support/messages.ts";
import { LISTEN } from "../support/net_harness.ts";
import {
  admits,
  connects,
  exchanges,
  joins,
  type PooledOptions,
  pooledPair,
  startPooled,
  TRUST,
} from "../support/pooled_world.ts";
import { TlsPeer } from "../support/tls_harness.ts";
import type { Scenes } from "./numbers.ts";

const ANN = startup({ user: "ann" });

const FILES = certificateFiles();

function certificateFiles(): TlsFiles {
  using certificates = new Certificates();
  const { ca, server: { certFile, keyFile } } = certificates.standard();
  const [cert, key] = [pem(certFile).text, pem(keyFile).text];
  return { certFile, keyFile, caFile: ca.certFile, cert, key, ca: "" };
}

const LISTENER_TLS = { ...FILES, mode: "prefer", minVersion: "TLSv1.2" } as const;
const SERVER_TLS = {
  ...CLIENT_DEFAULTS.tls,
  mode: "require",
  minVersion: "TLSv1.2",
  negotiation: "postgres",
} as const;

/** A gateway that asks for passwords, or what else it is told. */
function gated(settings: Partial<AuthConfig>): Promise<World> {
  const users = new Map([["ann", "secret"]]);
  const auth = { ...SERVER_DEFAULTS.auth, method: "password", users, ...settings } as const;
  return startPooled({ listener: { auth } });
}

/** Servers that agree on TLS and say nothing inside of it, in place of those of the world. */
async function serveTls(world: World): Promise<void> {
  const context = TlsServerContext.load({
    certificate: { text: FILES.cert, source: FILES.certFile },
    key: { text: FILES.key, source: FILES.keyFile },
    clientCertificates: "none",
    minVersion: "TLSv1.2",
    alpn: [],
  });
  const idle = { onData: (view: Uint8Array) => view.length, onEnd() {}, onClose() {} };
  await world.network.driver().listen({ ...LISTEN, address: SERVERS[0]! }, {
    onConnection(socket) {
      socket.start({
        ...idle,
        onData(view) {
          socket.write(new TextEncoder().encode("S"));
          context.accept(socket, () => {}).start(idle);
          return view.length;
        },
      });
    },
    onAcceptError(error) {
      throw error;
    },
  });
}

/** Failures of authentication, each of a client of its own, by the label of its reason. */
const FAILURES: Readonly<Record<string, (connect: typeof connects) => Promise<World>>> = {
  rule: async (connect) => {
    const world = await gated({ method: "rules", rules: [] });
    await connect(world);
    return world;
  },
  certificate: async (connect) => {
    const world = await gated({ method: "cert" });
    await connect(world);
    return world;
  },
  password: async (connect) => {
    const world = await gated({});
    await (await connect(world)).says(password("a wrong one"));
    return world;
  },
  protocol: async (connect) => {
    const world = await gated({ method: "scram-sha-256" });
    await (await connect(world)).says(password("no SASLInitialResponse"));
    return world;
  },
  lookup: async (connect) => {
    const query = { sql: "select $1", user: "gate", password: "", database: "d" };
    const world = await gated({ users: new Map(), query });
    await connect(world);
    await (await world.server()).says(error("FATAL", "53300", "too many"));
    return world;
  },
  throttled: async (connect) => {
    const world = await gated({ failuresMax: 1 });
    await (await connect(world)).says(password("a wrong one"));
    await connect(world);
    return world;
  },
};

/** From the first byte of a client to its login. */
export const GATE_SCENES: Scenes = {
  "clients come, log in, and are too many": async (page) => {
    const world = await startPooled({ listener: { clientsMax: 1 } });
    const client = await world.client();
    await page.shows(world, {
      "sluice_client_connections{state=startup}": 1,
      "sluice_client_connections_total": 1,
    });
    await client.says(ANN);
    await page.shows(world, { "sluice_client_connections{state=waiting}": 1 });
    await admits(world);
    await page.shows(world, {
      "sluice_client_connections{state=active}": 1,
      "sluice_client_logins_total": 1,
    });
    await connects(world);
    await page.shows(world, {
      "sluice_client_connections{state=closing}": 1,
      "sluice_client_connections_refused_total": 1,
    });
  },
  "clients are too slow to log in": async (page) => {
    const world = await startPooled({ listener: { loginTimeoutMs: 1_000 } });
    await world.client();
    await world.pass(1_000);
    await page.shows(world, { "sluice_login_timeouts_total": 1 });
  },
  "clients fail to show who they are": async (page) => {
    for (const [reason, fail] of Object.entries(FAILURES)) {
      const world = await fail(connects);
      await page.shows(world, { [`sluice_authentication_failures_total{reason=${reason}}`]: 1 });
    }
    const world = await gated({});
    await connects(world);
    await page.shows(world, { "sluice_client_connections{state=login}": 1 });
  },
  "clients agree on TLS, and one does not": async (page) => {
    const world = await startPooled({ listener: { ...TRUST, tls: LISTENER_TLS } });
    const client = await world.client();
    await client.says(SSL_REQUEST);
    client.peer.take();
    const peer = new TlsPeer(client.peer, () => world.settle());
    do await world.settle(); while (peer.pump());
    const other = await world.client();
    await other.says(SSL_REQUEST);
    await other.says(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    await other.leaves();
    const gone = await world.client();
    await gone.says(SSL_REQUEST);
    await gone.leaves();
    await page.shows(world, {
      "sluice_client_tls_connections_total{version=TLSv1.3}": 1,
      "sluice_client_tls_failures_total": 2,
    });
    peer.free();
  },
  "certificates that are shown have an end": async (page) => {
    const place = { address: SERVERS[0]!, proxies: [] };
    const shown = shownCertificates({
      servers: new Map([["main", { ...SERVER_DEFAULTS, ...place, tls: LISTENER_TLS }]]),
      clients: new Map([
        ["db0", { ...CLIENT_DEFAULTS, ...place, tls: { ...SERVER_TLS, cert: FILES.cert } }],
        ["plain", { ...CLIENT_DEFAULTS, ...place }],
      ]),
    });
    const end = Date.parse(new X509Certificate(FILES.cert).validTo) / 1000;
    await page.shows(await startPooled(), {
      "sluice_certificate_not_after_seconds{side=listener,name=main}": end,
      "sluice_certificate_not_after_seconds{side=client,name=db0}": end,
    }, shown);
  },
  "the process and the gateway as a whole": async (page) => {
    const world = await startPooled();
    await page.shows(world, {
      "sluice_workers": 1,
      "sluice_pool_size": 10,
      [`sluice_build_info{version=1.2.3,deno=${Deno.version.deno}}`]: 1,
      "sluice_driver_info{driver=epoll}": 1,
    });
    await page.showsSome(world, [
      "process_cpu_seconds_total",
      "process_max_fds",
      "process_open_fds",
      "process_resident_memory_bytes",
      "process_start_time_seconds",
    ]);
  },
};

/** How a pool that is configured so comes to close its connection, by the label of the reason. */
interface Closing {
  readonly options?: PooledOptions;
  readonly act: (world: World, server: Actor, client: Actor) => Promise<unknown>;
}

const CLOSINGS: Readonly<Record<string, Closing>> = {
  lost: { act: (_, server) => server.leaves() },
  "idle_timeout": {
    options: { pool: { idleTimeoutMs: 1_000 } },
    act: (world) => world.pass(2_500),
  },
  "max_lifetime": {
    options: { pool: { maxLifetimeMs: 1_000 } },
    act: (world) => world.pass(2_500),
  },
  validation: {
    options: { pool: { validation: "foreground", validationIntervalMs: 1_000 } },
    act: async (world, _, client) => {
      await world.pass(2_000);
      await client.says(query("select 1"));
      await world.pass(5_000); // VALIDATION_MS_MAX
    },
  },
  surplus: {
    act: async (world) => {
      const client = await connects(world, { replication: "database", database: "ann" });
      const server = await world.server();
      await server.says(AUTH_OK, ready());
      await client.says(query("IDENTIFY_SYSTEM"));
      await server.says(complete("IDENTIFY_SYSTEM"), ready());
      await client.leaves();
    },
    options: { pool: { size: 2 } },
  },
  moved: {
    options: { workers: 2 },
    act: async (world) => {
      await connects(world, {}, 1);
      await world.pass(1_000);
    },
  },
  drain: {
    act: async (world, _, client) => {
      world.planes[0]!.drain(() => {});
      await client.leaves();
    },
  },
  reconnect: {
    act: (world) => {
      const client = { ...CLIENT_DEFAULTS, address: SERVERS[0]!, password: "new" };
      world.planes[0]!.refresh(new Map(), new Map([["db0", client]]), new Map());
      return world.settle();
    },
  },
  unclean: {
    act: async (_, server, client) => {
      await exchanges(client, server, "listen a", "LISTEN");
      await client.leaves();
      await server.hears(query("DISCARD ALL"));
      await server.says(error("ERROR", "XX000", "no"), ready());
    },
  },
};

/** Server connections, from the dial to the end. */
export const CONNECTION_SCENES: Scenes = {
  "server connections go through their states": async (page) => {
    const world = await startPooled();
    await connects(world);
    await page.shows(world, {
      "sluice_server_connections{state=login}": 1,
      "sluice_server_connections_total": 1,
    });
    const server = await admits(world);
    await page.shows(world, { "sluice_server_connections{state=idle}": 1 });
    const { client } = await joins(world);
    await exchanges(client, server, "begin", "BEGIN", "T");
    await page.shows(world, { "sluice_server_connections{state=active}": 1 });
    await client.leaves();
    await page.shows(world, { "sluice_server_connections{state=cleaning}": 1 });
    await server.says(error("ERROR", "XX000", "no"), ready());
    await page.shows(world, {
      "sluice_server_connections{state=closing}": 1,
      "sluice_server_connections{state=cleaning}": 0,
    });
    await server.leaves();
    await page.shows(world, { "sluice_server_connections{state=closing}": 0 });
  },
  "servers do not answer, relayed or pooled": async (page) => {
    for (const start of [World.start, startPooled]) {
      const world = await start({ server: { dialTimeoutMs: 1_000, retries: 1 } });
      world.network.answer(SERVERS[0]!, "hang");
      await connects(world);
      await page.shows(world, { "sluice_server_connections{state=connecting}": 1 });
      const state = start === startPooled ? "waiting" : "connecting";
      await page.shows(world, { [`sluice_client_connections{state=${state}}`]: 1 });
      await world.pass(1_000);
      world.network.answer(SERVERS[0]!, "refuse");
      await world.pass(1_000);
      await page.shows(world, {
        "sluice_server_dial_failures_total": 2,
        "sluice_server_connect_timeouts_total{phase=dial}": 1,
        "sluice_server_connections_total": 0,
        "sluice_server_login_failures_total{reason=other}": 0,
      });
    }
  },
  "servers refuse the gateway's login, or are slow in it": async (page) => {
    const world = await startPooled({ server: { dialTimeoutMs: 1_000 } });
    await connects(world);
    const answers = [
      ["28P01", "credentials"],
      ["28000", "credentials"],
      ["3D000", "request"],
      ["42501", "request"],
      ["53300", "capacity"],
      ["57P03", "unavailable"],
      ["XX000", "other"],
    ] as const;
    for (const [sqlState, reason] of answers) {
      await (await world.server()).says(error("FATAL", sqlState, "no"));
      const before = answers.filter(([, other]) => other === reason).map(([other]) => other);
      await page.shows(world, {
        [`sluice_server_login_failures_total{reason=${reason}}`]: 1 + before.indexOf(sqlState),
        "sluice_server_connect_timeouts_total{phase=login}": 0,
      });
      await world.pass(1_000);
      if (sqlState !== "XX000") await connects(world);
    }
    await connects(world);
    await world.server();
    await world.pass(1_000);
    await page.shows(world, {
      "sluice_server_login_failures_total{reason=timeout}": 1,
      "sluice_server_connect_timeouts_total{phase=login}": 1,
      "sluice_server_dial_failures_total": 0,
    });
  },
  "servers are slow to agree on TLS with a relayed session": async (page) => {
    const world = await World.start({ server: { dialTimeoutMs: 1_000, tls: SERVER_TLS } });
    await connects(world);
    await world.server();
    await world.pass(1_000);
    await page.shows(world, {
      "sluice_server_login_failures_total{reason=timeout}": 1,
      "sluice_server_connect_timeouts_total{phase=login}": 1,
    });
  },
  "servers agree on TLS, relayed or pooled": async (page) => {
    for (const start of [World.start, startPooled]) {
      const world = await start({ server: { tls: SERVER_TLS } });
      await serveTls(world);
      await connects(world);
      await page.shows(world, { "sluice_server_tls_connections_total{version=TLSv1.3}": 1 });
    }
  },
  "relayed server connections are lost": async (page) => {
    const world = await World.start();
    const { server } = await world.pair();
    await server.leaves();
    await page.shows(world, { "sluice_server_connections_lost_total": 1 });
  },
  "pooled server connections are closed for each reason": async (page) => {
    for (const [reason, { options = {}, act }] of Object.entries(CLOSINGS)) {
      const { world, client, server } = await pooledPair(options);
      await act(world, server, client);
      await page.shows(world, {
        [`sluice_server_connections_closed_total{reason=${reason}}`]: 1,
        "sluice_server_connections_lost_total": reason === "lost" ? 1 : 0,
      });
    }
  },
};
