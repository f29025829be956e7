/**
 * The drivers with TLS on top, to be tested as drivers: their peers speak TLS as well, Deno's own
 * (rustls) on its sockets, and ours where there are no sockets.
 *
 * @module
 */

import { concat } from "../../src/base/bytes.ts";
import type { Driver } from "../../src/net/socket.ts";
import { TlsClientContext } from "../../src/net/tls/client_context.ts";
import { TlsServerContext } from "../../src/net/tls/server_context.ts";
import type { Pointer } from "../../src/net/tls/openssl.ts";
import { openSsl } from "../../src/net/tls/openssl.ts";
import { newContext } from "../../src/net/tls/tls_context.ts";
import { RECORD_SIZE_MAX, TlsConnection } from "../../src/net/tls/tls_connection.ts";
import { Certificates, pem } from "./certificates.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemoryNetwork } from "./memory_driver.ts";
import type { MemoryPeer } from "./memory_pipe.ts";
import { denoHarness, type Harness, type Peer } from "./net_harness.ts";

/** The contexts of all harnesses, and what a client must trust. */
interface Contexts {
  readonly server: TlsServerContext;
  readonly client: TlsClientContext;
  readonly ca: string;
}

const contexts = makeContexts();

/** Deno's driver under TLS; its peers are `Deno.startTls`. */
export async function tlsDenoHarness(): Promise<Harness> {
  const harness = await denoHarness(
    "tcp",
    (conn) =>
      Deno.startTls(conn as Deno.TcpConn, { hostname: "localhost", caCerts: [contexts.ca] }),
  );
  return { ...harness, name: "deno, TLS", driver: tlsDriver(harness.driver) };
}

/** The memory driver under TLS. */
export function tlsMemoryHarness(): Harness {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  const peers: TlsPeer[] = [];
  async function settle(): Promise<void> {
    do await network.settle(); while (peers.filter((peer) => peer.pump()).length > 0);
  }
  return {
    name: "memory",
    driver: tlsDriver(network.driver()),
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    nobody: { kind: "tcp", host: "127.0.0.1", port: 1 },
    connect(address) {
      const peer = new TlsPeer(network.connectPeer(address), settle);
      peers.push(peer);
      return Promise.resolve(peer);
    },
    async until(condition, what) {
      for (let tries = 0; tries < 3; tries++) {
        await settle();
        if (condition()) return;
      }
      throw new Error(`It never happens that ${what}`);
    },
    pass: (ms) => clock.pass(ms, settle),
    [Symbol.asyncDispose]() {
      for (const peer of peers) peer.free();
      return Promise.resolve();
    },
  };
}

/** The far end of a connection in memory, speaking TLS as a client. */
export class TlsPeer implements Peer {
  readonly #peer: MemoryPeer;
  readonly #settle: () => Promise<void>;
  readonly #tls = new TlsConnection(clientContext(), false);
  #isSecured = false;
  #hasSeenEnd = false;
  #written: Uint8Array[] = [];
  #received: Uint8Array[] = [];
  readonly #room = new Uint8Array(RECORD_SIZE_MAX);

  /** @param settle Lets everything happen that can. */
  constructor(peer: MemoryPeer, settle: () => Promise<void>) {
    this.#peer = peer;
    this.#settle = settle;
  }

  get isReading(): boolean {
    return this.#peer.isReading;
  }

  set isReading(isReading: boolean) {
    this.#peer.isReading = isReading;
  }

  get hasSeenEnd(): boolean {
    return this.#hasSeenEnd || this.#peer.hasSeenEnd;
  }

  isReady(): Promise<void> {
    return this.#settle();
  }

  write(bytes: Uint8Array): void {
    this.#written.push(bytes.slice());
    if (this.#isSecured) this.#encrypt();
  }

  take(): Uint8Array {
    return concat(...this.#received.splice(0));
  }

  end(): void {
    this.#tls.shutdown();
    this.#send();
    this.#peer.end();
  }

  close(): void {
    this.#peer.close();
  }

  /** Says goodbye without an end of the stream, as most of TLS's users do. */
  sayGoodbye(): void {
    this.#tls.shutdown();
    this.#send();
  }

  /** Ends the stream without a goodbye. */
  cut(): void {
    this.#peer.end();
  }

  /** Does what can be done. @returns Whether anything was. */
  pump(): boolean {
    const bytes = this.#peer.take();
    for (let at = 0; at < bytes.length; at += RECORD_SIZE_MAX) {
      this.#tls.feed(bytes.subarray(at, at + RECORD_SIZE_MAX));
      if (this.#isSecured) this.#decrypt();
    }
    if (this.#isSecured) return bytes.length > 0;
    this.#isSecured = this.#tls.handshake();
    const hasSent = this.#send();
    if (this.#isSecured) this.#encrypt();
    return bytes.length > 0 || hasSent;
  }

  free(): void {
    this.#tls.free();
  }

  #decrypt(): void {
    for (;;) {
      const size = this.#tls.read(this.#room);
      if (size === "end") this.#hasSeenEnd = true;
      if (typeof size !== "number") return;
      this.#received.push(this.#room.slice(0, size));
    }
  }

  #encrypt(): void {
    for (const bytes of this.#written.splice(0)) {
      for (let at = 0; at < bytes.length; at += RECORD_SIZE_MAX) {
        this.#tls.write(bytes.subarray(at, at + RECORD_SIZE_MAX));
        this.#send();
      }
    }
  }

  #send(): boolean {
    let hasSent = false;
    for (let left = this.#tls.outgoingSize; left > 0; hasSent = true) {
      const size = this.#tls.takeOutgoing(this.#room);
      this.#peer.write(this.#room.subarray(0, size));
      left -= size;
    }
    return hasSent;
  }
}

/** A driver whose connections are encrypted. */
function tlsDriver(driver: Driver): Driver {
  return {
    listen: (options, handler) =>
      driver.listen(options, {
        onConnection: (socket) => handler.onConnection(contexts.server.accept(socket, () => {})),
        onAcceptError: (error) => handler.onAcceptError(error),
      }),
    async connect(options) {
      const socket = await driver.connect(options);
      return contexts.client.connect(socket, { host: "localhost", onSecured: () => {} });
    },
  };
}

/** What a server speaks TLS 1.2 and newer with, that asks nobody for a certificate. */
export function serverContextOf(
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  alpn: readonly string[],
): TlsServerContext {
  return TlsServerContext.load({
    certificate: pem(certFile),
    key: pem(keyFile),
    clientCertificates: "none",
    minVersion: "TLSv1.2",
    alpn,
  });
}

function makeContexts(): Contexts {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  return {
    server: serverContextOf(server, []),
    client: TlsClientContext.load({
      mode: "verify-full",
      ca: pem(ca.certFile),
      minVersion: "TLSv1.2",
    }),
    ca: pem(ca.certFile).text,
  };
}

let peerContext: Pointer | undefined;

/** A context that checks nothing. */
function clientContext(): Pointer {
  peerContext ??= newContext(openSsl().clientMethod(), "TLSv1.2");
  return peerContext;
}
