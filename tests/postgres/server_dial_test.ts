import { deepEqual, equal, match } from "node:assert/strict";
import type { Address } from "../../src/base/address.ts";
import { TlsClientContext } from "../../src/net/tls/client_context.ts";
import { openSsl } from "../../src/net/tls/openssl.ts";
import { TlsConnection } from "../../src/net/tls/tls_connection.ts";
import { newContext } from "../../src/net/tls/tls_context.ts";
import { TlsSocket } from "../../src/net/tls/tls_socket.ts";
import { ServerDial, type ServerTls } from "../../src/postgres/server_dial.ts";
import { concat } from "../../src/base/bytes.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryNetwork } from "../support/memory_driver.ts";
import type { MemoryPeer } from "../support/memory_pipe.ts";

openSsl(); // a test that loads it and leaves it there is taken for one that leaks

// SSL_CTRL_SET_MAX_PROTO_VERSION in ssl.h, TLS1_2_VERSION in prov_ssl.h.
const CONTROL_MAX_VERSION = 124;
const TLS_1_2 = 0x0303n;

const ADDRESS: Address = { kind: "tcp", host: "10.0.0.1", port: 5432 };

const SERVER = {
  name: "db",
  address: ADDRESS,
  dialTimeoutMs: 1_000,
  retries: 0,
  backoffMs: 10,
  backoffMultiplier: 1,
  keepAlive: false,
  noDelay: false,
};

/** As where the system's settings allow nothing newer than what we want at least. */
function withoutVersions(): TlsClientContext {
  const pointer = newContext(openSsl().clientMethod(), "TLSv1.3");
  openSsl().contextControl(pointer, CONTROL_MAX_VERSION, TLS_1_2, null);
  const begin = () => new TlsConnection(pointer, false);
  const connect: TlsClientContext["connect"] = (socket, { onSecured }) =>
    new TlsSocket(socket, { begin, ownEndPoint: undefined, onSecured });
  return { connect } as TlsClientContext;
}

/** One that has gone in the meantime. */
function closed(): TlsClientContext {
  const context = TlsClientContext.load({ mode: "require", ca: "system", minVersion: "TLSv1.2" });
  context.close();
  return context;
}

function sayYes(peer: MemoryPeer): void {
  peer.write(new TextEncoder().encode("S"));
}

/** Dials a server. @param answer To SSLRequest. @returns What became of it. */
async function dial(tls: ServerTls, answer: (peer: MemoryPeer) => void = sayYes, retries = 0) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  network.answer(ADDRESS, "accept");
  const events: string[] = [];
  const parts = { driver: network.driver(), clock };
  new ServerDial({ ...SERVER, retries }, tls, true, parts, {
    onConnected(socket, info) {
      events.push(`connected ${info === undefined ? "without" : "with"} TLS`);
      socket.destroy();
    },
    onFailed: ({ message, isReached, isLost }) =>
      events.push(`${isLost ? "lost" : "failed"}, ${isReached}: ${message}`),
    onFailedAttempt: ({ message }) => events.push(`failed attempt: ${message}`),
  });
  await network.settle();
  const peers: MemoryPeer[] = [...network.accepted(ADDRESS)];
  if (tls.negotiation === "postgres") answer(peers[0]!);
  await clock.pass(5_000, () => network.settle());
  const heard = concat(...peers.map((peer) => peer.take()));
  equal(clock.pending, 0);
  deepEqual(network.thrown, []);
  return { events, heard, connections: network.accepted(ADDRESS).length };
}

const UNUSABLE = [
  [withoutVersions, /no protocols available$/],
  [closed, /the context is closed$/],
] as const;

Deno.test("ServerDial fails if the handshake cannot even begin, whoever calls it then", async () => {
  for (const [context, reason] of UNUSABLE) {
    for (const negotiation of ["direct", "postgres"] as const) {
      const tls = { mode: "require", negotiation, context: context() } as const;
      const { events, heard, connections } = await dial(tls);
      equal(events.length, 1);
      match(events[0]!, /^failed, true: TLS handshake: /);
      match(events[0]!, reason);
      deepEqual([heard.length, connections], [negotiation === "direct" ? 0 : 8, 1]);
    }
  }
});

Deno.test("ServerDial goes on without TLS if prefer's handshake cannot even begin", async () => {
  for (const [context] of UNUSABLE) {
    for (const negotiation of ["direct", "postgres"] as const) {
      const { events, connections } = await dial({
        mode: "prefer",
        negotiation,
        context: context(),
      });
      deepEqual([events, connections], [["connected without TLS"], 2]);
    }
  }
});

Deno.test("ServerDial says of a server that ends the connection instead of an answer", async () => {
  const context = withoutVersions();
  for (const mode of ["prefer", "require"] as const) {
    const tls = { mode, negotiation: "postgres", context } as const;
    const { events } = await dial(tls, (peer) => peer.end());
    deepEqual(events, ["lost, true: it closed the connection"]);
    const { events: refused } = await dial(tls, (peer) => peer.write(new Uint8Array([0x45])));
    match(refused[0]!, /^failed, true: its answer to SSLRequest is nonsense/);
  }
});

Deno.test("ServerDial dials a server again that ends the connection instead of an answer", async () => {
  const tls = { mode: "require", negotiation: "postgres", context: withoutVersions() } as const;
  const { events, connections } = await dial(tls, (peer) => peer.end(), 1);
  // The second one answers nothing.
  const late = "failed, true: no agreement on TLS within 1000 ms";
  deepEqual(events, ["failed attempt: it closed the connection", late]);
  equal(connections, 2);
});
