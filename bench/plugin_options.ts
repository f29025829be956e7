/**
 * What `plugins.ts` is asked to measure: its command line.
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
import { OWN_CONNECTIONS_MAX, workloadsOf } from "./options.ts";
import { PROTOCOLS, type Workload } from "./pgbench.ts";

/** How to use it. */
export const USAGE = `Usage: deno run -A bench/plugins.ts [options]

  --parts LIST       pgbench, memory, grpc; default all three
  --mode NAME        session, transaction or both (default)
  --clients LIST     numbers of clients, default 8,32
  --pool N           server connections in transaction mode, default 8
  --protocol LIST    simple, extended, prepared; default all three
  --workers N        workers of each gateway, default 1
  --rounds N         default 5
  --seconds N        of each run, default 4
  --source           measure the source even if there is an executable
  --quick            2 rounds of 2 seconds with 8 clients, unless said otherwise
  --write            write the section of docs/performance.md; with all parts only

SLUICE_BINARY names the executable to measure; without it dist/sluice is, if it is there, and else
the source, run by this Deno. What needs Go or the AssemblyScript compiler is left out without it.
`;

const PARTS = ["pgbench", "memory", "grpc"] as const;
const MODES = ["session", "transaction"] as const;

/** What to measure. */
export interface PluginOptions extends RunOptions {
  readonly parts: readonly typeof PARTS[number][];
  readonly modes: readonly typeof MODES[number][];
  readonly workloads: readonly Workload[];
  /** Server connections of each gateway in transaction mode. */
  readonly poolSize: number;
}

/** Reads the command line. @throws {BenchError} If an argument is wrong. */
export function pluginOptionsOf(args: readonly string[]): PluginOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      parts: { type: "string", default: PARTS.join() },
      mode: { type: "string", default: "both" },
      clients: { type: "string" },
      pool: { type: "string", default: "8" },
      protocol: { type: "string", default: PROTOCOLS.join() },
      ...RUN_OPTIONS,
    },
  });
  const parts = values.parts.split(",").map((part) => oneOf("--parts", part, PARTS));
  const mode = oneOf("--mode", values.mode, [...MODES, "both"]);
  if (values.write && PARTS.some((part) => !parts.includes(part))) {
    throw new BenchError("--write needs all parts: the section has all of their tables");
  }
  const run = runOptionsOf(values, { rounds: 5, seconds: 4 });
  const clients = values.clients ?? (values.quick ? "8" : "8,32");
  return {
    ...run,
    parts,
    modes: mode === "both" ? MODES : [mode],
    workloads: workloadsOf(clients, values.protocol, run.seconds, OWN_CONNECTIONS_MAX),
    poolSize: wholeNumber("--pool", values.pool),
  };
}
