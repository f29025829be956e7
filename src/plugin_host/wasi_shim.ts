/**
 * WASI for plugins: what reactors of Go, Rust, C and AssemblyScript import of
 * `wasi_snapshot_preview1`. There are clocks and random bytes, and standard output goes to the log;
 * there are no arguments, no environment, no files and no sockets.
 *
 * Source: https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md
 *
 * @module
 */

import type { LogLevel } from "../observe/log_record.ts";
import type { HostContext } from "./host_context.ts";
import { fillRandom, type HostFunction, type HostModule } from "./host_functions.ts";
import { writeLog } from "./host_services.ts";
import { LOG_RECORD_SIZE_MAX } from "./log_quota.ts";
import { PluginTrap } from "./plugin_failure.ts";

/** Name of the import module. */
export const WASI_MODULE = "wasi_snapshot_preview1";

const ERRNO = { success: 0, badf: 8, inval: 28, nosys: 52, spipe: 70 } as const;

const CLOCK_REALTIME = 0;
const CLOCKS_MAX = 3;

const NANOSECONDS_PER_MS = 1_000_000;

const STDERR = 2;

/** filetype character_device, of a fdstat. */
const CHARACTER_DEVICE = 2;
const FDSTAT_SIZE = 24;

/** rights fd_write (1 << 6), of a fdstat. */
const RIGHTS_WRITE = 64n;

const IOVEC_SIZE = 8;
/** Linux' UIO_MAXIOV. */
const IOVECS_MAX = 1024;

/** Units for each vector or subscription. */
const VECTOR_COST = 50;

const SUBSCRIPTION_SIZE = 48;
const EVENT_SIZE = 32;
const SUBSCRIPTIONS_MAX = 1024;
const EVENTTYPE_CLOCK = 0;

const NEWLINE = 0x0a;

/**
 * The functions, for one plugin.
 *
 * @param names Those that the module imports: what is not served answers ENOSYS.
 */
export function wasiFunctions(context: HostContext, names: readonly string[]): HostModule {
  const served: Record<string, HostFunction> = {
    ...emptyFunctions(context),
    ...clockFunctions(context),
    ...streamFunctions(context),
    "random_get"(pointer: number, length: number): number {
      fillRandom(context, pointer, length);
      return ERRNO.success;
    },
    "sched_yield": () => ERRNO.success,
    "proc_exit"(code: number): never {
      throw new PluginTrap("trap", `it ended itself with exit code ${code >>> 0}`);
    },
    "proc_raise"(signal: number): never {
      throw new PluginTrap("trap", `it sent itself signal ${signal >>> 0}`);
    },
  };
  return Object.fromEntries(names.map((name) => [
    name,
    Object.hasOwn(served, name) ? served[name]! : () => ERRNO.nosys,
  ]));
}

/** Lists without anything in them. */
function emptyFunctions({ memory }: HostContext): HostModule {
  const writeZeros = (first: number, second: number): number => {
    memory.viewOf(first, 4).fill(0);
    memory.viewOf(second, 4).fill(0);
    return ERRNO.success;
  };
  return {
    "args_get": () => ERRNO.success,
    "args_sizes_get": writeZeros,
    "environ_get": () => ERRNO.success,
    "environ_sizes_get": writeZeros,
    "fd_prestat_get": () => ERRNO.badf,
    "fd_prestat_dir_name": () => ERRNO.badf,
  };
}

