/**
 * Metrics of mirrors: what became of the copies of sessions, and how their answers compare.
 *
 * @module
 */

import { MIRROR_CELL } from "./counters.ts";
import { MIRROR_DROPS, MIRROR_RESULTS } from "./label_values.ts";
import type { GroupReading, Readings } from "./metric_readings.ts";
import type { MetricDeclaration, Sample } from "./metric_types.ts";

/** Metrics of proxies with a mirror; without samples where there are none. */
export const MIRROR_METRICS: readonly MetricDeclaration[] = [
  {
    name: "sluice_mirror_sessions_total",
    type: "counter",
    labels: ["proxy", "result"],
    help: "Sessions that were copied, by whether the mirror answered all of it.",
    read: (readings) =>
      ofEach(readings, (mirror) => [
        sample({ result: "complete" }, mirror.sum(MIRROR_CELL.complete)),
        sample({ result: "dropped" }, sum(MIRROR_DROPS.map((_, i) => dropped(mirror, i)))),
      ]),
  },
  {
    name: "sluice_mirror_dropped_total",
    type: "counter",
    labels: ["proxy", "reason"],
    help: "Copies of sessions that ended before the session, by why.",
    read: (readings) =>
      ofEach(
        readings,
        (mirror) => MIRROR_DROPS.map((reason, i) => sample({ reason }, dropped(mirror, i))),
      ),
  },
  {
    name: "sluice_mirror_requests_total",
    type: "counter",
    labels: ["proxy", "result"],
    help: "Requests of copied sessions, by how the mirror's answer compares.",
    read: (readings) =>
      ofEach(
        readings,
        (mirror) =>
          MIRROR_RESULTS.map((result, i) =>
            sample({ result }, mirror.sum(MIRROR_CELL.requests + i))
          ),
      ),
  },
  {
    name: "sluice_mirror_seconds",
    type: "histogram",
    labels: ["proxy", "side"],
    help: "Time that requests took that were compared, in seconds, on either side.",
    read: (readings) =>
      ofEach(readings, (mirror) => [
        sample({ side: "real" }, mirror.histogram(MIRROR_CELL.realSeconds)),
        sample({ side: "mirror" }, mirror.histogram(MIRROR_CELL.mirrorSeconds)),
      ]),
  },
];

function ofEach<T>(
  readings: Readings,
  read: (mirror: GroupReading) => readonly Sample<T>[],
): readonly Sample<T>[] {
  return (readings.options.layout.mirrors ?? []).flatMap((proxy) =>
    read(readings.mirror(proxy)).map(({ labels, value }) => ({
      labels: { proxy, ...labels },
      value,
    }))
  );
}

function sample<T>(labels: Readonly<Record<string, string>>, value: T): Sample<T> {
  return { labels, value };
}

function dropped(mirror: GroupReading, index: number): number {
  return mirror.sum(MIRROR_CELL.drops + index);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
