/**
 * Fields of an event, those that the host makes included: the plugin's name and configuration, and
 * what the parser says of a query's text.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import { FIELD } from "../hooks/event.ts";
import type { HostContext } from "./host_context.ts";
import { HOST_ERROR } from "./host_error.ts";
import type { QueryAnalysis } from "./plugin_ports.ts";

const FIELD_COUNT = Object.keys(FIELD).length;

/** Units for each byte of a text that is parsed: 0.1 to 0.5 us each were measured. */
const ANALYSIS_UNITS_PER_BYTE = 100;

/** Units for any analysis, as of an empty text. */
const ANALYSIS_UNITS = 5000;

/** Paths whose values are kept as bytes; further ones are made each time. */
const CONFIG_CACHE_MAX = 256;

/** Which part of the analysis a field is. */
const ANALYSED: Readonly<Record<number, keyof QueryAnalysis>> = {
  [FIELD.normalisedText]: "normalisedText",
  [FIELD.fingerprint]: "fingerprint",
  [FIELD.statements]: "statements",
  [FIELD.tables]: "tables",
  [FIELD.injectionSignals]: "injectionSignals",
  [FIELD.functions]: "functions",
};

/** What one plugin can read. */
export class HostFields {
  readonly #context: HostContext;
  readonly #name: Uint8Array;
  readonly #configuration: Uint8Array;
  readonly #config: unknown;
  readonly #configValues = new Map<string, Uint8Array | undefined>();
  /** Of the call that runs; null: there is none. */
  #analysis: QueryAnalysis | null | undefined;
  #analysed: Partial<Record<keyof QueryAnalysis, Uint8Array>> | undefined;

  constructor(context: HostContext) {
    const { name, configuration } = context.spec;
    this.#context = context;
    this.#name = utf8(name);
    this.#configuration = utf8(configuration);
    this.#config = JSON.parse(configuration);
  }

  /** Another event is read from now on. */
  clear(): void {
    if (this.#analysis === undefined) return;
    this.#analysis = undefined;
    this.#analysed = undefined;
  }

  /** @returns The field, good while the call runs; or a number of `HOST_ERROR`. */
  read(field: number): Uint8Array | number {
    const { event } = this.#context;
    if (field < FIELD.pluginName || field === FIELD.httpStatus) {
      return event?.field(field) ?? HOST_ERROR.absent;
    }
    if (field === FIELD.pluginName) return this.#name;
    if (field === FIELD.configuration) return this.#configuration;
    if (field >= FIELD_COUNT) return HOST_ERROR.invalid;
    if (!this.#context.may.parse) return HOST_ERROR.denied;
    return this.#ofAnalysis(ANALYSED[field]!) ?? HOST_ERROR.absent;
  }

  /** @returns The value as text, or as JSON if it is none; undefined if there is none. */
  config(path: string): Uint8Array | undefined {
    const known = this.#configValues.get(path);
    if (known !== undefined) return known;
    const value = valueAt(this.#config, path);
    if (value === undefined) return undefined;
    const bytes = utf8(typeof value === "string" ? value : JSON.stringify(value));
    if (this.#configValues.size < CONFIG_CACHE_MAX) this.#configValues.set(path, bytes);
    return bytes;
  }

  #ofAnalysis(part: keyof QueryAnalysis): Uint8Array | undefined {
    const context = this.#context;
    if (this.#analysis === undefined) {
      const text = context.event?.field(FIELD.text);
      if (text === undefined) return undefined;
      context.charge(ANALYSIS_UNITS + ANALYSIS_UNITS_PER_BYTE * text.length);
      this.#analysis = context.ports.analyse(text) ?? null;
    }
    if (this.#analysis === null) return undefined;
    this.#analysed ??= {};
    return this.#analysed[part] ??= utf8(this.#analysis[part]);
  }
}

/** What is at `rules.0.table`; undefined if there is nothing. */
function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}