function clockFunctions(context: HostContext): HostModule {
  const { memory, ports } = context;
  const writeTime = (pointer: number, nanoseconds: bigint): number => {
    memory.check(pointer, 8);
    memory.view.setBigUint64(pointer >>> 0, nanoseconds, true);
    return ERRNO.success;
  };
  return {
    "clock_time_get"(clock: number, _precision: bigint, pointer: number): number {
      if (clock >>> 0 > CLOCKS_MAX) return ERRNO.inval;
      const isWall = clock === CLOCK_REALTIME;
      const nanoseconds = isWall
        ? BigInt(Math.round(ports.wallMs())) * BigInt(NANOSECONDS_PER_MS)
        // Go's runtime takes 0 for a clock that is broken, and ends itself.
        : BigInt(Math.round(ports.clock.nowMs() * NANOSECONDS_PER_MS) + 1);
      return writeTime(pointer, nanoseconds);
    },
    "clock_res_get"(clock: number, pointer: number): number {
      if (clock >>> 0 > CLOCKS_MAX) return ERRNO.inval;
      return writeTime(pointer, clock === CLOCK_REALTIME ? BigInt(NANOSECONDS_PER_MS) : 1000n);
    },
    /** Nothing waits here: all time is over at once, and no file has anything to say. */
    "poll_oneoff"(subscriptions: number, events: number, count: number, written: number): number {
      const size = count >>> 0;
      if (size === 0 || size > SUBSCRIPTIONS_MAX) return ERRNO.inval;
      memory.check(subscriptions, size * SUBSCRIPTION_SIZE);
      memory.check(events, size * EVENT_SIZE);
      memory.check(written, 4);
      context.charge(size * VECTOR_COST);
      const { view } = memory;
      for (let i = 0; i < size; i++) {
        const from = (subscriptions >>> 0) + i * SUBSCRIPTION_SIZE;
        const to = (events >>> 0) + i * EVENT_SIZE;
        const userData = view.getBigUint64(from, true);
        const type = view.getUint8(from + 8);
        memory.viewOf(to, EVENT_SIZE).fill(0);
        view.setBigUint64(to, userData, true);
        view.setUint16(to + 8, type === EVENTTYPE_CLOCK ? ERRNO.success : ERRNO.badf, true);
        view.setUint8(to + 10, type);
      }
      view.setUint32(written >>> 0, size, true);
      return ERRNO.success;
    },
  };
}

function streamFunctions(context: HostContext): HostModule {
  const { memory } = context;
  const isStream = (fd: number) => fd >>> 0 <= STDERR;
  const lines = [new LineBuffer(context, "info"), new LineBuffer(context, "warn")];
  return {
    "fd_write"(fd: number, vectors: number, count: number, written: number): number {
      const line = lines[fd - 1];
      if (line === undefined) return ERRNO.badf;
      const length = count >>> 0;
      if (length > IOVECS_MAX) return ERRNO.inval;
      memory.check(vectors, length * IOVEC_SIZE);
      memory.check(written, 4);
      context.charge(length * VECTOR_COST);
      const { view } = memory;
      let total = 0;
      for (let i = 0; i < length; i++) {
        const at = (vectors >>> 0) + i * IOVEC_SIZE;
        const piece = memory.viewOf(view.getUint32(at, true), view.getUint32(at + 4, true));
        context.chargeBytes(piece.length);
        line.add(piece);
        total += piece.length;
      }
      view.setUint32(written >>> 0, total, true);
      return ERRNO.success;
    },
    "fd_read"(fd: number, _vectors: number, _count: number, written: number): number {
      if (fd !== 0) return ERRNO.badf;
      memory.viewOf(written, 4).fill(0);
      return ERRNO.success;
    },
    "fd_fdstat_get"(fd: number, pointer: number): number {
      memory.viewOf(pointer, FDSTAT_SIZE).fill(0);
      if (!isStream(fd)) return ERRNO.badf;
      memory.view.setUint8(pointer >>> 0, CHARACTER_DEVICE);
      memory.view.setBigUint64((pointer >>> 0) + 8, RIGHTS_WRITE, true);
      return ERRNO.success;
    },
    "fd_fdstat_set_flags": (fd: number) => isStream(fd) ? ERRNO.success : ERRNO.badf,
    "fd_close": (fd: number) => isStream(fd) ? ERRNO.success : ERRNO.badf,
    "fd_seek": (fd: number) => isStream(fd) ? ERRNO.spipe : ERRNO.badf,
  };
}

/** What was written to a stream since the last line ended; a record of the log is cut off. */
class LineBuffer {
  readonly #context: HostContext;
  readonly #level: LogLevel;
  readonly #bytes = new Uint8Array(LOG_RECORD_SIZE_MAX);
  #size = 0;

  constructor(context: HostContext, level: LogLevel) {
    this.#context = context;
    this.#level = level;
  }

  add(piece: Uint8Array): void {
    if (!this.#context.may.log) return;
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end < 0) break;
      this.#take(piece.subarray(start, end));
      if (this.#size > 0) writeLog(this.#context, this.#level, this.#bytes.slice(0, this.#size));
      this.#size = 0;
      start = end + 1;
    }
    this.#take(piece.subarray(start));
  }

  #take(bytes: Uint8Array): void {
    const count = Math.min(bytes.length, this.#bytes.length - this.#size);
    this.#bytes.set(bytes.subarray(0, count), this.#size);
    this.#size += count;
  }
}
