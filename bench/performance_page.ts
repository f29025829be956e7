/**
 * Writes docs/performance.md: what `compare.ts` measured, with what a reader must know to believe
 * it or to doubt it.
 *
 * @module
 */

import type { RunFacts } from "./performance_file.ts";
import { asMarkdown, type Table } from "./report.ts";

/** What the page says besides the tables. */
export interface PageFacts extends RunFacts {
  /** One line for each program that took part. */
  readonly programs: readonly string[];
  /** Of the last minute before anything was started. */
  readonly loadAverage: number;
  readonly scale: number;
  /** Some rows are of a new connection for each transaction. */
  readonly hasReconnects: boolean;
}

const CPU_TIME = `## Where Sluice's CPU time goes

A profile of one worker at 8 clients (\`perf\`, Deno 2.9.6), in shares of its CPU time:

| | share |
| --- | ---: |
| the kernel: sending, receiving, waiting | 52 % |
| Deno: its event loop, and a read and a write for each chunk | 34 % |
| JavaScript between them: promises, the driver | 9 % |
| Sluice's protocol logic, both directions, with its counters | 5 % |

There are two reads and two writes for each transaction, and no read finds nothing. A program of 20
lines that only copies bytes between \`Deno.Conn\`s needs 90 to 96 % of Sluice's CPU time: without
another driver there is little to win. \`bench/session_bench.ts\` measures the protocol logic alone
(below 1 µs and 16 bytes of garbage for each simple query), \`bench/framer_bench.ts\` the search for
message boundaries. The profile is of one day on a busy machine; \`--write\` does not renew it.
`;

const WORKERS = `## One worker or several

PgBouncer has one thread, so one worker is the closest comparison, and \`--workers 1\` is what
\`deno task bench\` does unless told otherwise. On two cores that the client, the database and the
proxy share, one worker reached 0.78 of PgBouncer's throughput at 8 clients (0.72 to 0.90 in 5
rounds of 6 s) and 0.67 at 32 (0.59 to 0.75); the default there, a worker a core, 0.78 at 8 (0.73
to 1.04 in 4 rounds of 3 s) and 0.92 at 32 (0.83 to 1.07), for more CPU time in all. These numbers
are of 2026-11-21 and one otherwise idle machine; \`--write\` does not renew them.
`;

/** Without this a reader would take those rows for a defect, or the others for luck. */
const RECONNECTS =
  `- Rows with \`-C\` open a connection for each transaction. PgBouncer logs clients in itself and
  hands them a server connection that is open already. Sluice has the server log each client in, so
  it opens one for each client, as a client without a proxy does: what is measured then is how fast
  PostgreSQL starts processes. Applications that connect for each query need a pool of their own.
`;

function sharingSection(table: Table): string {
  return `## Many clients on few server connections

The same queries in transaction mode: PgBouncer and Sluice log clients in themselves and lend each
transaction one of a few server connections. There is no row where a contestant cannot take part:
the server itself has no place for 1,000 clients, and PgBouncer before 1.21 loses prepared
statements between transactions.

${asMarkdown(table)}
`;
}

/** The whole page. @param sharing Transaction mode, if it was measured. */
export function performancePage(
  facts: PageFacts,
  transactions: Table,
  transfers: Table,
  sharing?: Table,
): string {
  const accounts = facts.scale * 100_000;
  const load = facts.loadAverage.toFixed(1);
  const rounds = `${facts.rounds} rounds of ${facts.seconds} s`;
  return `# Performance

<!-- Written by bench/compare.ts: \`deno task bench --write\`. Edit that, not this. -->

How much does a gateway cost? Every query now passes one more process, twice. This page measures
that on one machine, next to the same queries without anything between, and through PgBouncer,
which has been made fast over many years.

## Results

${asMarkdown(transactions)}
Each number is the median over the rounds, with the smallest and the largest in brackets. *of
PgBouncer* is the median of the ratios within each round: what disturbs the machine for a while
disturbs both, so ratios are steadier than the numbers they are made of. *CPU µs/tx* is the CPU
time of the proxy's process, user and system, for one transaction. *MiB* is its resident memory
after the run, the largest of all rounds.

${asMarkdown(transfers)}
Rows are 1,000 bytes of text each; \`psql\` throws them away.

${sharing === undefined ? "" : sharingSection(sharing)}## How it was measured

- Date: ${facts.date}
- Machine: ${facts.cpu}, ${facts.cores} cores, ${facts.kernel}
${facts.programs.map((program) => `- ${program}`).join("\n")}
- Load average when it began: ${load} (above 0.5, others were using the machine)
- Select-only \`pgbench\` on ${accounts} accounts (scale ${facts.scale}), ${rounds} for each row;
  within a round every contestant runs once, and the order changes from round to round.
- No transaction failed: a run with a failed transaction ends the benchmark.
- Unless a row says how many servers there are, PgBouncer is in session mode, as Sluice is; both
  keep a server connection for each client.
- Latencies are of a tenth of all transactions, from pgbench's own log.

Run it yourself: \`deno task bench\` (\`--quick\` for a rough answer, \`--help\` for everything). It
needs Linux, a PostgreSQL with \`pgbench\` and \`psql\`, and PgBouncer.

${CPU_TIME}
${WORKERS}
## What this does not say

- The client, the server and the proxy share the machine's cores and talk over loopback. What a
  proxy burns is taken from the other two, so throughput suffers more than it would on machines of
  their own; the network between machines would hide most of the added latency.
- PgBouncer has one thread. Sluice ran with the number of workers given above; more workers use more
  cores, which this machine may not have to give.
- Queries are as small as they get. With queries that do work, the differences disappear in it.
${facts.hasReconnects ? RECONNECTS : ""}`;
}
