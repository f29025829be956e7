/**
 * Who takes part: Sluice with each of its drivers, the server itself, and the peers that this
 * machine has. Which of them can do what, and how each is set up, in words for the page.
 *
 * @module
 */

import type { EmbeddedPostgres } from "../../src/cli/demo/embedded_postgres.ts";
import { messageOf } from "../../src/base/errors.ts";
import { chooseDriver } from "../../src/net/choose_driver.ts";
import { libC } from "../../src/net/native/libc.ts";
import type { DriverKind } from "../../src/net/net_thread.ts";
import type { Cell } from "../cells.ts";
import { findProgram, firstLine } from "./find_program.ts";
import { startHaproxy } from "./haproxy.ts";
import { startOdyssey } from "./odyssey.ts";
import { startPgagroal } from "./pgagroal.ts";
import { keepsStatements, startPgBouncer } from "./pgbouncer.ts";
import { startPgpool } from "./pgpool.ts";
import type { PeerSetting, PoolMode, RunningProxy } from "./running_proxy.ts";
import { describeSluice, type SluiceProgram, startSluicePeer } from "./sluice.ts";

/** One row of each table. */
export interface Subject {
  readonly name: string;
  readonly modes: readonly PoolMode[];
  /** Can be told to use more than one core. */
  readonly isScaling: boolean;
  /** Why it cannot do a cell's work, in half a sentence; undefined if it can. */
  readonly cannot: (cell: Cell) => string | undefined;
  readonly start: (setting: PeerSetting) => Promise<RunningProxy>;
}

/** Who is there, and who is not. */
export interface Lineup {
  readonly subjects: readonly Subject[];
  /** One line for each program that takes part, with its version. */
  readonly programs: readonly string[];
  /** One line for each peer that does not, with what to do about it. */
  readonly missing: readonly string[];
}

/** A program that is compared with Sluice. */
interface Peer {
  readonly name: string;
  /** Its executable. */
  readonly program: string;
  /** What to do without it. */
  readonly installation: string;
  readonly versionArguments: readonly string[];
  readonly subjects: (program: string, version: string) => readonly Subject[];
}

const BOTH: readonly PoolMode[] = ["session", "transaction"];
const NOT_IN_DEBIAN = "not in Debian 12, and used if it is on the search path";

const able = () => undefined;

/** Whoever gives each client a server connection cannot have thousands that wait. */
const idleNeedsServers = ({ kind }: Cell) =>
  kind === "idle" ? "each idle client needs a server connection, too" : undefined;

const PEERS: readonly Peer[] = [
  {
    name: "PgBouncer",
    program: "pgbouncer",
    installation: "apt-get install pgbouncer",
    versionArguments: ["--version"],
    subjects: (program, version) => [{
      name: "pgbouncer",
      modes: BOTH,
      isScaling: true,
      cannot: ({ mode, protocol }) =>
        mode === "transaction" && protocol === "prepared" && !keepsStatements(version)
          ? "before 1.21 it loses prepared statements between transactions"
          : undefined,
      start: (setting) => startPgBouncer(program, version, setting),
    }],
  },
  {
    name: "HAProxy",
    program: "haproxy",
    installation: "apt-get install haproxy",
    versionArguments: ["-v"],
    subjects: (program) => [{
      name: "haproxy",
      modes: ["session"],
      isScaling: true,
      cannot: idleNeedsServers,
      start: (setting) => startHaproxy(program, setting),
    }],
  },
  {
    name: "Pgpool-II",
    program: "pgpool",
    installation: "apt-get install pgpool2",
    versionArguments: ["--version"],
    subjects: (program) => [{
      name: "pgpool",
      modes: ["session"],
      isScaling: false,
      cannot: idleNeedsServers,
      start: (setting) => startPgpool(program, setting),
    }],
  },
  {
    name: "pgagroal",
    program: "pgagroal",
    installation: NOT_IN_DEBIAN,
    versionArguments: ["--version"],
    subjects: (program) =>
      (["performance", "session"] as const).map((pipeline) => ({
        name: `pgagroal-${pipeline}`,
        modes: ["session"],
        isScaling: false,
        cannot: (cell) =>
          cell.kind === "tls" && pipeline === "performance"
            ? "this pipeline has no TLS"
            : idleNeedsServers(cell),
        start: (setting) => startPgagroal(program, pipeline, setting),
      })),
  },
  {
    name: "Odyssey",
    program: "odyssey",
    installation: NOT_IN_DEBIAN,
    versionArguments: ["--version"],
    subjects: (program) => [{
      name: "odyssey",
      modes: BOTH,
      isScaling: true,
      cannot: able,
      start: (setting) => startOdyssey(program, setting),
    }],
  },
];

/** Sluice's drivers, each a row of its own where it works. */
const DRIVERS: readonly DriverKind[] = ["deno", "epoll", "io_uring"];

/** Every name that `--subjects` knows, in the order of the tables' rows. */
export const SUBJECT_NAMES = [
  "direct",
  "pgbouncer",
  "haproxy",
  "pgpool",
  "pgagroal-performance",
  "pgagroal-session",
  "odyssey",
  "sluice-deno",
  "sluice-epoll",
  "sluice-io_uring",
] as const;

