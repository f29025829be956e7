/**
 * The network's bad days, by the system calls themselves: reads that give a part of what is there,
 * writes that take a part or nothing, calls that a signal interrupts. All of it is what the kernel
 * may do at any time, so nobody may notice.
 *
 * @module
 */

import { ERRNO, type LibC, LINUX } from "../../src/net/native/libc.ts";
import type { Random } from "./random.ts";

/** Bytes of a short read or write at most. */
const SHORT_SIZE_MAX = 700;

/** Makes calls fail at random, with the real ones behind them. */
export function faultyLibC(libC: LibC, random: Random): LibC {
  let injected = 0;
  const fail = (errno: number) => {
    injected = errno;
    return -1;
  };
  const registrations = new Map<number, { readonly epoll: number; readonly event: Uint8Array }>();
  // The kernel tells of changes only, and nothing has changed when it is we who make it short.
  const tellAgain = (fd: number) => {
    const known = registrations.get(fd);
    if (known !== undefined) libC.epoll_ctl(known.epoll, LINUX.EPOLL_CTL_MOD, fd, known.event);
  };
  const faulty = {
    ...libC,
    "epoll_ctl"(epoll: number, operation: number, fd: number, event: Uint8Array) {
      if (operation === LINUX.EPOLL_CTL_DEL) registrations.delete(fd);
      else registrations.set(fd, { epoll, event: event.slice() });
      injected = 0;
      return libC.epoll_ctl(epoll, operation, fd, event as Uint8Array<ArrayBuffer>);
    },
    recv(fd: number, buffer: Deno.PointerValue, size: number, flags: number) {
      injected = 0;
      if (random.oneIn(10)) return fail(ERRNO.EINTR);
      if (random.oneIn(5)) {
        tellAgain(fd);
        return fail(ERRNO.EAGAIN);
      }
      if (!random.oneIn(2)) return libC.recv(fd, buffer, size, flags);
      const read = libC.recv(fd, buffer, Math.min(size, 1 + random.below(SHORT_SIZE_MAX)), flags);
      const { errno } = libC;
      tellAgain(fd);
      return read < 0 ? fail(errno) : read;
    },
    send(fd: number, buffer: Uint8Array<ArrayBuffer>, size: number, flags: number) {
      injected = 0;
      if (random.oneIn(10)) return fail(ERRNO.EINTR);
      if (random.oneIn(5)) {
        tellAgain(fd);
        return fail(ERRNO.EAGAIN);
      }
      const part = random.oneIn(2) ? size : Math.min(size, 1 + random.below(SHORT_SIZE_MAX));
      return libC.send(fd, buffer, part, flags);
    },
  };
  return Object.defineProperty(faulty, "errno", {
    get: () => injected === 0 ? libC.errno : injected,
  }) as LibC;
}

/**
 * Makes one call fail whenever `next` gives a number of errno(3); the others, and this one
 * otherwise, are as they were.
 */
export function failing(
  libC: LibC,
  call: Exclude<keyof LibC, "errno">,
  next: (...args: number[]) => number | undefined,
): LibC {
  let injected: number | undefined;
  const changed: Record<string, unknown> = {};
  for (const [name, real] of Object.entries(libC)) {
    changed[name] = (...args: number[]) => {
      injected = name === call ? next(...args) : undefined;
      return injected === undefined ? real(...args) : -1;
    };
  }
  const errno = { get: () => injected ?? libC.errno };
  return Object.defineProperty(changed, "errno", errno) as unknown as LibC;
}
