/**
 * Writes docs/performance.md: what `compare.ts` measured, with what a reader must know to believe
 * it or to doubt it.
 *
 * @module
 */

import {
  CELL_KINDS,
  type CellKind,
  COMPILING_QUERIES,
  FEW_CLIENTS,
  KIND_TITLES,
  WARM_UP_SECONDS,
} from "./cells.ts";
import { comparisonTable } from "./comparison_tables.ts";
import { CONFIGURATIONS } from "./peers/peers.ts";
import type { RunFacts } from "./performance_file.ts";
import { asMarkdown } from "./report.ts";
import type { CellResult } from "./results.ts";
import { explanationsOf, type Group, groupsOf, summaryTable } from "./summary.ts";

/** What the page says besides the tables. */
export interface PageFacts extends RunFacts {
  /** One line for each program that took part. */
  readonly programs: readonly string[];
  /** One line for each peer that did not. */
  readonly missing: readonly string[];
  /** Of the last minute before anything was started. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly scale: number;
  /** Server connections in transaction mode. */
  readonly poolSize: number;
  /** Who was chosen to take part; undefined for everybody who was there. */
  readonly subjects: readonly string[] | undefined;
}

/** What the tables of a kind need to be read. */
const NOTES: Readonly<Partial<Record<CellKind, string>>> = {
  prepared: `Each client prepares its statement once, and executes it in each transaction.`,
  connect: `\`pgbench -C\`: each transaction has a connection of its own. Latencies are from the
end of one transaction of a client to the end of its next, the connecting included, and each client
has a thread of \`pgbench\`'s.`,
  tls: `Clients connect with TLS (\`sslmode=require\`, a certificate with a P-256 key). HAProxy
passes it on to the server, and Pgpool-II speaks TLS to the server, too.`,
  workers: `Who can use more than one core, with one worker and with several, simple protocol. The
client, the server and whatever is measured share this machine's cores, so growth ends early.`,
  large: `\`psql\` gets rows of 1,000 bytes of text each and throws them away; MB are 10^6 bytes of
text.`,
  idle: `By how much the memory of all of a subject's processes grows for each client that has
logged in and waits, 15 s after the last of them and not counting the first 100; and all of it in
the end, in a third of the rounds. What the kernel keeps for sockets is not in it.`,
};

const CPU_TIME = `## Where the driver deno's CPU time goes

A profile of one worker with \`runtime.driver: deno\` at 8 clients (\`perf\`, Deno 2.9.6), in shares
of its CPU time:

| | share |
| --- | ---: |
| the kernel: sending, receiving, waiting | 52 % |
| Deno: its event loop, and a read and a write for each chunk | 34 % |
| JavaScript between them: promises, the driver | 9 % |
| Sluice's protocol logic, both directions, with its counters | 5 % |

There are two reads and two writes for each transaction, and no read finds nothing. A program of 20
lines that only copies bytes between \`Deno.Conn\`s needs 90 to 96 % of that CPU time: what can be
won there is won by the driver epoll, which calls Linux itself. \`bench/session_bench.ts\` measures
the protocol logic alone (below 1 µs and 16 bytes of garbage for each simple query),
\`bench/framer_bench.ts\` the search for message boundaries. The profile is of one day on a busy
machine; \`--write\` does not renew it.
`;

function groupText({ mode, results }: Group, poolSize: number): string {
  const pool = mode === "transaction" ? `, ${poolSize} server connections` : "";
  const name = mode === "transaction" ? "Transaction" : "Session";
  return `### ${name} mode${pool}\n\n${asMarkdown(comparisonTable(results))}`;
}

function kindText(kind: CellKind, groups: readonly Group[], poolSize: number): string {
  const note = NOTES[kind] === undefined ? "" : `${NOTES[kind]}\n\n`;
  const tables = groups.map((group) => groupText(group, poolSize)).join("\n");
  return `## ${KIND_TITLES[kind]}\n\n${note}${tables}`;
}

function tablesText(results: readonly CellResult[], poolSize: number): string {
  const groups = groupsOf(results);
  return CELL_KINDS
    .map((kind) => ({ kind, its: groups.filter((group) => group.kind === kind) }))
    .filter(({ its }) => its.length > 0)
    .map(({ kind, its }) => kindText(kind, its, poolSize))
    .join("\n");
}

function notWonText(results: readonly CellResult[]): string {
  const reasons = explanationsOf(results);
  if (reasons === "") return "";
  return `## What is not won, and why

Only what was lost in this run is here. Ratios are of Sluice to the other.

${reasons}

`;
}

