/**
 * How clients come in and server connections come and go, and what the page of metrics shows of it:
 * states, TLS, authentication, failures, reasons of closing.
 *
 * @module
 */

import type { AuthConfig, PoolConfig, TlsFiles } from "../../src/config/config.ts";
import { TlsServerContext } from "../../src/net/tls/server_context.ts";
import { shownCertificates } from "../../src/shown_certificates.ts";
import { Certificates, pem } from "../support/certificates.ts";
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from "../support/configs.ts";
import { type Actor, SERVERS, World } from "../support/dialogue.ts";
import { auth, complete, error, password, query, ready, SSL_REQUEST, startup, SYNC } from "../support/messages.ts";
import { LISTEN } from "../support/net_harness.ts";
import { admits, connects, exchanges, joins, pooledPair, startPooled, TRUST } from "../support/pooled_world.ts";
import { TlsPeer } from "../support/tls_harness.ts";
import type { Scenes } from "./numbers.ts";

const CLOSED = "sluice_server_connections_closed_total";

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
  "clients come, one too many and one too late": async (page) => {
    const world = await startPooled({ listener: { clientsMax: 1, loginTimeoutMs: 1_000 } });
    const client = await world.client();
    await page.shows(world, { "sluice_client_connections{state=startup}": 1 });
    await client.says(ANN);
    await world.server();
    await connects(world);
    await world.client();
    await page.shows(world, {
      "sluice_client_connections{state=waiting}": 1,
      "sluice_client_connections{state=startup}": 1,
      "sluice_client_connections{state=closing}": 1,
      "sluice_client_connections_total": 3,
      "sluice_client_connections_refused_total": 1,
    });
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
    const world = await startPooled();
    const address = SERVERS[0]!;
    const servers = new Map([["main", { ...SERVER_DEFAULTS, address, proxies: [], tls: FILES }]]);
    void servers;
    await page.shows(world, {});
  },
};

/** Server connections, from the dial to the end. */
export const CONNECTION_SCENES: Scenes = {};
