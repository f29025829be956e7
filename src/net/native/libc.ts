/**
 * The system calls that sockets need, through Deno's foreign function interface: Linux on x86-64
 * and arm64.
 *
 * Integers are 32 bits wide wherever the values allow it, and buffers are passed as they are: only
 * such calls are compiled by the engine (some 10 ns beside the system's own time, 15 more for each
 * buffer; others take hundreds). Every call is over when it returns, so nothing can move or be
 * collected meanwhile. What is passed with every turn is a pointer that was made once: see
 * {@linkcode pointerTo}.
 *
 * @module
 */

/** Numbers that Linux gives to names; the same on x86-64 and arm64. */
export const LINUX = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_ERROR: 4,
  SO_SNDBUF: 7,
  SO_KEEPALIVE: 9,
  SO_REUSEPORT: 15,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_USER_TIMEOUT: 18,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  MSG_NOSIGNAL: 0x4000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EPOLL_CTL_MOD: 3,
  EPOLLIN: 0x1,
  EPOLLOUT: 0x4,
  EPOLLERR: 0x8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  EPOLLET: 1 << 31,
  EFD_NONBLOCK: 0o4000,
  EFD_CLOEXEC: 0o2000000,
  CLOCK_MONOTONIC: 1,
} as const;

/** Errors that are no failure, or have a meaning of their own. */
export const ERRNO = {
  EPERM: 1,
  EINTR: 4,
  EBADF: 9,
  EAGAIN: 11,
  EACCES: 13,
  ENOENT: 2,
  EBUSY: 16,
  EINVAL: 22,
  EPIPE: 32,
  ENOSYS: 38,
  ETIME: 62,
  ECANCELED: 125,
  EMFILE: 24,
  ENFILE: 23,
  ENOBUFS: 105,
  ENOMEM: 12,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EINPROGRESS: 115,
} as const;

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "pointer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
  strerror_r: { parameters: ["i32", "buffer", "usize"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions, and why the last one of this thread has failed. */
export interface LibC extends Deno.StaticForeignLibraryInterface<typeof SYMBOLS> {
  /** One number of `errno(3)`. Only good right after a call that has failed. */
  readonly errno: number;
}

/** Bytes of the longest message of `strerror`. */
const MESSAGE_SIZE_MAX = 256;

/** Whether the driver knows the layouts of this system's structures. */
export function isSupported(): boolean {
  return Deno.build.os === "linux" && ["x86_64", "aarch64"].includes(Deno.build.arch);
}

/**
 * Opens the library for this thread: `errno` is a thread's own.
 *
 * @throws {Error} If there is none, or Deno has no permission to use it.
 */
export function openLibC(): LibC {
  if (!isSupported()) {
    throw new Error(`its system calls are those of Linux on x86-64 and arm64 only`);
  }
  const { symbols } = Deno.dlopen("libc.so.6", SYMBOLS);
  const location = symbols.__errno_location();
  if (location === null) throw new Error("libc.so.6 has no errno");
  const errno = new Int32Array(new Deno.UnsafePointerView(location).getArrayBuffer(4));
  return Object.defineProperty({ ...symbols }, "errno", { get: () => errno[0] }) as LibC;
}

/** Where bytes are. They stay there for as long as somebody has the buffer, which has to be. */
export function pointerTo(bytes: ArrayBuffer): Deno.PointerObject {
  const pointer = Deno.UnsafePointer.of(bytes);
  if (pointer === null) throw new Error("there is no pointer to no bytes");
  return pointer;
}

let opened: LibC | undefined;

/** The library of this thread, opened once. @throws {Error} As {@linkcode openLibC}. */
export function libC(): LibC {
  return opened ??= openLibC();
}

/** What an error number means, in the system's words: "Connection refused". */
export function errnoText(libC: LibC, errno: number): string {
  const message = libC.strerror_r(
    errno,
    new Uint8Array(MESSAGE_SIZE_MAX),
    BigInt(MESSAGE_SIZE_MAX),
  );
  return message === null ? `error ${errno}` : new Deno.UnsafePointerView(message).getCString();
}

/**
 * A failed call as the error that Deno's own functions would throw.
 *
 * @param errno As in errno(3).
 */
export function systemError(libC: LibC, errno: number): Error {
  const message = `${errnoText(libC, errno)} (os error ${errno})`;
  switch (errno) {
    case ERRNO.EADDRINUSE:
      return new Deno.errors.AddrInUse(message);
    case ERRNO.EADDRNOTAVAIL:
      return new Deno.errors.AddrNotAvailable(message);
    case ERRNO.EACCES:
      return new Deno.errors.PermissionDenied(message);
    case ERRNO.ENOENT:
      return new Deno.errors.NotFound(message);
    case ERRNO.ECONNREFUSED:
      return new Deno.errors.ConnectionRefused(message);
    case ERRNO.ECONNRESET:
      return new Deno.errors.ConnectionReset(message);
    case ERRNO.ECONNABORTED:
      return new Deno.errors.ConnectionAborted(message);
    case ERRNO.EPIPE:
      return new Deno.errors.BrokenPipe(message);
    case ERRNO.ETIMEDOUT:
      return new Deno.errors.TimedOut(message);
  }
  return new Error(message);
}
