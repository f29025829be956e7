/**
 * The system calls of io_uring, and the numbers that Linux gives to its names.
 *
 * As in libc.ts, only what the engine compiles is called often: a size of 64 bits that never
 * changes is passed as a pointer that was made once. `syscall(2)` takes the numbers of the calls,
 * which are the same on x86-64 and arm64: glibc has no functions for them.
 *
 * Source: io_uring_setup(2), io_uring_enter(2), io_uring_register(2), linux/io_uring.h
 *
 * @module
 */

const CALL = { setup: 425, enter: 426, register: 427 } as const;

/** Flags of `io_uring_setup`. */
export const SETUP = {
  CQSIZE: 1 << 3,
  SUBMIT_ALL: 1 << 7,
  SINGLE_ISSUER: 1 << 12,
  DEFER_TASKRUN: 1 << 13,
} as const;

/** What the kernel has, as `io_uring_setup` tells. */
export const FEATURE = { SINGLE_MMAP: 1 << 0, NODROP: 1 << 1, EXT_ARG: 1 << 8, CQE_SKIP: 1 << 11 };

/** Flags of `io_uring_enter`. */
export const ENTER = { GETEVENTS: 1 << 0, EXT_ARG: 1 << 3 } as const;

/** Operations of `io_uring_register`. */
export const REGISTER = { PBUF_RING: 22 } as const;

/** Operations of entries in the submission queue. */
export const OPERATION = {
  POLL_ADD: 6,
  ACCEPT: 13,
  ASYNC_CANCEL: 14,
  SEND: 26,
  RECV: 27,
} as const;

/** Flags of any entry: buffers are chosen by the kernel; nothing is told of success. */
export const ENTRY = { BUFFER_SELECT: 1 << 5, CQE_SKIP_SUCCESS: 1 << 6 } as const;

/** Flags of single operations that go on until they are cancelled or fail. */
export const MULTISHOT = { POLL: 1 << 0, ACCEPT: 1 << 0, RECV: 1 << 1 } as const;

/** Flags of completions: there is a buffer; the operation goes on. */
export const COMPLETION = { BUFFER: 1 << 0, MORE: 1 << 1 } as const;

/** What the submission queue says of the other one: it was too small, and has to be asked for. */
export const QUEUE_OVERFLOW = 1 << 1;

/** Where parts of the ring are mapped from. */
export const OFFSET = { RINGS: 0, ENTRIES: 0x10000000 } as const;

/** Flags of `mmap`. */
const MAP = { SHARED: 0x01, PRIVATE: 0x02, ANONYMOUS: 0x20, POPULATE: 0x8000 } as const;
const PROT_READ_WRITE = 3;

const SYMBOLS = {
  setup: { name: "syscall", parameters: ["i32", "u32", "buffer"], result: "i32" },
  enter: {
    name: "syscall",
    parameters: ["i32", "i32", "u32", "u32", "u32", "pointer", "pointer"],
    result: "i32",
  },
  register: { name: "syscall", parameters: ["i32", "i32", "u32", "buffer", "u32"], result: "i32" },
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Memory of the process that is no object of the engine's: it is never moved, nor collected. */
export interface Mapped {
  readonly pointer: Deno.PointerObject;
  readonly buffer: ArrayBuffer;
}

/** The calls, each as in its manual page: -1 is a failure, and the thread's `errno` says which. */
export interface RingCalls {
  setup(entries: number, parameters: Uint8Array<ArrayBuffer>): number;
  enter(
    fd: number,
    submit: number,
    complete: number,
    flags: number,
    argument: Deno.PointerValue,
    argumentSize: Deno.PointerValue,
  ): number;
  register(fd: number, operation: number, argument: Uint8Array<ArrayBuffer>): number;
  getpeername(
    fd: number,
    address: Uint8Array<ArrayBuffer>,
    size: Uint8Array<ArrayBuffer>,
  ): number;
  socketpair(family: number, kind: number, protocol: number, fds: Uint8Array<ArrayBuffer>): number;
  /**
   * @param fd Of a ring; -1 is for memory of its own.
   * @returns Undefined if it failed.
   */
  map(fd: number, size: number, offset: number): Mapped | undefined;
  unmap(mapped: Mapped): void;
}

let opened: RingCalls | undefined;

/** The calls of this thread. @throws {Error} If Deno has no permission to use them. */
export function ringCalls(): RingCalls {
  return opened ??= openRingCalls();
}

function openRingCalls(): RingCalls {
  const { symbols } = Deno.dlopen("libc.so.6", SYMBOLS);
  return {
    setup: (entries, parameters) => symbols.setup(CALL.setup, entries, parameters),
    enter: (fd, submit, complete, flags, argument, argumentSize) =>
      symbols.enter(CALL.enter, fd, submit, complete, flags, argument, argumentSize),
    register: (fd, operation, argument) =>
      symbols.register(CALL.register, fd, operation, argument, 1),
    getpeername: symbols.getpeername,
    socketpair: symbols.socketpair,
    map(fd, size, offset) {
      const flags = fd < 0 ? MAP.PRIVATE | MAP.ANONYMOUS : MAP.SHARED | MAP.POPULATE;
      const pointer = symbols.mmap(null, BigInt(size), PROT_READ_WRITE, flags, fd, BigInt(offset));
      // MAP_FAILED is the highest address there is.
      if (pointer === null || Deno.UnsafePointer.value(pointer) === 2n ** 64n - 1n) {
        return undefined;
      }
      return { pointer, buffer: new Deno.UnsafePointerView(pointer).getArrayBuffer(size) };
    },
    unmap({ pointer, buffer }) {
      symbols.munmap(pointer, BigInt(buffer.byteLength));
    },
  };
}