/** True for Sluice itself, whose goals the others set. */
export function isSluice(name: string): boolean {
  return name.startsWith("sluice-");
}

/** How everybody is set up, for the page: a line each. */
export const CONFIGURATIONS: readonly string[] = [
  "All: on 127.0.0.1 on both sides, no TLS to the server, no log of connections, logins without " +
  "passwords on both sides, and pools of the same size: in session mode a few more than there " +
  "are clients, in transaction mode the number above. One worker each, except where a row says " +
  "more.",
  "PgBouncer: one process, which has one thread; `pool_mode` as the table's. Several workers are " +
  "several processes on one port (`so_reuseport`), which in transaction mode divide the pool.",
  "HAProxy: `mode tcp`, `nbthread 1`. It knows nothing of PostgreSQL, so it opens a server " +
  "connection for each client and passes TLS on to the server, which ends it.",
  "Pgpool-II: `backend_clustering_mode = raw`, with as many children as the others have server " +
  "connections, and nothing of what it can do for several servers. It has a process for each " +
  "client, hence all cores, and TLS on both sides or on none.",
  "pgagroal: the pipelines `performance` and `session`; a process for each client, hence all " +
  "cores. Its pipeline `transaction` needs users' passwords, encrypted with a key in the home " +
  "folder of who runs it, where a benchmark has no business: it is left out.",
  "Odyssey: `workers 1`; in transaction mode with `pool_reserve_prepared_statement`.",
  "Sluice: `runtime.workers: 1`, with `runtime.driver: deno`, with `epoll` and with `io_uring`; " +
  "`auth.method: trust`, so that it keeps server connections for the next client as the others do.",
];

/** Looks for all of them. @param chosen Names of subjects; undefined for everybody. */
export async function findSubjects(
  postgres: Pick<EmbeddedPostgres, "port" | "version">,
  sluice: SluiceProgram,
  chosen: readonly string[] | undefined,
): Promise<Lineup> {
  const programs = [`PostgreSQL ${postgres.version}, settings as initdb makes them`];
  const missing: string[] = [];
  const subjects: Subject[] = [directSubject(postgres)];
  for (const { name, program, installation, versionArguments, subjects: make } of PEERS) {
    const path = await findProgram(program);
    if (path === undefined) {
      missing.push(`${name}: ${installation}`);
      continue;
    }
    const version = await firstLine(path, versionArguments)
      .catch((error) => `${name}, version unknown: ${messageOf(error)}`);
    programs.push(version.replace(/ - https?:.*$/, ""));
    subjects.push(...make(path, version));
  }
  programs.push(await describeSluice(sluice));
  for (const driver of DRIVERS) {
    const subject = sluiceSubject(sluice, driver);
    const why = driver === "deno" ? undefined : await whyNot(driver);
    if (why === undefined) subjects.push(subject);
    else missing.push(`${subject.name}: ${why}`);
  }
  const isChosen = ({ name }: Subject) => chosen?.includes(name) ?? true;
  return { subjects: subjects.filter(isChosen), programs, missing };
}

/** Why a driver cannot take part on this machine; undefined if it passes its self-test. */
async function whyNot(driver: Exclude<DriverKind, "deno">): Promise<string | undefined> {
  const chosen = await chooseDriver("auto", 1, libC, [driver]);
  return chosen.driver === driver ? undefined : chosen.reason;
}

/** The server as it is, for what a proxy adds to it. */
function directSubject({ port }: Pick<EmbeddedPostgres, "port">): Subject {
  return {
    name: "direct",
    modes: ["session"],
    isScaling: false,
    cannot: idleNeedsServers,
    start: ({ tls }) =>
      Promise.resolve({
        name: "direct",
        port,
        processIds: [],
        isEncrypted: tls !== undefined,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  };
}

function sluiceSubject(sluice: SluiceProgram, driver: DriverKind): Subject {
  return {
    name: `sluice-${driver}`,
    modes: BOTH,
    isScaling: true,
    cannot: able,
    start: (setting) => startSluicePeer(driver, sluice, setting),
  };
}

/** One row of a cell: a subject with a number of workers. */
export interface Entry {
  /** The subject's name; with several workers, those too. */
  readonly name: string;
  readonly subject: Subject;
  readonly workers: number;
}

/** Who has a row in a cell, those included that cannot do its work. */
export function entriesOf(cell: Cell, subjects: readonly Subject[]): Entry[] {
  return subjects
    .filter(({ modes, isScaling }) =>
      modes.includes(cell.mode) && (cell.kind !== "workers" || isScaling)
    )
    .flatMap((subject) =>
      cell.workers.map((workers) => ({ name: entryName(subject.name, workers), subject, workers }))
    );
}

/** "sluice-epoll", or with more than one worker "sluice-epoll, 2 workers". */
export function entryName(subject: string, workers: number): string {
  return workers === 1 ? subject : `${subject}, ${workers} workers`;
}
