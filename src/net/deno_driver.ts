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

/** Permission bits of a Unix socket that is there only to see whether it can be. */
const PROBE_MODE = 0o600;

/** What an address is called where nobody says which key it is from. */
const ANY_KEY = "address";

/** Makes sockets that belong together: one driver a worker. */
export class DenoDriver implements Driver {
  readonly #round = new WriteRound();

  async listen(options: ListenOptions, handler: ListenHandler): Promise<Listener> {
    const { address } = options;
    const listener = address.kind === "unix"
      ? await bindUnix(address.path, options.socketMode)
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
        ? await bindUnix(address.path, PROBE_MODE, key)
        : bindTcp(address.host, address.port, false, key);
      probes.push(() => probe.close());
      if (address.kind === "unix") probes.push(() => removeFile(address.path));
    }
  } finally {
    for (const close of probes) close();
  }
}

function bindTcp(
  hostname: string,
  port: number,
  reusePort: boolean,
  key = ANY_KEY,
): Deno.Listener {
  try {
    return Deno.listen({ hostname, port, reusePort });
  } catch (error) {
    throw cannotListen({ kind: "tcp", host: hostname, port }, key, error);
  }
}

async function bindUnix(path: string, socketMode: number, key = ANY_KEY): Promise<Deno.Listener> {
  await removeStaleSocketFile(path, key);
  // The file must never exist with wider permissions than asked for, not even for an instant.
  const umask = Deno.build.os === "windows" ? 0 : Deno.umask(0o777 & ~socketMode);
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    throw cannotListen({ kind: "unix", path }, key, error);
  } finally {
    if (Deno.build.os !== "windows") Deno.umask(umask);
  }
}

function cannotListen(address: Address, key: string, error: unknown): Error {
  const reason = whyNot(address, key, error);
  return new Error(`Cannot listen on ${addressText(address)}: ${reason}`, { cause: error });
}

function whyNot(address: Address, key: string, error: unknown): string {
  const { AddrInUse, NotFound, PermissionDenied } = Deno.errors;
  const choose = `choose another ${key}`;
  if (error instanceof AddrInUse) {
    // One that is a socket is somebody's, or was removed before.
    return address.kind === "unix" && !isSocket(address.path)
      ? `the file there is no socket; ${choose}, or remove it`
      : `${systemReason(error)}; ${choose} or stop it`;
  }
  if (address.kind === "unix" && error instanceof NotFound) {
    return `its folder does not exist; make it, or ${choose}`;
  }
  const isReserved = address.kind === "tcp" && address.port < 1024 &&
    error instanceof PermissionDenied;
  const right = isReserved ? "; ports below 1024 need the right CAP_NET_BIND_SERVICE" : "";
  return `${systemReason(error)}${right}; ${choose}`;
}

function isSocket(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return true; // gone meanwhile
  }
}

/** A gateway that was killed leaves its socket's file behind, and nobody can bind it again. */
async function removeStaleSocketFile(path: string, key: string): Promise<void> {
  try {
    // Connecting to a file that is no socket is refused, too: a mistyped path must not cost a file.
    if (!Deno.lstatSync(path).isSocket) return;
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) removeFile(path);
    return;
  }
  const advice = `choose another ${key} or stop it`;
  throw new Error(`Cannot listen on ${path}: another process answers there; ${advice}`);
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
