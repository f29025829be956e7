/**
 * The process as the operating system sees it: from what the runtime knows, and on Linux from the C
 * library, since Deno lets nobody read `/proc` who has not all permissions, and the executable has
 * not. What cannot be read (another system, no permission) is undefined: a metric less, never an
 * error.
 *
 * @module
 */

import process from "node:process";

/** Open file descriptors at most (linux, include/uapi/asm-generic/resource.h). */
const RLIMIT_NOFILE = 7;

/** No limit (the same file): all bits of what holds one are set. */
const RLIM_INFINITY = 2n ** 64n - 1n;

/** An entry for each descriptor that the process has open (man 5 proc_pid_fd). */
const DESCRIPTORS = new TextEncoder().encode("/proc/self/fd\0");

/** ".", ".." and the descriptor of the folder itself, which is open while it is read. */
const ENTRIES_OF_FOLDER = 3;

const SYMBOLS = {
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
} as const;

type LibC = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** CPU time of all threads, user and system, in seconds. */
export function processCpuSeconds(): number | undefined {
  return attempt(() => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
}

/** Memory that is in RAM now, in bytes. */
export function processResidentBytes(): number | undefined {
  return attempt(() => Deno.memoryUsage().rss);
}

/** File descriptors that are open. */
export function processOpenFds(): number | undefined {
  return withLibC(({ opendir, readdir, closedir }) => {
    const folder = opendir(DESCRIPTORS);
    if (folder === null) return undefined;
    let count = 0;
    while (readdir(folder) !== null) count += 1;
    closedir(folder);
    return count - ENTRIES_OF_FOLDER;
  });
}

/** How many file descriptors may be open: the soft limit; undefined when there is none. */
export function processMaxFds(): number | undefined {
  return withLibC(({ getrlimit }) => {
    const limits = new BigUint64Array(2); // soft, hard
    if (getrlimit(RLIMIT_NOFILE, limits) !== 0 || limits[0] === RLIM_INFINITY) return undefined;
    return Number(limits[0]);
  });
}

/** When the process started, in seconds since 1970. */
export function processStartSeconds(): number | undefined {
  return attempt(() => performance.timeOrigin / 1000);
}

function withLibC(read: (libC: LibC) => number | undefined): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  return attempt(() => {
    // The library is part of the process already: to open it again costs a few look-ups.
    const library = Deno.dlopen("libc.so.6", SYMBOLS);
    try {
      return read(library.symbols);
    } finally {
      library.close();
    }
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
