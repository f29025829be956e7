/**
 * Host functions that reach beyond the call: signals, the log, metrics, what is kept for a session,
 * and HTTP requests.
 *
 * @module
 */

import { textOf } from "../base/bytes.ts";
import { SIGNAL_NAME_PATTERN } from "../base/signal_name.ts";
import { LOG_LEVELS, type LogLevel } from "../observe/log_record.ts";
import { CALL_LIMIT, type HostContext } from "./host_context.ts";
import { HOST_ERROR } from "./host_error.ts";
import type { HostModule } from "./host_functions.ts";
import { LOG_RECORD_SIZE_MAX } from "./log_quota.ts";
import { DEFINE_ERROR } from "./metric_cells.ts";
import type { MetricKind } from "./metric_names.ts";
import { reserveStack } from "./stack_reserve.ts";

const { absent, denied, invalid, overLimit } = HOST_ERROR;

/** In the order of their numbers in `wit/sluice.wit`. */
const METRIC_KINDS: readonly MetricKind[] = ["counter", "gauge", "histogram"];

const SIGNAL_NAME = new RegExp(`^${SIGNAL_NAME_PATTERN}$`);

/** Bytes of a signal's metadata. */
const METADATA_SIZE_MAX = 4096;

/** Bytes of a metric's name with its labels. */
const METRIC_NAME_SIZE_MAX = 1024;

/** Bytes that are kept for a session. */
const SESSION_VALUE_SIZE_MAX = 4096;

/** Units for what formatting, writing and the objects around it cost, beside the bytes. */
const COST = { log: 1000, signal: 1000, metric: 500, http: 20_000 } as const;

/** The functions, for one plugin. */
export function serviceFunctions(context: HostContext): HostModule {
  return {
    ...reportFunctions(context),
    ...metricFunctions(context),
    ...sessionFunctions(context),
    ...httpFunctions(context),
  };
}

function reportFunctions(context: HostContext): HostModule {
  const { memory, may } = context;
  return {
    signal(name: number, nameLength: number, metadata: number, metadataLength: number): number {
      const nameBytes = memory.viewOf(name, nameLength);
      const metadataBytes = memory.viewOf(metadata, metadataLength);
      if (!may.signal) return denied;
      if (metadataBytes.length > METADATA_SIZE_MAX) return overLimit;
      if (nameBytes.length > METADATA_SIZE_MAX) return invalid;
      // Attempts count, too: metadata that is no JSON costs more than a signal.
      if (!takeSignal(context)) return overLimit;
      const parsed = parsedObject(textOf(metadataBytes));
      return parsed === undefined ? invalid : tellSignal(context, textOf(nameBytes), parsed);
    },
    log(level: number, pointer: number, length: number): number {
      const bytes = memory.viewOf(pointer, length);
      if (!may.log) return denied;
      const name = LOG_LEVELS[level];
      return name === undefined ? invalid : writeLog(context, name, bytes);
    },
  };
}

/** Writes a record to the log, if the plugin has not written too much; returns as `log` does. */
export function writeLog(context: HostContext, level: LogLevel, message: Uint8Array): number {
  context.charge(COST.log);
  const size = Math.min(message.length, LOG_RECORD_SIZE_MAX);
  if (!context.logQuota.take(size)) {
    context.counters.countDroppedLog();
    return overLimit;
  }
  context.ports.log(context.spec.name, level, textOf(message.subarray(0, size)));
  return size;
}

/** Tells the policies something, if the call may still do so; returns as `signal` does. */
export function sendSignal(
  context: HostContext,
  name: string,
  metadata: Readonly<Record<string, unknown>>,
): number {
  return takeSignal(context) ? tellSignal(context, name, metadata) : overLimit;
}

/** @returns Whether the call may send one more signal. */
function takeSignal(context: HostContext): boolean {
  context.charge(COST.signal);
  if (context.signals >= CALL_LIMIT.signals) return false;
  context.signals += 1;
  return true;
}

function tellSignal(
  { ports, spec, event }: HostContext,
  name: string,
  metadata: Readonly<Record<string, unknown>>,
): number {
  if (!SIGNAL_NAME.test(name)) return invalid;
  // Policies are about what happens; while an instance is made, nothing does.
  if (event === undefined) return absent;
  ports.signal({ plugin: spec.name, name, metadata });
  return 0;
}

/** @returns Undefined if it is no JSON object. */
function parsedObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value as Record<string, unknown> : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function metricFunctions(context: HostContext): HostModule {
  const { memory, metrics } = context;
  return {
    metric(kind: number, pointer: number, length: number): number {
      const bytes = memory.viewOf(pointer, length);
      const kindName = METRIC_KINDS[kind];
      if (kindName === undefined || bytes.length > METRIC_NAME_SIZE_MAX) return invalid;
      if (context.metricDefinitions >= CALL_LIMIT.metricDefinitions) return overLimit;
      context.metricDefinitions += 1;
      context.charge(COST.metric);
      reserveStack();
      const id = metrics.define(kindName, textOf(bytes));
      if (id >= 0) return id;
      return id === DEFINE_ERROR.tooMany ? overLimit : invalid;
    },
    "metric_record"(metric: number, value: number): number {
      return metrics.record(metric, value) ? 0 : invalid;
    },
  };
}

function sessionFunctions(context: HostContext): HostModule {
  const { memory, may, spec } = context;
  return {
    "session_get"(pointer: number, capacity: number): number {
      memory.check(pointer, capacity);
      if (!may.session) return denied;
      const value = context.event?.session?.values.get(spec.name);
      if (value === undefined) return absent;
      context.chargeBytes(memory.put(pointer, capacity, value, 0));
      return value.length;
    },
    "session_set"(pointer: number, length: number): number {
      memory.check(pointer, length);
      if (!may.session) return denied;
      const values = context.event?.session?.values;
      if (values === undefined) return absent;
      if (length >>> 0 > SESSION_VALUE_SIZE_MAX) return overLimit;
      context.chargeBytes(length);
      const there = values.get(spec.name);
      // What is kept has often a fixed size, and is changed for each message.
      if (there?.length === length) there.set(memory.viewOf(pointer, length));
      else if (length === 0) values.delete(spec.name);
      else values.set(spec.name, memory.copyOf(pointer, length));
      return length;
    },
  };
}

function httpFunctions(context: HostContext): HostModule {
  const { memory, may } = context;
  return {
    "http_send"(
      method: number,
      methodLength: number,
      url: number,
      urlLength: number,
      headers: number,
      headersLength: number,
      body: number,
      bodyLength: number,
    ): number {
      memory.check(method, methodLength);
      memory.check(url, urlLength);
      memory.check(headers, headersLength);
      memory.check(body, bodyLength);
      if (!may.http) return denied;
      if (context.httpRequests >= CALL_LIMIT.httpRequests) return overLimit;
      context.httpRequests += 1;
      context.charge(COST.http + (bodyLength >>> 3));
      return context.http.send(
        memory.viewOf(method, methodLength),
        memory.viewOf(url, urlLength),
        memory.viewOf(headers, headersLength),
        memory.viewOf(body, bodyLength),
      );
    },
  };
}
