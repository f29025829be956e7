/**
 * What plugins are told of a query's text: the parser's analysis as lines, made once for a text
 * that comes again.
 *
 * @module
 */

import {
  functionLines,
  signalLines,
  statementLines,
  tableLines,
} from "./postgres/parser/analysis_lines.ts";
import { QueryAnalyser } from "./postgres/parser/query_analyser.ts";
import type { QueryAnalysis } from "./postgres/parser/query_analysis.ts";
import type { Permission } from "./plugin_host/plugin_spec.ts";
import type { PluginPorts, QueryAnalysis as ShownAnalysis } from "./plugin_host/plugin_ports.ts";

/** The parser of one thread, which is loaded when a plugin may use it. */
export class TextAnalysis {
  #analyser: QueryAnalyser | undefined;
  readonly #shown = new WeakMap<QueryAnalysis, ShownAnalysis>();

  /** Gets ready what the permissions of a plugin need. */
  async provide(permissions: ReadonlySet<Permission>): Promise<void> {
    if (permissions.has("parse")) this.#analyser ??= await QueryAnalyser.load();
  }

  /** @returns Undefined before the parser was loaded. A text with an error has no statements. */
  readonly analyse: PluginPorts["analyse"] = (text) => {
    const analysis = this.#analyser?.analyse(text);
    if (analysis === undefined) return undefined;
    const known = this.#shown.get(analysis);
    if (known !== undefined) return known;
    const shown = {
      normalisedText: analysis.normalised,
      fingerprint: analysis.fingerprint,
      statements: statementLines(analysis),
      tables: tableLines(analysis),
      injectionSignals: signalLines(analysis),
      functions: functionLines(analysis),
    };
    this.#shown.set(analysis, shown);
    return shown;
  };
}
