/**
 * Writes the section of docs/performance.md on plugins: what `plugins.ts` measured, with what a
 * reader must know to believe it or to doubt it.
 *
 * @module
 */

import type { RunFacts } from "./performance_file.ts";
import { asMarkdown, type Table } from "./report.ts";

/** What the section says besides the tables. */
export interface PluginsFacts extends RunFacts {
  /** What sessions in memory and single calls ran on. */
  readonly runtime: string;
  /** One line for each program that took part. */
  readonly programs: readonly string[];
  /** What could not be measured, and why. */
  readonly omissions: readonly string[];
  /** Load averages of the last minute, before anything was started and at the end. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly scale: number;
  readonly poolSize: number;
  /** How long each gateway has served each protocol before, all of them together. */
  readonly warmUpSeconds: number;
}

/** Everything that was measured. */
export interface PluginsTables {
  readonly summary: Table;
  readonly pgbench: Table;
  readonly memory: Table;
  readonly calls: Table;
}

/** The whole section. */
export function pluginsSection(facts: PluginsFacts, tables: PluginsTables): string {
  return `## What plugins cost

The goals: while no plugin is loaded, hooks cost nothing that can be measured; a plugin that looks
at each query costs less than 2 µs for each message that it is called for, and less than 3 % of the
throughput of select-only \`pgbench\`.

${asMarkdown(tables.summary)}
Over all workloads below. *throughput* is that of the gateway with \`plugins.enabled: false\` in the
same round, *more CPU* what the gateway's process needs more than that one for a transaction, and
for each call of a plugin. Each is the median, with the middle half of all runs in brackets. The
second gateway with plugins disabled is the same as the first: how far it is from 1 and from 0 is
what chance does on this machine, and no other row can be known better than that.

- *no plugin*: plugins are enabled, and there is none.
- *reads each query*: a plugin of one hook, onQuery, that reads the text byte by byte and adds to
  two metrics. It is called once for a simple query, for Parse and Execute in the extended protocol
  and once for the execution of a prepared statement.
- *reads each row*: reads each DataRow and passes it on, as a plugin that masks columns and finds
  none. Rows are looked at one by one then, which no other plugin here asks for.
- *AssemblyScript template*: the plugin that \`sluice plugin new\` makes. It may answer queries, so
  Parse and Bind are kept back until their Execute.
- *three on each query*: the reading one twice, and the template between them.

### In memory

${asMarkdown(tables.memory)}
One simple query and its answer through a session without sockets, in user CPU time: the part of
the above that is Sluice's own. All sessions are in one process, as with many clients, so that the
compiler cannot specialize the code for one of them.

### A call in the process and a call of another process

${asMarkdown(tables.calls)}
GatewayD runs each plugin as a process of its own and calls it by gRPC over a Unix socket with
mutual TLS, once for each of four hooks for a query and its answer. \`bench/grpc_plugin/\` is such a
plugin and its caller in Go, reduced to that: an event with the addresses of client and server and
the request's bytes, which comes back as it is. It parses nothing, has no registry of hooks and
shares nothing with GatewayD but the shape. *CPU* is that of both processes. Calls of Sluice's
plugins are timed one by one, too, and reading the clock twice is most of the small ones: CPU time,
measured over many calls, is without it.

### By workload

${asMarkdown(tables.pgbench)}
Medians over the rounds, with the smallest and the largest in brackets. *calls/tx* is what the
gateway itself counts (\`sluice_plugin_calls_total\`).

### How plugins were measured

- Date: ${facts.date}
- Machine: ${facts.cpu}, ${facts.cores} cores, ${facts.kernel}. It is shared: others were using it
  all the time. Load average when it began: ${facts.loadBefore.toFixed(1)}, at the end:
  ${facts.loadAfter.toFixed(1)}, which the measurement itself is a part of.
- ${facts.runtime} for what ran in memory
${facts.programs.map((program) => `- ${program}\n`).join("")}${
    facts.omissions.map((omission) => `- Left out: ${omission}\n`).join("")
  }- Select-only \`pgbench\` on ${
    facts.scale * 100_000
  } accounts, ${facts.rounds} rounds of ${facts.seconds} s for each row, all
  gateways in each round, in an order that changes; in transaction mode they have ${facts.poolSize}
  server connections each. Before, all of them together have served each protocol for
  ${facts.warmUpSeconds} s: the engine takes some 40,000 queries until it has compiled all of a
  session's path as well as it can, and the path through plugins is longer.

Run it yourself: \`deno task bench:plugins\` (\`--quick\` for a rough answer, \`--help\` for
everything). It needs Linux and a PostgreSQL with \`pgbench\`; Go for the comparison with gRPC.
`;
}
