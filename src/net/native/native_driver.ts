/**
 * The native driver: sockets of Linux on a thread's own {@linkcode EventLoop}.
 *
 * @module
 */

import { lookup } from "node:dns";
import type { Address, TcpAddress } from "../../base/address.ts";
import { asError } from "../../base/errors.ts";
import { bindTcp, bindUnix, cannotConnect, noAnswer, removeFile } from "../listening.ts";
import type {
  ConnectOptions,
  Driver,
  Listener,
  ListenHandler,
  ListenOptions,
  Socket,
} from "../socket.ts";
import type { EventLoop } from "./event_loop.ts";
import { ERRNO, LINUX, systemError } from "./libc.ts";
import { NativeListener } from "./native_listener.ts";
import { NativeRound } from "./native_round.ts";
import { NativeSocket, SOCKET_EVENTS } from "./native_socket.ts";
import { decodeSocketAddress, encodeSocketAddress, familyOf } from "./socket_address.ts";
import { openSocket, setOption, setSocketOptions, socketName } from "./socket_calls.ts";

/** Connections that the kernel keeps until they are accepted; net.core.somaxconn may say less. */
const BACKLOG = 4096;

/** Finds the IP addresses that a host's name stands for, the one to try first in front. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** Makes of descriptors what reads, writes and accepts. */
export interface NativeSockets {
  /** @param fd Connected and not blocking; it is the socket's from now on. */
  socket(fd: number, peer: TcpAddress | undefined): Socket;
  /**
   * @param fd Listening and not blocking; it is the listener's from now on.
   * @returns `close` says false if it was closed before.
   */
  listener(fd: number, options: ListenOptions, handler: ListenHandler): { close(): boolean };
}

/** Those that epoll tells of what they can do, and that do it themselves. */
function epollSockets(loop: EventLoop): NativeSockets {
  const round = new NativeRound(loop);
  return {
    socket: (fd, peer) => new NativeSocket(fd, peer, round),
    listener: (fd, options, handler) => new NativeListener(fd, options, round, handler),
  };
}

/** Makes sockets that belong together: one driver a worker. */
export class NativeDriver implements Driver {
  readonly #loop: EventLoop;
  readonly #lookup: Lookup;
  readonly #sockets: NativeSockets;

  /**
   * @param lookup Works while the loop is held.
   * @param sockets Wait as the loop does.
   */
  constructor(
    loop: EventLoop,
    lookup: Lookup = systemLookup,
    sockets: NativeSockets = epollSockets(loop),
  ) {
    this.#loop = loop;
    this.#lookup = lookup;
    this.#sockets = sockets;
  }

