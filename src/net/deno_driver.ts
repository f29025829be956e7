/**
 * The portable driver: `Deno.listen` and `Deno.connect`, on every system that Deno runs on.
 *
 * @module
 */

import type { Address, TcpAddress, UnixAddress } from "../base/address.ts";
import { asError } from "../base/errors.ts";
import { DenoSocket, WriteRound } from "./deno_socket.ts";
import { FairTurns } from "./fair_turns.ts";
import { bindTcp, bindUnix, cannotConnect, noAnswer, removeFile } from "./listening.ts";
import type {
  ConnectOptions,
  Driver,
  Listener,
  ListenHandler,
  ListenOptions,
  Socket,
} from "./socket.ts";

/** Pause after a failed accept: long enough for a few connections to end and free descriptors. */
const ACCEPT_RETRY_MS = 100;

/** Permission bits of a Unix socket that is there only to see whether it can be. */
const PROBE_MODE = 0o600;

/** Makes sockets that belong together: one driver a worker. */
export class DenoDriver implements Driver {
  readonly #round = new WriteRound();
  readonly #turns = new FairTurns();

  async listen(options: ListenOptions, handler: ListenHandler): Promise<Listener> {
    const { address } = options;
    const listener = address.kind === "unix"
      ? await bindUnix(address, options.socketMode, () => listenOnUnix(address))
      : await bindTcp(address, () => listenOnTcp(address, options.reusePort));
    let isClosed = false;
    const accepting = this.#acceptLoop(listener, options, handler, () => isClosed);
    accepting.catch((error) => handler.onAcceptError(asError(error)));
    return {
      address: boundAddress(listener.addr),
      close() {
        if (isClosed) return;
        isClosed = true;
        listener.close();
        if (address.kind === "unix") removeFile(address.path);
      },
    };
  }

  async connect(options: ConnectOptions): Promise<Socket> {
    const { address, timeoutMs } = options;
    const connecting = address.kind === "unix"
      ? Deno.connect({ transport: "unix", path: address.path })
      : Deno.connect({ hostname: address.host, port: address.port });
    const conn = await withTimeout(connecting, timeoutMs, address);
    return this.#adopt(conn, options);
  }

  async #acceptLoop(
    listener: Deno.Listener,
    options: ListenOptions,
    handler: ListenHandler,
    isClosed: () => boolean,
  ): Promise<void> {
    for (;;) {
      let conn: Deno.Conn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (isClosed()) return;
        handler.onAcceptError(asError(error));
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
        continue;
      }
      if (isClosed()) return conn.close();
      const socket = this.#adopt(conn, options);
      try {
        handler.onConnection(socket);
      } catch (error) {
        socket.destroy();
        handler.onAcceptError(asError(error));
      }
    }
  }

  #adopt(conn: Deno.Conn, options: { keepAlive: boolean; noDelay: boolean }): Socket {
    if (conn.remoteAddr.transport === "tcp") {
      const tcp = conn as Deno.TcpConn;
      try {
        tcp.setNoDelay(options.noDelay);
        tcp.setKeepAlive(options.keepAlive);
      } catch {
        // The peer is gone already: the first read says so.
      }
    }
    return new DenoSocket(conn, this.#round, this.#turns);
  }
}

/**
 * Finds out whether addresses can be listened on, and differ from one another: SO_REUSEPORT would
 * share a port with anybody, without a word.
 *
 * @param addresses By the key of the configuration that says each.
 * @throws {Error} If one cannot be bound beside the others; it names the address, the key, and
 * what to do.
 */
export async function assertCanListen(addresses: ReadonlyMap<string, Address>): Promise<void> {
  const probes: (() => void)[] = [];
  try {
    for (const [key, address] of addresses) {
      const probe = address.kind === "unix"
        ? await bindUnix(address, PROBE_MODE, () => listenOnUnix(address), key)
        : await bindTcp(address, () => listenOnTcp(address, false), key);
      probes.push(() => probe.close());
      if (address.kind === "unix") probes.push(() => removeFile(address.path));
    }
  } finally {
    for (const close of probes) close();
  }
}

function listenOnTcp({ host, port }: TcpAddress, reusePort: boolean): Deno.Listener {
  return Deno.listen({ hostname: host, port, reusePort });
}

function listenOnUnix({ path }: UnixAddress): Deno.Listener {
  return Deno.listen({ transport: "unix", path });
}

function boundAddress(address: Deno.Addr): Address {
  if (address.transport === "tcp") {
    return { kind: "tcp", host: address.hostname, port: address.port };
  }
  return { kind: "unix", path: (address as Deno.UnixAddr).path };
}

async function withTimeout(
  connecting: Promise<Deno.Conn>,
  timeoutMs: number,
  address: Address,
): Promise<Deno.Conn> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(noAnswer(timeoutMs));
    // Deno.connect cannot be called off; a connection that comes too late is closed at once.
    connecting.then((conn) => conn.close(), () => {});
  }, timeoutMs);
  try {
    return await Promise.race([connecting, expired]);
  } catch (error) {
    throw cannotConnect(address, error);
  } finally {
    clearTimeout(timer);
  }
}
