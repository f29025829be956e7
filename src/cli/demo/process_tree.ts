/**
 * Kills a process together with its children, at once: how a test or a demo makes a database
 * crash. PostgreSQL's children are in process groups of their own, so no group signal reaches them.
 *
 * @module
 */

import { EmbeddedPostgresError } from "./errors.ts";

/** A killed process is gone in milliseconds; one in uninterruptible disk sleep is not. */
const GONE_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 5;

interface ProcessEntry {
  readonly processId: number;
  readonly parentId: number;
  readonly isZombie: boolean;
}

/**
 * Sends SIGKILL to a process and to all of its children, and waits until none of them runs.
 * Nothing happens to one that is gone already.
 *
 * @throws {EmbeddedPostgresError} If one of them still runs after ten seconds.
 */
export async function killProcessTree(processId: number): Promise<void> {
  // Stopped first, so that it has no more children while they are counted.
  signal(processId, "SIGSTOP");
  const family = [processId, ...await childrenOf(processId)];
  for (const member of family) signal(member, "SIGKILL");
  await untilGone(family);
}

/** True if a process with this id runs; a zombie, which only waits to be reaped, does not. */
export async function isRunning(processId: number): Promise<boolean> {
  return (await listProcesses()).some((entry) => entry.processId === processId && !entry.isZombie);
}

/** The ids of the processes that `processId` started itself and that still run. */
export async function childrenOf(processId: number): Promise<readonly number[]> {
  return (await listProcesses())
    .filter((entry) => entry.parentId === processId && !entry.isZombie)
    .map((entry) => entry.processId);
}

async function untilGone(family: readonly number[]): Promise<void> {
  const deadline = Date.now() + GONE_TIMEOUT_MS;
  while (true) {
    const running = (await listProcesses())
      .filter((entry) => !entry.isZombie && family.includes(entry.processId));
    if (running.length === 0) return;
    if (Date.now() > deadline) {
      const ids = running.map((entry) => entry.processId).join(", ");
      throw new EmbeddedPostgresError(
        `Cannot kill PostgreSQL: processes ${ids} still run ${GONE_TIMEOUT_MS} ms after SIGKILL`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
}

function signal(processId: number, name: Deno.Signal): void {
  try {
    Deno.kill(processId, Deno.build.os === "windows" ? "SIGKILL" : name);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return;
    // What is gone is reported as a TypeError (ESRCH on some versions) or by Windows as no access.
    if (thrown instanceof TypeError || Deno.build.os === "windows") return;
    throw thrown;
  }
}

/** /proc where there is one, since the smallest images have no `ps`. */
async function listProcesses(): Promise<readonly ProcessEntry[]> {
  if (Deno.build.os === "linux") return await listProc();
  // Windows has neither; its server's children end by themselves when the postmaster does.
  if (Deno.build.os === "windows") return [];
  const command = new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid=,stat="] });
  const text = new TextDecoder().decode((await command.output()).stdout);
  return text.split("\n").map((line) => line.trim().split(/\s+/)).map((fields) => ({
    processId: Number(fields[0]),
    parentId: Number(fields[1]),
    isZombie: fields[2]?.startsWith("Z") ?? true,
  }));
}

async function listProc(): Promise<readonly ProcessEntry[]> {
  const entries: ProcessEntry[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // proc(5): pid (comm) state ppid ...; comm may hold spaces and parentheses.
      const stat = await Deno.readTextFile(`/proc/${name}/stat`);
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const isZombie = state === "Z" || state === "X";
      entries.push({ processId: Number(name), parentId: Number(parent), isZombie });
    } catch {
      continue; // It ended between the listing and the reading.
    }
  }
  return entries;
}
