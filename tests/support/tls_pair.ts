/**
 * Both ends of an encrypted connection in memory, each with a handler that notes what it is told.
 *
 * @module
 */

import type { Address } from "../../src/base/address.ts";
import { concat, textOf } from "../../src/base/bytes.ts";
import type { Socket, SocketHandler } from "../../src/net/socket.ts";
import { TlsClientContext, type TlsClientSettings } from "../../src/net/tls/client_context.ts";
import { TlsServerContext, type TlsServerSettings } from "../../src/net/tls/server_context.ts";
import type { TlsInfo } from "../../src/net/tls/tls_connection.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemoryNetwork } from "./memory_driver.ts";
import { LISTEN } from "./net_harness.ts";

const ADDRESS: Address = { kind: "tcp", host: "127.0.0.1", port: 5432 };

/** One end. */
export class TlsEnd implements SocketHandler {
  /** The layer. Set before anything is called. */
  socket!: Socket;
  info: TlsInfo | undefined;
  readonly views: Uint8Array[] = [];
  ends = 0;
  readonly closes: (Error | undefined)[] = [];
  /** How many bytes to take of a view; all, unless a test says otherwise. */
  take: (view: Uint8Array) => number = (view) => view.length;

  /** All that was shown, as text. */
  get text(): string {
    return textOf(concat(...this.views));
  }

  /** Why it was closed; "" for no reason. */
  get failure(): string {
    if (this.closes.length !== 1) throw new Error(`onClose was called ${this.closes.length} times`);
    return this.closes[0]?.message ?? "";
  }

  onData(view: Uint8Array): number {
    if (this.info === undefined) throw new Error("Data came before the handshake was done");
    this.views.push(view.slice());
    return this.take(view);
  }

  onEnd(): void {
    this.ends += 1;
  }

  onClose(error: Error | undefined): void {
    this.closes.push(error);
  }
}

/** What a test may want to be different. */
export interface PairOptions {
  readonly server: TlsServerSettings;
  readonly client: TlsClientSettings;
  readonly host?: string;
  readonly alpn?: readonly string[];
  /** Most bytes that a read gives. */
  readonly readSizeMax?: number;
}

/** Both ends, connected, and in the middle of nothing. */
export interface TlsPair {
  readonly network: MemoryNetwork;
  readonly clock: FakeClock;
  readonly server: TlsEnd;
  readonly client: TlsEnd;
}

/** Connects both ends and lets the handshake happen, however it goes. */
export async function tlsPair(options: PairOptions): Promise<TlsPair> {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  network.readSizeMax = options.readSizeMax ?? Infinity;
  const [server, client] = [new TlsEnd(), new TlsEnd()];
  const serverContext = TlsServerContext.load(options.server);
  const clientContext = TlsClientContext.load(options.client);
  const driver = network.driver();
  const listener = await driver.listen({ ...LISTEN, address: ADDRESS }, {
    onConnection(socket) {
      server.socket = serverContext.accept(socket, (info) => server.info = info);
      server.socket.start(server);
    },
    onAcceptError(error) {
      throw error;
    },
  });
  const connecting = driver.connect({ ...LISTEN, address: listener.address, timeoutMs: 1_000 });
  await network.settle();
  const socket = await connecting;
  const { host = "localhost", alpn = [] } = options;
  client.socket = clientContext.connect(socket, {
    host,
    alpn,
    onSecured: (info) => client.info = info,
  });
  client.socket.start(client);
  // Connections outlive the contexts they were made with.
  serverContext.close();
  clientContext.close();
  await network.settle();
  return { network, clock, server, client };
}
