/**
 * Analyses of the texts that were asked for last.
 *
 * @module
 */

import type { QueryAnalysis, StatementSummary } from "./query_analysis.ts";

/** Limits of a cache. */
export interface AnalysisCacheLimits {
  readonly entriesMax: number;
  /** Bytes that the entries together are estimated to need. */
  readonly sizeMax: number;
}

interface Entry {
  readonly analysis: QueryAnalysis;
  readonly size: number;
}

/** Drops what was not asked for the longest when there are too many, or they are too large. */
export class AnalysisCache {
  readonly #limits: AnalysisCacheLimits;
  /** From the text that was asked for the longest ago, to the last. */
  readonly #entries = new Map<string, Entry>();
  #size = 0;

  constructor(limits: AnalysisCacheLimits) {
    this.#limits = limits;
  }

  /** How many there are. */
  get count(): number {
    return this.#entries.size;
  }

  /** Bytes that they are estimated to need. */
  get size(): number {
    return this.#size;
  }

  /** The analysis of a text, if it is still there. */
  get(text: string): QueryAnalysis | undefined {
    const entry = this.#entries.get(text);
    if (entry === undefined) return undefined;
    this.#entries.delete(text);
    this.#entries.set(text, entry);
    return entry.analysis;
  }

  /** Keeps the analysis of a text that is not there, unless it is larger than all may be. */
  add(text: string, analysis: QueryAnalysis): void {
    const size = sizeOf(text, analysis);
    if (size > this.#limits.sizeMax) return;
    this.#entries.set(text, { analysis, size });
    this.#size += size;
    for (const [oldest, { size }] of this.#entries) {
      if (this.#entries.size <= this.#limits.entriesMax && this.#size <= this.#limits.sizeMax) {
        break;
      }
      this.#entries.delete(oldest);
      this.#size -= size;
    }
  }
}

/** What an object with its fields, or a place in a list with its string, needs beside its text. */
const OBJECT_SIZE = 100;
const STRING_SIZE = 24;

/** An estimate from above: strings count two bytes for each character. */
function sizeOf(text: string, { error, normalised, fingerprint, statements }: QueryAnalysis) {
  const strings = [text, error ?? "", normalised, fingerprint];
  return 2 * OBJECT_SIZE + strings.reduce((size, string) => size + stringSize(string), 0) +
    statements.reduce((size, statement) => size + statementSize(statement), 0);
}

function statementSize({ kind, tables, functions, injectionSignals }: StatementSummary): number {
  let size = 3 * OBJECT_SIZE + stringSize(kind) + injectionSignals.length * STRING_SIZE;
  for (const { schema, name } of tables) {
    size += OBJECT_SIZE + stringSize(schema ?? "") + stringSize(name);
  }
  for (const name of functions) size += stringSize(name);
  return size;
}

function stringSize(text: string): number {
  return STRING_SIZE + 2 * text.length;
}
