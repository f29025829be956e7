/**
 * What `compare.ts` is asked to measure: its command line.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { CELL_KINDS, type CellChoice } from "./cells.ts";
import {
  BenchError,
  oneOf,
  RUN_OPTIONS,
  type RunOptions,
  runOptionsOf,
  wholeNumber,
} from "./command.ts";
import { SUBJECT_NAMES } from "./peers/peers.ts";
import { PROTOCOLS, type Workload } from "./pgbench.ts";

/** How to use it. */
export const USAGE = `Usage: deno run -A bench/compare.ts [options]

Compares Sluice, with each of its drivers, with a direct connection and with the peers that this
machine has, in session and in transaction mode. It installs nothing: it says which peers it has
found, which package has the others, and how long it will take, before it starts.

  --cells LIST       what to measure, default all:
                       simple    select-only pgbench, by each number of clients
                       extended  the same in the extended protocol
                       prepared  the same with prepared statements
                       connect   a new connection for each transaction (pgbench -C)
                       tls       TLS between the clients and the subject
                       workers   one worker, and --workers of them
                       large     MB/s of COPY and of a 100 MB SELECT, by one client
                       idle      memory for each of --idle clients that have logged in and wait
  --mode NAME        session, transaction or both (default)
  --clients LIST     numbers of clients, below 5000; default 1,8,32,100,1000 for simple, 32 for
                     workers, 8 for others, in transaction mode also 100 for extended and
                     100,1000 for prepared
  --full             1,8,32,100,1000 for extended and prepared, too, 8,32 for connect and 8,100
                     for tls
  --subjects LIST    who takes part, default everybody who is there:
                       ${SUBJECT_NAMES.slice(0, 5).join(", ")},
                       ${SUBJECT_NAMES.slice(5).join(", ")}
  --pool N           server connections of each subject in transaction mode, default 10
  --idle N           idle clients, default 5000
  --workers N        default the number of cores
  --rounds N         default 3
  --seconds N        of each run, default 2
  --source           measure the source even if there is an executable
  --quick            2 rounds with 8 and 100 clients, 500 idle ones, unless said otherwise
  --write            write docs/performance.md, with what was measured and what was not

In each round every subject does the cell's work once, and the order changes from round to round.
Tables appear as cells are done. What fails is said in its cell, and the rest goes on.

What fails its self-test on this machine, as io_uring may, is left out, and the reason is said.
To compare two drivers within a minute:

  deno task bench --subjects sluice-epoll,sluice-io_uring --cells simple --clients 8 --mode session

SLUICE_BINARY names the executable to measure; without it dist/sluice is, if it is there, and else
the source, run by this Deno.
`;

/** Clients that have a server connection each are fewer than this, where PostgreSQL has as many. */
export const OWN_CONNECTIONS_MAX = 240;

/** pgbench holds them all in one process. */
const CLIENTS_MAX = 5_000;

const MODES = ["session", "transaction"] as const;

/** What to measure. */
export interface Options extends RunOptions, CellChoice {
  /** Server connections in transaction mode. */
  readonly poolSize: number;
  /** Undefined for everybody. */
  readonly subjects: readonly string[] | undefined;
}

/** Reads the command line. @throws {BenchError} If an argument is wrong. */
export function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...RUN_OPTIONS,
      cells: { type: "string" },
      mode: { type: "string", default: "both" },
      clients: { type: "string" },
      subjects: { type: "string" },
      pool: { type: "string", default: "10" },
      full: { type: "boolean", default: false },
      idle: { type: "string" },
      workers: { type: "string", default: String(navigator.hardwareConcurrency) },
    },
  });
  const run = runOptionsOf(values, { rounds: 3, seconds: 2 });
  const mode = oneOf("--mode", values.mode, [...MODES, "both"]);
  const kinds = (values.cells ?? CELL_KINDS.join()).split(",")
    .map((kind) => oneOf("--cells", kind, CELL_KINDS));
  const clients = values.clients ?? (values.quick ? "8,100" : undefined);
  return {
    ...run,
    kinds: CELL_KINDS.filter((kind) => kinds.includes(kind)),
    modes: mode === "both" ? MODES : [mode],
    clients: clients?.split(",").map((text) => numberBelow("--clients", text, CLIENTS_MAX)),
    subjects: values.subjects?.split(",")
      .map((name) => oneOf("--subjects", name, SUBJECT_NAMES)),
    poolSize: wholeNumber("--pool", values.pool),
    isFull: values.full,
    idleClients: wholeNumber("--idle", values.idle ?? (values.quick ? "500" : "5000")),
    workersMax: run.workers,
  };
}

/** Every number of clients with every protocol. @throws {BenchError} If one is wrong. */
export function workloadsOf(
  clients: string,
  protocols: string,
  seconds: number,
  clientsMax: number,
): Workload[] {
  return clients.split(",").flatMap((text) => {
    const count = numberBelow("--clients", text, clientsMax);
    return protocols.split(",").map((name): Workload => ({
      clients: count,
      seconds,
      protocol: oneOf("--protocol", name, PROTOCOLS),
      reconnects: false,
    }));
  });
}

function numberBelow(option: string, text: string, bound: number): number {
  const number = wholeNumber(option, text);
  if (number >= bound) throw new BenchError(`${option} must be below ${bound}`);
  return number;
}
