/**
 * What a process costs, read from Linux's /proc.
 *
 * @module
 */

/** USER_HZ: the unit of times in /proc, 100 on every architecture that Deno runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

/** Where utime and stime are in /proc/PID/stat, counted behind the name, which may hold spaces. */
const UTIME = 11;
const STIME = 12;

/** CPU time of all threads of a process, user and system, since it started, in seconds. */
export function cpuSeconds(processId: number): number {
  const stat = Deno.readTextFileSync(`/proc/${processId}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND;
}

/** Resident memory of a process in MiB. */
export function residentMiB(processId: number): number {
  const status = Deno.readTextFileSync(`/proc/${processId}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
