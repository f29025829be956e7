/**
 * Names of series as plugins write them: a metric's name and labels as in Prometheus' text format,
 * `requests_total{kind="select",table="users"}`, so that nothing else has to be learned.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";

/** Characters of the longest name of a metric or a label. */
export const NAME_LENGTH_MAX = 128;

/** Labels that one series may have. */
export const LABELS_MAX = 8;

/** Bytes of the longest value of a label, in UTF-8. */
export const LABEL_VALUE_SIZE_MAX = 128;

/** Characters of the longest text; what the other limits allow is less. */
const TEXT_LENGTH_MAX = 4096;

/** Labels that the gateway sets itself: whose a metric is, and a histogram's bounds. */
const RESERVED_LABELS: readonly string[] = ["plugin", "le"];

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const SERIES = /^([^{]*)(?:\{(.*)\})?$/s;
const LABEL = /^[ \t]*([^ \t="]*)[ \t]*=[ \t]*"((?:[^"\\\n]|\\[\\"n])*)"[ \t]*(?:,|$)/;

/** A metric's name, and labels ordered by name. */
export interface SeriesName {
  readonly name: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
}

/**
 * Reads the name of a series. Labels may come in any order; one with an empty value is left out, as
 * it is the same as none for Prometheus.
 *
 * @returns Words that say what is wrong, if something is.
 */
export function parseSeriesName(text: string): SeriesName | string {
  if (text.length > TEXT_LENGTH_MAX) return `it is longer than ${TEXT_LENGTH_MAX} characters`;
  if (!text.isWellFormed()) return "it is not well-formed Unicode";
  const [all, name = "", inBraces = ""] = SERIES.exec(text) ?? [];
  if (all === undefined) return 'it must be written as name or name{label="value"}';
  const problem = nameProblem("the name", name);
  if (problem !== undefined) return problem;
  const labels = new Map<string, string>();
  for (let rest = inBraces.trim(); rest !== "";) {
    const [written, label, escaped] = LABEL.exec(rest) ?? [];
    if (written === undefined) return 'labels must be written as {name="value",other="value"}';
    const value = escaped!.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char);
    const labelProblem = nameProblem("a label's name", label!) ?? valueProblem(label!, value);
    if (labelProblem !== undefined) return labelProblem;
    if (labels.has(label!)) return `the label "${label}" is there twice`;
    if (labels.size === LABELS_MAX) return `there are more than ${LABELS_MAX} labels`;
    labels.set(label!, value);
    rest = rest.slice(written.length);
  }
  const ordered = [...labels].filter(([, value]) => value !== "")
    .sort(([a], [b]) => a < b ? -1 : 1);
  return { name, labels: ordered };
}

/** The same text for names of the same series, and for no others. */
export function seriesKey({ name, labels }: SeriesName): string {
  return JSON.stringify([name, labels]);
}

function nameProblem(what: string, name: string): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return `${what} is longer than ${NAME_LENGTH_MAX} characters`;
  if (!NAME.test(name)) {
    return `${what} must be a letter or "_", then letters, digits and "_": it is ` +
      JSON.stringify(name);
  }
  if (name.startsWith("__")) return `${what} must not begin with "__": Prometheus keeps those`;
  return undefined;
}

function valueProblem(label: string, value: string): string | undefined {
  if (RESERVED_LABELS.includes(label)) return `the label "${label}" is set by the gateway`;
  const size = utf8(value).length;
  if (size > LABEL_VALUE_SIZE_MAX) {
    return `the value of "${label}" is longer than ${LABEL_VALUE_SIZE_MAX} bytes`;
  }
  if ([...value].some(isControl)) return `the value of "${label}" has a control character`;
  return undefined;
}

/** Whether it is a control character of ASCII, but for the line feed, which is escaped. */
function isControl(char: string): boolean {
  return char !== "\n" && (char < " " || char === "\x7f");
}
