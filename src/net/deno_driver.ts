/**
 * The portable driver: `Deno.listen` and `Deno.connect`, on every system that Deno runs on.
 *
 * @module
 */

import { type Address, addressText } from "../base/address.ts";
import { asError, systemReason } from "../base/errors.ts";
import { DenoSocket, WriteRound } from "./deno_socket.ts";
import {
  type ConnectOptions,
  ConnectTimeoutError,
  type Driver,
  type Listener,
  type ListenHandler,
  type ListenOptions,
  type Socket,
} from "./socket.ts";

/** Pause after a failed accept: long enough for a few connections to end and free descriptors. */
const ACCEPT_RETRY_MS = 100;

/** Makes sockets that belong together: one driver a worker. */
export class DenoDriver implements Driver {
  readonly #round = new WriteRound();

  async listen(options: ListenOptions, handler: ListenHandler): Promise<Listener> {
    const { address } = options;
    if (address.kind === "unix") await removeStaleSocketFile(address.path);
    const listener = address.kind === "unix"
      ? listenUnix(address.path, options)
      : bindTcp(address.host, address.port, options.reusePort);
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
    const conn = await withTimeout(connecting, timeoutMs, addressText(address));
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
    return new DenoSocket(conn, this.#round);
  }
}

/**
 * Finds out whether TCP addresses are free and differ from one another: SO_REUSEPORT would share a
 * port with anybody, without a word.
 *
 * @throws {Error} If one cannot be bound beside the others.
 */
export function assertAddressesAreFree(addresses: Iterable<Address>): void {
  const probes: Deno.Listener[] = [];
  try {
    for (const address of addresses) {
      if (address.kind === "tcp") probes.push(bindTcp(address.host, address.port, false));
    }
  } finally {
    for (const probe of probes) probe.close();
  }
}

function bindTcp(hostname: string, port: number, reusePort: boolean): Deno.Listener {
  try {
    return Deno.listen({ hostname, port, reusePort });
  } catch (error) {
    const target = addressText({ kind: "tcp", host: hostname, port });
    throw new Error(`Cannot listen on ${target}: ${asError(error).message}`, { cause: error });
  }
}

function listenUnix(path: string, options: ListenOptions): Deno.Listener {
  // The file must never exist with wider permissions than asked for, not even for an instant.
  const umask = Deno.build.os === "windows" ? 0 : Deno.umask(0o777 & ~options.socketMode);
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    throw new Error(`Cannot listen on ${path}: ${asError(error).message}`, { cause: error });
  } finally {
    if (Deno.build.os !== "windows") Deno.umask(umask);
  }
}

/** A gateway that was killed leaves its socket's file behind, and nobody can bind it again. */
async function removeStaleSocketFile(path: string): Promise<void> {
  try {
    // Connecting to a file that is no socket is refused, too: a mistyped path must not cost a file.
    if (!Deno.lstatSync(path).isSocket) return;
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) removeFile(path);
    return;
  }
  throw new Error(`Cannot listen on ${path}: another process answers there`);
}

function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Gone already.
  }
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
  target: string,
): Promise<Deno.Conn> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new ConnectTimeoutError(`no answer within ${timeoutMs} ms`));
    // Deno.connect cannot be called off; a connection that comes too late is closed at once.
    connecting.then((conn) => conn.close(), () => {});
  }, timeoutMs);
  try {
    return await Promise.race([connecting, expired]);
  } catch (error) {
    const message = `Cannot connect to ${target}: ${systemReason(error)}`;
    if (error instanceof ConnectTimeoutError) throw new ConnectTimeoutError(message);
    throw new Error(message, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
