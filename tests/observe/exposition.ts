/**
 * A strict reader of Prometheus' text format, version 0.0.4: what Prometheus would have to guess
 * about, or what `promtool check metrics` complains of, is an error here.
 *
 * @module
 */

/** One line with a number. */
export interface Series {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** A metric: its HELP, its TYPE and its series. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly series: Series[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=.)|$)/;
const NUMBER = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\+Inf)$/;

/** @throws {Error} On the first thing that is wrong, with its line. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line has no end");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: RegExpExecArray | null = null;
  let family: Family | undefined;
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const fail = (why: string) => new Error(`${why}: ${line}`);
    if (line.startsWith("# HELP ")) {
      help = new RegExp(`^# HELP (${NAME}) (\\S.*)$`).exec(line);
      if (help === null) throw fail("Malformed HELP");
    } else if (line.startsWith("# TYPE ")) {
      const [, name, type] = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`)
        .exec(line) ?? [];
      if (name === undefined || type === undefined) throw fail("Malformed TYPE");
      if (help?.[1] !== name) throw fail("TYPE without its HELP before it");
      if (families.has(name)) throw fail("A second TYPE");
      family = { name, help: help[2]!, type, series: [] };
      families.set(name, family);
    } else {
      const series = parseSeries(line);
      if (family === undefined || !belongs(series.name, family)) throw fail("Not of this metric");
      const key = keyOf(series, []);
      if (seen.has(key)) throw fail("A duplicate series");
      seen.add(key);
      family.series.push(series);
    }
  }
  for (const one of families.values()) checkFamily(one);
  return families;
}

function parseSeries(line: string): Series {
  const [, name, inBraces, number] = SAMPLE.exec(line) ?? [];
  if (name === undefined || number === undefined || !NUMBER.test(number)) {
    throw new Error(`Malformed series: ${line}`);
  }
  const labels = new Map<string, string>();
  let rest = inBraces ?? "";
  if (inBraces === "") throw new Error(`Empty braces: ${line}`);
  while (rest !== "") {
    const [all, label, value] = LABEL.exec(rest) ?? [];
    if (all === undefined) throw new Error(`Malformed label: ${line}`);
    if (labels.has(label!)) throw new Error(`A label twice: ${line}`);
    labels.set(label!, value!.replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c));
    rest = rest.slice(all.length);
  }
  return { name, labels, value: number === "+Inf" ? Infinity : Number(number) };
}

function belongs(name: string, family: Family): boolean {
  if (family.type !== "histogram") return name === family.name;
  return ["_bucket", "_sum", "_count"].some((suffix) => name === family.name + suffix);
}

function keyOf(series: Series, without: readonly string[]): string {
  const labels = [...series.labels].filter(([name]) => !without.includes(name)).sort();
  return `${series.name} ${JSON.stringify(labels)}`;
}

function checkFamily(family: Family): void {
  const fail = (why: string) => new Error(`${why}: ${family.name}`);
  const isTotal = family.name.endsWith("_total");
  if ((family.type === "counter") !== isTotal) throw fail("_total is for counters, all of them");
  for (const { value } of family.series) {
    if (family.type !== "gauge" && value < 0) throw fail("A negative count");
  }
  if (family.type === "histogram") checkHistogram(family);
}

function checkHistogram(family: Family): void {
  const buckets = Map.groupBy(
    family.series.filter(({ name }) => name.endsWith("_bucket")),
    (series) => keyOf(series, ["le"]).replace("_bucket ", " "),
  );
  const others = (suffix: string) =>
    new Map(
      family.series.filter(({ name }) => name === family.name + suffix)
        .map((series) => [keyOf(series, []).replace(`${suffix} `, " "), series.value]),
    );
  const sums = others("_sum");
  const counts = others("_count");
  const fail = (why: string) => new Error(`${why}: ${family.name}`);
  if (sums.size !== buckets.size || counts.size !== buckets.size) throw fail("Parts are missing");
  for (const [key, series] of buckets) {
    const bounds = series.map(({ labels }) =>
      labels.get("le") === "+Inf" ? Infinity : Number(labels.get("le"))
    );
    if (bounds.at(-1) !== Infinity) throw fail("The last bucket is not +Inf");
    for (let i = 1; i < bounds.length; i++) {
      if (!(bounds[i]! > bounds[i - 1]!)) throw fail("Bounds do not rise");
      if (series[i]!.value < series[i - 1]!.value) throw fail("Buckets are not cumulative");
    }
    if (series.at(-1)!.value !== counts.get(key)) throw fail("+Inf is not the count");
    if (!sums.has(key)) throw fail("No sum");
  }
}
