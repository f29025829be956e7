/**
 * Metrics of policies: what plugins signal, and what came of it.
 *
 * @module
 */

import { POLICY_CELL, type SignalCount } from "./act_cells.ts";
import type { Readings } from "./metric_readings.ts";
import type { MetricDeclaration, Sample } from "./metric_types.ts";

/** A cell of a policy, with the labels that it is shown under. */
type LabelledCell = readonly [cell: number, labels: Readonly<Record<string, string>>];

/** Metrics of policies and signals; none where there are no policies. */
export const ACT_METRICS: readonly MetricDeclaration[] = [
  {
    name: "sluice_act_signals_total",
    type: "counter",
    labels: ["plugin", "signal"],
    help: "Signals of plugins to policies.",
    read: signalSamples,
  },
  {
    name: "sluice_act_policy_matches_total",
    type: "counter",
    labels: ["policy", "action"],
    help: "Signals that a policy matched; those that followed defaultPolicy are policy (default).",
    read: ({ options: { act } }) =>
      (act?.policies ?? []).map(({ policy, action }, index) => ({
        labels: { policy, action },
        value: sum(act!, index, POLICY_CELL.matches),
      })),
  },
  {
    name: "sluice_act_policy_errors_total",
    type: "counter",
    labels: ["policy", "reason"],
    help: "Signals for which a policy could not do its work.",
    read: (readings) =>
      policySamples(readings, () => true, [
        [POLICY_CELL.evaluationErrors, { reason: "evaluation" }],
        [POLICY_CELL.impossibleActions, { reason: "impossible" }],
      ]),
  },
  {
    name: "sluice_act_webhooks_total",
    type: "counter",
    labels: ["policy", "result"],
    help: "Messages of webhooks, by what became of them.",
    read: (readings) =>
      policySamples(readings, (action) => action === "webhook", [
        [POLICY_CELL.webhooksDelivered, { result: "delivered" }],
        [POLICY_CELL.webhooksFailed, { result: "failed" }],
        [POLICY_CELL.webhooksDropped, { result: "dropped" }],
      ]),
  },
];

/** Where the numbers of policies are. */
type ActNumbers = NonNullable<Readings["options"]["act"]>;

function policySamples(
  { options: { act } }: Readings,
  isShown: (action: string) => boolean,
  cells: readonly LabelledCell[],
): readonly Sample<number>[] {
  return (act?.policies ?? []).flatMap(({ policy, action }, index) =>
    isShown(action)
      ? cells.map(([cell, labels]) => ({
        labels: { policy, ...labels },
        value: sum(act!, index, cell),
      }))
      : []
  );
}

function sum(act: ActNumbers, policy: number, cell: number): number {
  return act.workers().reduce((total, worker) => total + worker.policy(policy).get(cell), 0);
}

function signalSamples({ options: { act } }: Readings): readonly Sample<number>[] {
  const sums = new Map<string, SignalCount>();
  for (const worker of act?.workers() ?? []) {
    for (const { plugin, signal, count } of worker.signals()) {
      const key = `${plugin} ${signal}`;
      sums.set(key, { plugin, signal, count: count + (sums.get(key)?.count ?? 0) });
    }
  }
  return [...sums.values()].map(({ plugin, signal, count }) => ({
    labels: { plugin, signal },
    value: count,
  }));
}
