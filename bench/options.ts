/**
 * What `compare.ts` is asked to measure: its command line.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  BenchError,
  oneOf,
  RUN_OPTIONS,
  type RunOptions,
  runOptionsOf,
  wholeNumber,
} from "./command.ts";
import type { Workload } from "./pgbench.ts";

/** How to use it. */
export const USAGE = `Usage: deno run -A bench/compare.ts [options]

  --mode NAME        session (default), transaction or both
  --clients LIST     numbers of clients, default 1,8,32; in transaction mode 100,1000
  --pool LIST        numbers of server connections in transaction mode, default 10,20
  --protocol LIST    simple, extended, prepared; default simple, in transaction mode all three
  --connect          also measure a new connection for each transaction (session mode)
  --workers N        Sluice's workers, default 1, since PgBouncer has one thread
  --rounds N         default 5
  --seconds N        of each run, default 6
  --source           measure the source even if there is an executable
  --quick            2 rounds of 2 seconds, unless said otherwise
  --write            write docs/performance.md; not with --mode transaction

SLUICE_BINARY names the executable to measure; without it dist/sluice is, if it is there, and else
the source, run by this Deno.
`;

/** Clients that have a server connection each are fewer than this: PostgreSQL has as many. */
export const OWN_CONNECTIONS_MAX = 240;

/** Connect storms above this only measure how PostgreSQL starts processes. */
const CONNECT_CLIENTS = 8;

/** More than this no proxy here lets in. */
const CLIENTS_MAX = 1_900;

/** How pgbench can send queries. */
export const PROTOCOLS = ["simple", "extended", "prepared"] as const;
const MODES = ["session", "transaction", "both"] as const;

/** What to measure. */
export interface Options extends RunOptions {
  /** Each client with a server connection of its own. */
  readonly workloads: readonly Workload[];
  /** Clients that share server connections. */
  readonly sharing: readonly SharingWorkloads[];
}

/** Workloads through the same pools. */
export interface SharingWorkloads {
  /** Server connections of each proxy. */
  readonly poolSize: number;
  readonly workloads: readonly Workload[];
}

/** Reads the command line. @throws {BenchError} If an argument is wrong. */
export function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mode: { type: "string", default: "session" },
      clients: { type: "string" },
      pool: { type: "string", default: "10,20" },
      protocol: { type: "string" },
      connect: { type: "boolean", default: false },
      ...RUN_OPTIONS,
    },
  });
  const mode = oneOf("--mode", values.mode, MODES);
  const run = runOptionsOf(values, 6);
  const { seconds } = run;
  const of = (clients: string, protocols: string, max: number) =>
    workloadsOf(values.clients ?? clients, values.protocol ?? protocols, seconds, max);
  const own = mode === "transaction" ? [] : of("1,8,32", "simple", OWN_CONNECTIONS_MAX);
  const shared = mode === "session" ? [] : of("100,1000", PROTOCOLS.join(), CLIENTS_MAX);
  const poolSizes = values.pool.split(",").map((text) => wholeNumber("--pool", text));
  if (values.write && mode === "transaction") {
    throw new BenchError("--write needs --mode session or --mode both: the page has both tables");
  }
  if (values.connect && mode !== "transaction") {
    own.push({ clients: CONNECT_CLIENTS, seconds, protocol: "simple", reconnects: true });
  }
  return {
    ...run,
    workloads: own,
    sharing: shared.length === 0
      ? []
      : poolSizes.map((poolSize) => ({ poolSize, workloads: shared })),
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
    const count = wholeNumber("--clients", text);
    if (count >= clientsMax) throw new BenchError(`--clients must be below ${clientsMax}`);
    return protocols.split(",").map((name): Workload => ({
      clients: count,
      seconds,
      protocol: oneOf("--protocol", name, PROTOCOLS),
      reconnects: false,
    }));
  });
}
