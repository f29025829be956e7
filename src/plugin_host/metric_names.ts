/**
 * Which names of metrics are taken, so that what is exposed is valid: a name has one kind, and the
 * series of a histogram have names of their own that no other metric may have.
 *
 * @module
 */

/** What a metric is: a count that only grows, a number that is set, or a distribution. */
export type MetricKind = "counter" | "gauge" | "histogram";

/** What a histogram's series are called, after its name. */
const HISTOGRAM_SUFFIXES = ["_bucket", "_sum", "_count"] as const;

/** Names and their kinds. */
export class MetricNames {
  readonly #kinds = new Map<string, MetricKind>();

  /**
   * Takes a name for metrics of a kind; again is no error.
   *
   * @returns Words that say why it cannot be.
   */
  claim(name: string, kind: MetricKind): string | undefined {
    const known = this.#kinds.get(name);
    if (known === kind) return undefined;
    if (known !== undefined) return `"${name}" is a ${known} already, not a ${kind}`;
    for (const suffix of HISTOGRAM_SUFFIXES) {
      if (kind === "histogram" && this.#kinds.has(name + suffix)) {
        return `"${name}" cannot be a histogram, as "${name + suffix}" is a metric already`;
      }
      const stem = name.endsWith(suffix) ? name.slice(0, -suffix.length) : "";
      if (this.#kinds.get(stem) === "histogram") {
        return `"${name}" is a part of the histogram "${stem}" already`;
      }
    }
    this.#kinds.set(name, kind);
    return undefined;
  }

  clear(): void {
    this.#kinds.clear();
  }
}
