/**
 * Tables of what plugins cost.
 *
 * @module
 */

import { REFERENCE } from "./measured_plugins.ts";
import { type Measurement, spreadText, type Table } from "./report.ts";
import { middleHalfOf, spreadOf, spreadOfRatios } from "./statistics.ts";

/** One run of pgbench through a gateway. */
export interface PluginMeasurement extends Measurement {
  readonly cpuMicrosecondsPerTransaction: number;
  /** Calls of plugins, by the gateway's own metrics. */
  readonly callsPerTransaction: number;
}

/** All rounds of one workload, by setup. */
export interface PluginCell {
  readonly workload: string;
  readonly rounds: ReadonlyMap<string, readonly PluginMeasurement[]>;
}

/** What calls took, each with some payload, in microseconds. */
export interface CallCost {
  readonly p50: number;
  readonly p99: number;
  /** CPU time of every process that takes part, for one call. */
  readonly cpu: number;
}

/** All rounds of one payload, by what was called. */
export interface CallCell {
  readonly payloadSize: number;
  readonly rounds: ReadonlyMap<string, readonly CallCost[]>;
}

/** Hook calls of GatewayD for one query and its answer: each traffic hook once. */
const CALLS_PER_QUERY = 4;

const NOTHING = "-";

interface Comparison {
  /** Of throughput, a round each. */
  readonly ratios: readonly number[];
  /** Microseconds of CPU that a transaction costs more. */
  readonly extra: readonly number[];
  /** The same for one call of a plugin; empty where none is called. */
  readonly extraPerCall: readonly number[];
}

function compared(
  runs: readonly PluginMeasurement[],
  references: readonly PluginMeasurement[],
): Comparison {
  const pairs = runs.map((run, round) => ({ run, reference: references[round]! }));
  const more = ({ run, reference }: typeof pairs[0]) =>
    run.cpuMicrosecondsPerTransaction - reference.cpuMicrosecondsPerTransaction;
  const ratios = pairs.map(({ run, reference }) =>
    run.transactionsPerSecond / reference.transactionsPerSecond
  );
  const extra = pairs.map(more);
  const extraPerCall = pairs.filter(({ run }) => run.callsPerTransaction > 0)
    .map((pair) => more(pair) / pair.run.callsPerTransaction);
  return { ratios, extra, extraPerCall };
}

/** A row for each setup, over all workloads: the median, and the middle half of all rounds. */
export function pluginSummary(cells: readonly PluginCell[]): Table {
  const names = [...cells[0]?.rounds.keys() ?? []];
  const rows = names.map((name) => {
    const all = cells.map(({ rounds }) => compared(rounds.get(name)!, rounds.get(REFERENCE)!));
    const text = (pick: (one: Comparison) => readonly number[], digits: number) => {
      const values = all.flatMap(pick);
      const isNothing = name === REFERENCE || values.length === 0;
      return isNothing ? NOTHING : spreadText(middleHalfOf(values), digits);
    };
    const rounds = String(all.flatMap(({ ratios }) => ratios).length);
    return [
      name,
      rounds,
      text(({ ratios }) => ratios, 3),
      text(({ extra }) => extra, 2),
      text(({ extraPerCall }) => extraPerCall, 2),
    ];
  });
  return {
    header: ["gateway", "runs", "throughput", "more CPU µs/tx", "more CPU µs/call"],
    rows,
  };
}

/** A row for each workload and setup. */
export function pluginTable(cells: readonly PluginCell[]): Table {
  const header = ["workload", "gateway", "tps", "of disabled", "CPU µs/tx", "more µs/tx"];
  header.push("calls/tx", "more µs/call", "p99 ms");
  const rows = cells.flatMap(({ workload, rounds }) =>
    [...rounds].map(([name, runs]) => {
      const { ratios, extra, extraPerCall } = compared(runs, rounds.get(REFERENCE)!);
      const isReference = name === REFERENCE;
      return [
        workload,
        name,
        spreadText(spreadOf(runs.map((run) => run.transactionsPerSecond)), 0),
        isReference ? NOTHING : spreadText(spreadOf(ratios), 2),
        spreadOf(runs.map((run) => run.cpuMicrosecondsPerTransaction)).median.toFixed(1),
        isReference ? NOTHING : spreadText(spreadOf(extra), 1),
        spreadOf(runs.map((run) => run.callsPerTransaction)).median.toFixed(1),
        extraPerCall.length === 0 ? NOTHING : spreadOf(extraPerCall).median.toFixed(1),
        spreadOf(runs.map((run) => run.p99Ms)).median.toFixed(2),
      ];
    })
  );
  return { header, rows };
}

/** Sessions in memory: microseconds of user CPU for a query, a round each, by setup. */
export function memoryTable(rounds: ReadonlyMap<string, readonly number[]>): Table {
  const references = rounds.get(REFERENCE)!;
  const rows = [...rounds].map(([name, values]) => [
    name,
    spreadText(spreadOf(values), 2),
    name === REFERENCE
      ? NOTHING
      : spreadText(spreadOf(values.map((value, round) => value - references[round]!)), 2),
  ]);
  return { header: ["session in memory", "CPU µs/query", "more than disabled"], rows };
}

/** Calls of hooks. @param fastest Name of whom the others are compared with. */
export function callTable(cells: readonly CallCell[], fastest: string): Table {
  const header = ["payload", "a call of", "p50 µs", "p99 µs", "CPU µs", "p50, times"];
  header.push(`p50 µs, ${CALLS_PER_QUERY} calls`);
  const rows = cells.flatMap(({ payloadSize, rounds }) => {
    const references = rounds.get(fastest)!.map(({ p50 }) => p50);
    return [...rounds].map(([name, costs]) => {
      const middle = (pick: (cost: CallCost) => number) => spreadOf(costs.map(pick)).median;
      const p50 = costs.map((cost) => cost.p50);
      return [
        `${payloadSize} B`,
        name,
        spreadText(spreadOf(p50), 2),
        middle((cost) => cost.p99).toFixed(2),
        middle((cost) => cost.cpu).toFixed(2),
        name === fastest ? NOTHING : spreadOfRatios(p50, references).median.toFixed(0),
        (CALLS_PER_QUERY * spreadOf(p50).median).toFixed(1),
      ];
    });
  });
  return { header, rows };
}
