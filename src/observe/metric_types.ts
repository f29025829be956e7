/**
 * What a metric is made of, and the usual ways to make one from the cells of listeners and pools.
 *
 * @module
 */

import type { Histogram } from "./counters.ts";
import type { Readings } from "./metric_readings.ts";

/** Label names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** One series as read now. */
export interface Sample<T> {
  readonly labels: Labels;
  readonly value: T;
}

interface Declared {
  readonly name: string;
  readonly labels: readonly string[];
  /** What is counted, with its unit. */
  readonly help: string;
}

/** A metric with one number a series. */
export interface NumberMetric extends Declared {
  readonly type: "counter" | "gauge";
  readonly read: (readings: Readings) => readonly Sample<number>[];
}

/** A metric with one histogram a series. */
export interface HistogramMetric extends Declared {
  readonly type: "histogram";
  readonly read: (readings: Readings) => readonly Sample<Histogram>[];
}

/** Any metric. */
export type MetricDeclaration = NumberMetric | HistogramMetric;

interface Found<Type, T> {
  readonly name: string;
  readonly type: Type;
  /** What is counted. */
  readonly help: string;
  readonly samples: readonly Sample<T>[];
}

/** A metric as read now of which nobody knew before that it is there: no declaration has it. */
export type FoundMetric = Found<"counter" | "gauge", number> | Found<"histogram", Histogram>;

/** Whatever has metrics that are not declared, as plugins do. */
export interface MetricSource {
  /**
   * All of them, as they are now. What is given must make a valid exposition: no two have one name
   * or one of the names of a histogram's series, none has a name that Sluice has declared, and no
   * two samples of one have the same labels.
   */
  read(): readonly FoundMetric[];
}

/** A label of a metric, and the cell of each of its values. */
export interface LabelCells {
  readonly label: string;
  readonly cells: readonly (readonly [value: string, cell: number])[];
}

/** A label whose values have cells of their own, by value. */
export function labelled(label: string, cells: Readonly<Record<string, number>>): LabelCells {
  return { label, cells: Object.entries(cells) };
}

/** A label whose values are a list, with the first one's cell; as labels, spaces become "_". */
export function listed(label: string, values: readonly string[], firstCell: number): LabelCells {
  return {
    label,
    cells: values.map((value, index) => [value.replaceAll(" ", "_"), firstCell + index]),
  };
}

/** A number for each listener: of one cell, or for each value of a label. */
export function listenerNumber(
  type: NumberMetric["type"],
  name: string,
  help: string,
  from: number | LabelCells,
): NumberMetric {
  const read = (readings: Readings) =>
    readings.options.layout.listeners.flatMap((listener) => {
      const group = readings.listener(listener);
      return samples({ listener }, from, (cell) => group.sum(cell));
    });
  return { name, type, labels: labelsOf("listener", from), help, read };
}

/** A number for each pool, as for listeners. */
export function poolNumber(
  type: NumberMetric["type"],
  name: string,
  help: string,
  from: number | LabelCells,
): NumberMetric {
  const read = (readings: Readings) =>
    readings.options.layout.pools.flatMap((pool) => {
      const group = readings.pool(pool);
      return samples({ pool }, from, (cell) => group.sum(cell));
    });
  return { name, type, labels: labelsOf("pool", from), help, read };
}

/** A histogram for each pool; `cell` is its first. */
export function poolHistogram(name: string, help: string, cell: number): HistogramMetric {
  const read = (readings: Readings) =>
    readings.options.layout.pools.map((pool) => ({
      labels: { pool },
      value: readings.pool(pool).histogram(cell),
    }));
  return { name, type: "histogram", labels: ["pool"], help, read };
}

/** A number of the whole gateway; none where `value` gives none. */
export function oneNumber(
  type: NumberMetric["type"],
  name: string,
  help: string,
  value: (readings: Readings) => number | undefined,
): NumberMetric {
  const read = (readings: Readings) => {
    const one = value(readings);
    return one === undefined ? [] : [{ labels: {}, value: one }];
  };
  return { name, type, labels: [], help, read };
}

function samples(
  labels: Labels,
  from: number | LabelCells,
  sum: (cell: number) => number,
): Sample<number>[] {
  if (typeof from === "number") return [{ labels, value: sum(from) }];
  return from.cells.map(([value, cell]) => ({
    labels: { ...labels, [from.label]: value },
    value: sum(cell),
  }));
}

function labelsOf(group: string, from: number | LabelCells): string[] {
  return typeof from === "number" ? [group] : [group, from.label];
}
