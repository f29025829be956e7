/**
 * Reads Prometheus' text format well enough to say which counters moved between two readings.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";

/** Samples of one reading: from the name with its labels, as written, to the value. */
export type MetricSamples = ReadonlyMap<string, number>;

/** One sample that is not what it was. */
export interface MetricChange {
  /** Name and labels, for example `sluice_errors_total{sqlstate="42P01"}`. */
  readonly sample: string;
  /** 0 if it was not there. */
  readonly before: number;
  readonly after: number;
}

/** A gateway's page is some ten kilobytes. */
const PAGE_SIZE_MAX = 8 * 1024 * 1024;
const FETCH_TIMEOUT_MS = 5_000;

/**
 * Fetches and parses a page of metrics.
 *
 * @throws {Error} If the page cannot be had within five seconds, or is larger than 8 MiB.
 */
export async function readMetrics(url: string): Promise<MetricSamples> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), FETCH_TIMEOUT_MS);
  try {
    const response = await fetch(url, { signal: deadline.signal });
    const text = await textOf(response);
    if (!response.ok) throw new Error(`it answered with status ${response.status}`);
    return parseMetrics(text);
  } catch (thrown) {
    throw new Error(`Cannot read the metrics at ${url}: ${messageOf(thrown)}`, { cause: thrown });
  } finally {
    clearTimeout(timer);
  }
}

/** The samples of a page; comments and lines that are no samples are left out. */
export function parseMetrics(text: string): MetricSamples {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    // A label's value may hold spaces, braces and escaped quotes.
    const match = /^([a-zA-Z_:][\w:]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?)\s+(\S+)/.exec(line);
    const [, sample, value] = match ?? [];
    if (sample !== undefined && !Number.isNaN(Number(value))) samples.set(sample, Number(value));
  }
  return samples;
}

/** What differs, for the metrics in `names` and in their order; then as the page has it. */
export function metricsDifference(
  before: MetricSamples,
  after: MetricSamples,
  names: readonly string[],
): readonly MetricChange[] {
  const changes: MetricChange[] = [];
  for (const name of names) {
    for (const [sample, value] of after) {
      if (sample !== name && !sample.startsWith(`${name}{`)) continue;
      const old = before.get(sample) ?? 0;
      if (value !== old) changes.push({ sample, before: old, after: value });
    }
  }
  return changes;
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > PAGE_SIZE_MAX) throw new Error(`it must be at most ${PAGE_SIZE_MAX} bytes`);
  }
  return text;
}