  async listen(options: ListenOptions, handler: ListenHandler): Promise<Listener> {
    const { address } = options;
    const fd = address.kind === "unix"
      ? await this.#loop.hold(
        bindUnix(address, options.socketMode, () => this.#bind(encode(address), options)),
      )
      : await bindTcp(address, async () => this.#bind((await this.#resolve(address))[0]!, options));
    const accepting = this.#sockets.listener(fd, options, handler);
    return {
      address: address.kind === "unix" ? address : decodeSocketAddress(socketName(this.#loop, fd))!,
      close: () => {
        if (accepting.close() && address.kind === "unix") removeFile(address.path);
      },
    };
  }

  #bind(address: Uint8Array, options: ListenOptions): number {
    const { libC } = this.#loop;
    const fd = openSocket(this.#loop, familyOf(address));
    const isTcp = familyOf(address) !== LINUX.AF_UNIX;
    if (isTcp) setOption(libC, fd, LINUX.SOL_SOCKET, LINUX.SO_REUSEADDR, 1);
    if (isTcp && options.reusePort) {
      setOption(libC, fd, LINUX.SOL_SOCKET, LINUX.SO_REUSEPORT, 1);
    }
    // Linux gives them to each connection that is accepted.
    if (isTcp) setSocketOptions(libC, fd, options);
    const isBound = libC.bind(fd, address, address.length) === 0 && libC.listen(fd, BACKLOG) === 0;
    if (isBound) return fd;
    const error = systemError(libC, libC.errno);
    this.#loop.close(fd);
    throw error;
  }

  async connect(options: ConnectOptions): Promise<Socket> {
    const { address, timeoutMs } = options;
    const endMs = this.#loop.nowMs() + timeoutMs;
    this.#loop.settled(); // all that follows is by promises
    try {
      let problem: unknown = new Error("its name stands for no address");
      for (const target of await this.#resolveWithin(timeoutMs, address)) {
        try {
          return await this.#connectTo(target, endMs, options);
        } catch (error) {
          problem = error;
        }
      }
      throw problem;
    } catch (error) {
      throw cannotConnect(address, error);
    }
  }

  /** As `#resolve`; a lookup cannot be called off, but nobody has to wait for it. */
  async #resolveWithin(timeoutMs: number, address: Address): Promise<readonly Uint8Array[]> {
    const { promise: expired, reject } = Promise.withResolvers<never>();
    const timer = this.#loop.after(timeoutMs, () => reject(noAnswer(timeoutMs)));
    try {
      return await Promise.race([this.#resolve(address), expired]);
    } finally {
      timer.cancel();
    }
  }

  /** Every address that a name stands for, as the kernel wants it: there is at least one. */
  async #resolve(address: Address): Promise<readonly Uint8Array[]> {
    const known = encodeSocketAddress(address);
    if (known !== undefined) return [known];
    const { host, port } = address as TcpAddress;
    try {
      const hosts = await this.#loop.hold(this.#lookup(host));
      return hosts.map((host) => encode({ kind: "tcp", host, port }));
    } catch (error) {
      const { code } = error as { code?: unknown };
      throw new Error(`no address is known for "${host}" (${code ?? asError(error).message})`);
    }
  }

  async #connectTo(target: Uint8Array, endMs: number, options: ConnectOptions): Promise<Socket> {
    const loop = this.#loop;
    if (endMs <= loop.nowMs()) throw noAnswer(options.timeoutMs);
    const fd = openSocket(loop, familyOf(target));
    try {
      await this.#establish(fd, target, endMs, options.timeoutMs);
      const peer = options.address.kind === "tcp" ? decodeSocketAddress(target) : undefined;
      if (peer !== undefined) setSocketOptions(loop.libC, fd, options);
      return this.#sockets.socket(fd, peer);
    } catch (error) {
      loop.close(fd);
      throw error;
    }
  }

  /** Resolves when the peer has answered. */
  async #establish(
    fd: number,
    target: Uint8Array,
    endMs: number,
    timeoutMs: number,
  ): Promise<void> {
    const loop = this.#loop;
    const { libC } = loop;
    if (libC.connect(fd, target as Uint8Array<ArrayBuffer>, target.length) === 0) return;
    const { errno } = libC;
    if (errno !== ERRNO.EINPROGRESS) throw systemError(libC, errno);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    loop.watch(fd, SOCKET_EVENTS, {
      onReady(events) {
        if ((events & (LINUX.EPOLLOUT | LINUX.EPOLLERR | LINUX.EPOLLHUP)) === 0) return;
        const problem = socketError(loop, fd);
        if (problem === 0) resolve();
        else reject(systemError(libC, problem));
        loop.settled();
      },
    });
    const timer = loop.after(endMs - loop.nowMs(), () => reject(noAnswer(timeoutMs)));
    try {
      await promise;
    } finally {
      timer.cancel();
      loop.unwatch(fd);
    }
  }
}

/** @returns The error number that a connection ended with; 0 if it is there. */
function socketError({ libC }: EventLoop, fd: number): number {
  const value = new Int32Array(1);
  const size = new Int32Array([4]);
  libC.getsockopt(
    fd,
    LINUX.SOL_SOCKET,
    LINUX.SO_ERROR,
    new Uint8Array(value.buffer),
    new Uint8Array(size.buffer),
  );
  return value[0]!;
}

/** Not by `node:dns/promises`: that one writes a warning of Deno's own on stderr before 2.9. */
export function systemLookup(host: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) =>
    lookup(host, { all: true, order: "verbatim" }, (error, found) => {
      if (error) reject(error);
      else resolve(found.map(({ address }) => address));
    })
  );
}

function encode(address: Address): Uint8Array {
  const bytes = encodeSocketAddress(address);
  if (bytes === undefined) throw new Error("it is no address");
  return bytes;
}
