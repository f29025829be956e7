/**
 * What `compare.ts` is asked to measure: its command line.
 *
 * @module
 */

import { parseArgs } from "node:util";
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
export interface Options {
  /** Each client with a server connection of its own. */
  readonly workloads: readonly Workload[];
  /** Clients that share server connections. */
  readonly sharing: readonly SharingWorkloads[];
  readonly workers: number;
  readonly isFromSource: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly isWriting: boolean;
}

/** Workloads through the same pools. */
export interface SharingWorkloads {
  /** Server connections of each proxy. */
  readonly poolSize: number;
  readonly workloads: readonly Workload[];
}

/** A wrong argument or a missing program: said in one line, not with a stack. */
export class BenchError extends Error {
  override readonly name = "BenchError";
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
      workers: { type: "string", default: "1" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      source: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const mode = oneOf("--mode", values.mode, MODES);
  const seconds = wholeNumber("--seconds", values.seconds ?? (values.quick ? "2" : "6"));
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
    workloads: own,
    sharing: shared.length === 0
      ? []
      : poolSizes.map((poolSize) => ({ poolSize, workloads: shared })),
    workers: wholeNumber("--workers", values.workers),
    isFromSource: values.source,
    rounds: wholeNumber("--rounds", values.rounds ?? (values.quick ? "2" : "5")),
    seconds,
    isWriting: values.write,
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

/** @throws {BenchError} If `text` is none of the choices. */
export function oneOf<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new BenchError(`${option} must be one of ${choices.join(", ")}, and is ${text}`);
}

/** @throws {BenchError} If `text` is no number from 1 to 9999. */
export function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new BenchError(`${option} must be a whole number from 1 to 9999, and is ${text}`);
  }
  return Number(text);
}
