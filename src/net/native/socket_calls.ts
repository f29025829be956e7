/**
 * What drivers and listeners ask the kernel for around a socket's life.
 *
 * @module
 */

import type { EventLoop } from "./event_loop.ts";
import { type LibC, LINUX, systemError } from "./libc.ts";
import { SOCKET_ADDRESS_SIZE_MAX } from "./socket_address.ts";

/**
 * A new socket, which does not block and is not inherited.
 *
 * @throws {Error} If there are no descriptors left, or the family is not there.
 */
export function openSocket(loop: EventLoop, family: number): number {
  const { libC } = loop;
  const kind = LINUX.SOCK_STREAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
  const fd = libC.socket(family, kind, 0);
  if (fd < 0) throw systemError(libC, libC.errno);
  return loop.own(fd);
}

/** Sets an option of 32 bits; one that cannot be set is left: what is wrong shows in using it. */
export function setOption(
  libC: LibC,
  fd: number,
  level: number,
  option: number,
  value: number,
): void {
  libC.setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4);
}

/** What the configuration says of TCP connections. */
export function setSocketOptions(
  libC: LibC,
  fd: number,
  { keepAlive, noDelay }: { readonly keepAlive: boolean; readonly noDelay: boolean },
): void {
  if (noDelay) setOption(libC, fd, LINUX.IPPROTO_TCP, LINUX.TCP_NODELAY, 1);
  if (keepAlive) setOption(libC, fd, LINUX.SOL_SOCKET, LINUX.SO_KEEPALIVE, 1);
}

/** The address that a socket is bound to, as the kernel has it. */
export function socketName({ libC }: EventLoop, fd: number): Uint8Array {
  const address = new Uint8Array(SOCKET_ADDRESS_SIZE_MAX);
  const size = Int32Array.of(address.length);
  if (libC.getsockname(fd, address, new Uint8Array(size.buffer)) < 0) {
    throw systemError(libC, libC.errno);
  }
  return address;
}
