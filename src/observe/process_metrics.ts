/**
 * The process as the operating system sees it. On Linux from `/proc`, elsewhere from what the
 * runtime knows. What cannot be read (another system, no permission) is undefined: a metric less,
 * never an error.
 *
 * @module
 */

import process from "node:process";

/**
 * Clock ticks a second in `/proc/PID/stat`: USER_HZ, which is 100 on every architecture that Deno
 * runs on (linux, include/asm-generic/param.h).
 */
const TICKS_PER_SECOND = 100;

/** Fields of `/proc/PID/stat`, counted from the one after the name (man 5 proc_pid_stat). */
const STAT_FIELD = { utime: 14 - 3, stime: 15 - 3, starttime: 22 - 3 } as const;

const PROC = "/proc";

/** CPU time of all threads, user and system, in seconds. */
export function processCpuSeconds(proc: string = PROC): number | undefined {
  const stat = statFields(proc);
  const ticks = Number(stat?.[STAT_FIELD.utime]) + Number(stat?.[STAT_FIELD.stime]);
  if (Number.isFinite(ticks)) return ticks / TICKS_PER_SECOND;
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
export function processOpenFds(proc: string = PROC): number | undefined {
  return attempt(() => {
    let count = 0;
    for (const _ of Deno.readDirSync(`${proc}/self/fd`)) count += 1;
    // One of them is the folder itself, which is open while it is read.
    return count - 1;
  });
}

/** How many file descriptors may be open: the soft limit; undefined when there is none. */
export function processMaxFds(proc: string = PROC): number | undefined {
  const limits = attempt(() => Deno.readTextFileSync(`${proc}/self/limits`));
  const max = /^Max open files\s+(\d+)/m.exec(limits ?? "")?.[1];
  return max === undefined ? undefined : Number(max);
}

/** When the process started, in seconds since 1970. */
export function processStartSeconds(proc: string = PROC): number | undefined {
  const ticks = Number(statFields(proc)?.[STAT_FIELD.starttime]);
  const stat = attempt(() => Deno.readTextFileSync(`${proc}/stat`));
  const bootSeconds = Number(/^btime (\d+)$/m.exec(stat ?? "")?.[1]);
  const seconds = bootSeconds + ticks / TICKS_PER_SECOND;
  if (Number.isFinite(seconds)) return seconds;
  return attempt(() => performance.timeOrigin / 1000);
}

/** The fields behind the name, which is in parentheses and may itself hold spaces and ")". */
function statFields(proc: string): readonly string[] | undefined {
  const text = attempt(() => Deno.readTextFileSync(`${proc}/self/stat`));
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
