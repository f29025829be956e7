/**
 * What processes cost, with all of their children, read from Linux's /proc.
 *
 * @module
 */

/** USER_HZ: the unit of times in /proc, 100 on every architecture that Deno runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

/** Where things are in /proc/PID/stat, counted behind the name, which may hold spaces. */
const PARENT = 1;
const UTIME = 11;
const CSTIME = 14;

/** What /proc/PID/stat says. */
export interface ProcessStat {
  readonly parentId: number;
  /** User and system time of all threads, and of children that have ended and were waited for. */
  readonly cpuSeconds: number;
}

/** Reads the text of a /proc/PID/stat. */
export function parseStat(stat: string): ProcessStat {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  const ticks = fields.slice(UTIME, CSTIME + 1).reduce((sum, time) => sum + time, 0);
  return { parentId: fields[PARENT]!, cpuSeconds: ticks / TICKS_PER_SECOND };
}

/** These processes and everything below them. */
function familyOf(processIds: readonly number[]): ReadonlyMap<number, ProcessStat> {
  const all = new Map<number, ProcessStat>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? readIfThere(`/proc/${name}/stat`) : undefined;
    if (stat !== undefined) all.set(Number(name), parseStat(stat));
  }
  return descendantsIn(all, processIds);
}

/** Those of `all` that are in the list, or whose parent is, and so on. */
export function descendantsIn(
  all: ReadonlyMap<number, ProcessStat>,
  processIds: readonly number[],
): ReadonlyMap<number, ProcessStat> {
  const family = new Map([...all].filter(([id]) => processIds.includes(id)));
  // Parents mostly come first, but ids start anew when all have been used.
  for (let size = -1; size !== family.size;) {
    size = family.size;
    for (const [id, stat] of all) if (family.has(stat.parentId)) family.set(id, stat);
  }
  return family;
}

/** How many processes there are, children and all. */
export function countProcesses(processIds: readonly number[]): number {
  return familyOf(processIds).size;
}

/**
 * CPU time of all threads of the processes and their children, user and system, since they started,
 * in seconds. The time of a child that has ended is its parent's, if it was waited for.
 */
export function cpuSeconds(processIds: readonly number[]): number {
  return [...familyOf(processIds).values()].reduce((sum, stat) => sum + stat.cpuSeconds, 0);
}

/**
 * Memory of the processes and their children in bytes: the proportional set size, in which pages
 * that several processes share count once.
 */
export function memoryBytes(processIds: readonly number[]): number {
  return [...familyOf(processIds).keys()].reduce((sum, id) => {
    const rollup = readIfThere(`/proc/${id}/smaps_rollup`) ?? "";
    return sum + Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
  }, 0);
}

/** A process may end between being listed and being read. */
function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