/** One line for each thing that this run has not measured. */
function omissionsOf(facts: PageFacts, results: readonly CellResult[]): readonly string[] {
  const kinds = new Set(results.map(({ cell }) => cell.kind));
  const absent = CELL_KINDS.filter((kind) => !kinds.has(kind)).map((kind) => KIND_TITLES[kind]);
  return [
    ...facts.missing.map((peer) => `Did not take part: ${peer}`),
    ...absent.length === 0 ? [] : [`Not measured in this run: ${absent.join(", ").toLowerCase()}`],
    ...facts.subjects === undefined ? [] : [`Only these took part: ${facts.subjects.join(", ")}`],
  ];
}

/** How the numbers came to be, a line each. */
function methodsOf({ scale, rounds, seconds }: PageFacts): readonly string[] {
  return [
    `Select-only \`pgbench\` on ${scale * 100_000} accounts (scale ${scale}), ${rounds} rounds ` +
    `of ${seconds} s for each row, after ${WARM_UP_SECONDS} s of the same that does not count; ` +
    `before that Sluice has answered ${COMPILING_QUERIES} queries for each worker, since its ` +
    "engine takes some 40,000 until it has compiled all of a session's path as well as it can",
    "Within a round everybody runs once, one after the other, and the order changes from round " +
    "to round; where all their clients together would be too many for the server, each is " +
    "started for its run and stopped behind it",
    `In session mode with more than ${FEW_CLIENTS} clients each of them has its server ` +
    "connection before anything is counted: a warm-up holds all of them at the same time",
    "A run with a failed transaction is a failure, and so is one that hangs",
    "p50, p99 and p999 are exact: `pgbench` logs every transaction (`--log`), and the latencies " +
    "of a run are sorted",
    "CPU time is utime and stime of all threads of all processes of the proxy, from " +
    "/proc/PID/stat: when `pgbench` begins to log transactions, and again after four fifths of " +
    "the run, divided by the transactions that the log has in between, so that the clients' " +
    "logging in and out is not in it (but with `-C` it is); memory is their Pss after the run",
  ];
}

function methodText(facts: PageFacts, results: readonly CellResult[]): string {
  const [before, after] = [facts.loadBefore, facts.loadAfter].map((load) => load.toFixed(1));
  const lines = [
    `Date: ${facts.date}`,
    `Machine: ${facts.cpu}, ${facts.cores} cores, ${facts.kernel}`,
    ...facts.programs,
    ...omissionsOf(facts, results),
    `Load average when it began: ${before} (above 0.5, others were using the machine), at the ` +
    `end: ${after}, which the measurement is a part of`,
    ...methodsOf(facts),
  ];
  const list = (texts: readonly string[]) => texts.map((text) => `- ${text}`).join("\n");
  return `## How it was measured

${list(lines)}

How everybody is set up:

${list(CONFIGURATIONS)}

Run it yourself: \`deno task bench\` (\`--quick\` for a rough answer, \`--full\` for every
number of clients, \`--help\` for everything). It needs Linux, a PostgreSQL with \`pgbench\` and
\`psql\`, and whichever peers there are.
`;
}

/** The whole page. */
export function performancePage(facts: PageFacts, results: readonly CellResult[]): string {
  return `# Performance

<!-- Written by bench/compare.ts: \`deno task bench --write\`. Edit that, not this. -->

How much does a gateway cost? Every query now passes one more process, twice. This page measures
that on one machine, next to the same queries without anything between, and through other proxies
and poolers, of which PgBouncer has been made fast over many years.

## Summary

${asMarkdown(summaryTable(results))}
Sluice has won a cell if it is ahead of every peer in throughput and in p99, and takes at most 0.65
of PgBouncer's CPU time for a transaction; large results if it is ahead in MB/s; idle clients if it
is ahead in memory. Cells in which no peer can take part do not count. *deno*, *epoll* and
*io_uring* are its drivers: *deno* works on every system, *epoll* on Linux, *io_uring* on Linux 6.1
and newer where it is allowed.

In all tables each number is the median over the rounds, with their middle half in brackets. *of
PgBouncer* is the median of the ratios within each round: what disturbs the machine for a while
disturbs both, so ratios are steadier than the numbers they are made of. *CPU µs/tx* is the CPU
time of all of the proxy's processes, user and system, for one transaction, and *MiB* their memory
after the run. *direct* is the server without anything between, and nobody's goal.

${tablesText(results, facts.poolSize)}
${notWonText(results)}${methodText(facts, results)}
${CPU_TIME}
## What this does not say

- The client, the server and the proxy share the machine's cores and talk over loopback. What a
  proxy burns is taken from the other two, so throughput suffers more than it would on machines of
  their own; the network between machines would hide most of the added latency.
- PgBouncer has one thread, and everybody else one worker where that can be chosen. Pgpool-II and
  pgagroal have a process for each client, which uses all cores.
- Queries are as small as they get. With queries that do work, the differences disappear in it.
`;
}
