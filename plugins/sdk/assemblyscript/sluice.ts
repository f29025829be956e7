/**
 * Sluice's plugin SDK for AssemblyScript: what `wit/sluice.wit` says, in one file without
 * dependencies. A plugin exports its hooks as functions `(): Verdict`, and `sluice_event`:
 *
 *     import { forward, Verdict } from "../sluice/sluice";
 *     export { sluice_event } from "../sluice/sluice";
 *     export function onQuery(): Verdict { return forward(); }
 *
 * What reads gives null where there is nothing; `hostError` then says why. What writes gives a
 * number from 0 on, or a `HostError`. Build with `exportStart: "_initialize"`, so that what stands
 * outside of functions (metrics, configuration) runs when the host is ready.
 */

/** What a hook asks the gateway to do. */
export enum Verdict { forward, replace, respond, reject, close, route }

/** Where a query's text comes from. */
export enum Phase { none, simple, parse, execute }

/** What is true of an event: bits of `event.flags`. */
export enum Flag {
  canReplace = 1, canRespond = 2, canReject = 4, canClose = 8, canRoute = 16, pipelined = 32,
  described = 64, fromPlugin = 128, tls = 256, pooled = 512,
}

/** What can be read with `field` while a hook runs. */
export enum Field {
  payload, text, statementName, portalName, parameters, resultFormats, columns, user, database,
  applicationName, clientAddress, serverAddress, proxy, listener, startupParameters, settings,
  sqlstate, message, commandTag, pluginName, configuration, normalisedText, fingerprint,
  statements, tables, injectionSignals, httpStatus, functions,
}

/** Which hook runs: `event.hook`. */
export enum Hook {
  onConfigLoaded = 1, onNewLogger, onNewPool, onNewClient, onNewProxy, onNewServer, onSignal,
  onRun, onBooting, onBooted, onShutdown, onTick, onHook, onOpening, onOpened, onClosing,
  onClosed, onStartup, onAuthenticated, onTraffic, onTrafficFromClient, onTrafficToServer,
  onTrafficFromServer, onTrafficToClient, onQuery, onRow, onError, onQueryEnd, onTransactionEnd,
}

/** What a message of the log is worth. */
export enum LogLevel { trace, debug, info, warn, error }

/** What a metric does with its values. */
export enum MetricKind { counter, gauge, histogram }

/** Which clock. */
export enum Clock { wall, monotonic }

/** Why the host did not do what it was asked. */
export enum HostError { absent = -1, denied = -2, overLimit = -3, invalid = -4 }

/** Types of pg_type that a result may have in text and in binary. */
export enum Type {
  bool = 16, bytea = 17, int8 = 20, int2 = 21, int4 = 23, text = 25, json = 114, float4 = 700,
  float8 = 701, varchar = 1043, uuid = 2950, jsonb = 3802,
}

/** What the host writes before each call. */
@unmanaged
export class Event {
  abi: u16;
  hook: u16;
  flags: u32;
  session: u64;
  timeMs: u64;
  payloadSize: u32;
  messageType: u8;
  transactionStatus: u8;
  phase: u8;
  reserved: u8;
  request: u64;
  durationUs: u64;
  rows: u32;
  worker: u32;
  reserved2: u64;

  /** Whether this is true of the event. */
  has(flag: Flag): bool {
    return (this.flags & flag) != 0;
  }
}

/** The event of the hook that runs. */
export const event: Event = changetype<Event>(memory.data(64, 8));

/** Where the host writes the event: a plugin exports it. */
export function sluice_event(): usize {
  return changetype<usize>(event);
}

// What reads.

/** Why the last thing that was read is null: a `HostError`, or 0 if nothing was. */
export let hostError: i32 = 0;

type Getter = (a: usize, b: i32, into: usize, capacity: i32) => i32;

/** Asks once with a buffer that mostly suffices, and again if it did not. */
function bytesOf(getter: Getter, a: usize = 0, b: i32 = 0): Uint8Array | null {
  let bytes = new Uint8Array(512);
  let size = getter(a, b, bytes.dataStart, bytes.length);
  if (size > bytes.length) {
    bytes = new Uint8Array(size);
    size = getter(a, b, bytes.dataStart, size);
  }
  hostError = size < 0 ? size : 0;
  return size < 0 ? null : bytes.subarray(0, size);
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

/** Text as the host wants it; the buffer's address is a list's pointer. */
function utf8(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

/** A field of the event. */
export function field(name: Field): Uint8Array | null {
  return bytesOf((a, b, into, capacity) => host_read(b, 0, into, capacity), 0, name);
}

/** A field of the event as text. */
export function fieldText(name: Field): string | null {
  return textOf(field(name));
}

/** The message as it is on the wire, or what the hook says. */
export function payload(): Uint8Array | null {
  return field(Field.payload);
}

/** Text of the query. */
export function text(): string | null {
  return fieldText(Field.text);
}

/** What the server reported under this name, or else the client said. */
export function parameter(name: string): string | null {
  const bytes = utf8(name);
  return textOf(bytesOf(host_parameter, bytes.dataStart, bytes.length));
}

/** A value of the plugin's configuration, such as `rules.0.table`; what is no text is JSON. */
export function config(path: string): string | null {
  const bytes = utf8(path);
  return textOf(bytesOf(host_config, bytes.dataStart, bytes.length));
}

// Verdicts: `return forward();`

/** Go on as if the plugin were not there. */
export function forward(): Verdict {
  return Verdict.forward;
}

/** These bytes take the payload's place. */
export function replace(bytes: Uint8Array): Verdict {
  host_write(bytes.dataStart, bytes.length);
  return Verdict.replace;
}

/** This text takes the payload's place. */
export function replaceText(text: string): Verdict {
  return replace(utf8(text));
}

/** The client gets this result. */
export function respond(_result: Result): Verdict {
  return Verdict.respond;
}

/** The client gets these messages, RowDescription to CommandComplete; or what `kv.write` wrote. */
export function respondMessages(bytes: Uint8Array | null = null): Verdict {
  if (bytes !== null) host_write(bytes.dataStart, bytes.length);
  return Verdict.respond;
}

/** The client gets an error. */
export function reject(sqlstate: string, message: string, hint: string = ""): Verdict {
  const s = utf8(sqlstate), m = utf8(message), h = utf8(hint);
  host_error(s.dataStart, s.length, m.dataStart, m.length, h.dataStart, h.length);
  return Verdict.reject;
}

/** The session is ended. */
export function close(): Verdict {
  return Verdict.close;
}

/**
 * Go on to this proxy of the same listener, or to a server of a role: `role=primary` or
 * `role=replica`.
 */
export function route(proxy: string): Verdict {
  const bytes = utf8(proxy);
  host_write(bytes.dataStart, bytes.length);
  return Verdict.route;
}

/** A result for `respond`: its columns, then their values, row by row. One for each call. */
export class Result {
  /** The first `HostError` that there was, or 0. */
  error: i32 = 0;

  column(name: string, type: u32 = Type.text): Result {
    const bytes = utf8(name);
    return this.after(host_result_column(bytes.dataStart, bytes.length, type));
  }

  value(bytes: Uint8Array): Result {
    return this.after(host_result_value(bytes.dataStart, bytes.length));
  }

  text(text: string): Result {
    return this.value(utf8(text));
  }

  /** A value that is NULL. */
  none(): Result {
    return this.after(host_result_value(0, -1));
  }

  /** Without it, the tag is SELECT and the number of rows. */
  tag(tag: string): Result {
    const bytes = utf8(tag);
    return this.after(host_result_tag(bytes.dataStart, bytes.length));
  }

  private after(answer: i32): Result {
    if (answer < 0 && this.error == 0) this.error = answer;
    return this;
  }
}

// What tells.

/** Writes to the gateway's log. */
export function log(level: LogLevel, message: string): i32 {
  const bytes = utf8(message);
  return host_log(level, bytes.dataStart, bytes.length);
}

/** Tells the operator's policies something; `metadata` is a JSON object. */
export function signal(name: string, metadata: string = "{}"): i32 {
  const n = utf8(name), m = utf8(metadata);
  return host_signal(n.dataStart, n.length, m.dataStart, m.length);
}

/** A metric, by its name and labels: `queries_total{kind="select"}`. Made once, outside of hooks. */
export class Metric {
  private number: i32;

  constructor(kind: MetricKind, name: string) {
    const bytes = utf8(name);
    this.number = host_metric(kind, bytes.dataStart, bytes.length);
  }

  protected record(value: f64): i32 {
    return this.number < 0 ? this.number : host_metric_record(this.number, value);
  }
}

/** Only ever rises. */
export class Counter extends Metric {
  constructor(name: string) {
    super(MetricKind.counter, name);
  }

  add(value: f64 = 1): i32 {
    return this.record(value);
  }
}

/** Is what it was last set to. */
export class Gauge extends Metric {
  constructor(name: string) {
    super(MetricKind.gauge, name);
  }

  set(value: f64): i32 {
    return this.record(value);
  }
}

/** Counts values by size. */
export class Histogram extends Metric {
  constructor(name: string) {
    super(MetricKind.histogram, name);
  }

  observe(value: f64): i32 {
    return this.record(value);
  }
}

// What keeps.

/** The plugin's key-value store; `ttlMs` 0 is for as long as there is room. */
export namespace kv {
  export function get(key: string): Uint8Array | null {
    const bytes = utf8(key);
    return bytesOf(host_kv_get, bytes.dataStart, bytes.length);
  }

  export function getText(key: string): string | null {
    return textOf(get(key));
  }

  export function set(key: string, value: Uint8Array, ttlMs: u32 = 0): i32 {
    const bytes = utf8(key);
    return host_kv_set(bytes.dataStart, bytes.length, value.dataStart, value.length, ttlMs);
  }

  export function setText(key: string, value: string, ttlMs: u32 = 0): i32 {
    return set(key, utf8(value), ttlMs);
  }

  export function remove(key: string): i32 {
    const bytes = utf8(key);
    return host_kv_delete(bytes.dataStart, bytes.length);
  }

  /** The sum, or i64.MIN_VALUE where it cannot be done. */
  export function increment(key: string, by: i64 = 1, ttlMs: u32 = 0): i64 {
    const bytes = utf8(key);
    return host_kv_increment(bytes.dataStart, bytes.length, by, ttlMs);
  }

  /** Appends a stored value to what `respondMessages` or `replace` gives. */
  export function write(key: string): i32 {
    const bytes = utf8(key);
    return host_kv_write(bytes.dataStart, bytes.length);
  }

  /** Has the reply to this request stored, if it ends well and is no larger. */
  export function capture(key: string, ttlMs: u32, sizeMax: u32): i32 {
    const bytes = utf8(key);
    return host_kv_capture(bytes.dataStart, bytes.length, ttlMs, sizeMax);
  }
}

/** What the plugin keeps for this session: up to 4,096 bytes. */
export namespace session {
  export function get(): Uint8Array | null {
    return bytesOf((a, b, into, capacity) => host_session_get(into, capacity));
  }

  export function set(value: Uint8Array): i32 {
    return host_session_set(value.dataStart, value.length);
  }
}

// The world.

/** Nanoseconds. */
export function clock(clock: Clock): i64 {
  return host_clock(clock);
}

/** Random bytes. */
export function random(size: i32): Uint8Array {
  const bytes = new Uint8Array(size);
  host_random(bytes.dataStart, size);
  return bytes;
}

/** Sends an HTTP request: its number, which `onHook` has in `event.request`. A header a line. */
export function httpSend(method: string, url: string, headers: string, body: Uint8Array): i32 {
  const m = utf8(method), u = utf8(url), h = utf8(headers);
  return host_http_send(
    m.dataStart, m.length, u.dataStart, u.length, h.dataStart, h.length,
    body.dataStart, body.length,
  );
}

// What the gateway knows of a query's text. Permission: parse.

/** The same for queries that differ in constants only. */
export function fingerprint(): string | null {
  return fieldText(Field.fingerprint);
}

/** The text with $1, $2 and so on for its constants. */
export function normalisedText(): string | null {
  return fieldText(Field.normalisedText);
}

/** One statement of a query's text. */
export class Statement {
  constructor(
    /** Such as SELECT or CREATE TABLE AS. */
    readonly kind: string,
    readonly isWrite: bool,
    readonly isLocking: bool,
    readonly isWithoutWhere: bool,
  ) {}
}

/** The statements of the text; none if it cannot be parsed. */
export function statements(): Statement[] {
  const lines = linesOf(Field.statements);
  const all = new Array<Statement>();
  for (let i = 0; i < lines.length; i++) {
    const words = lines[i].split(" ");
    // A kind may have several words: CREATE TABLE AS.
    let end = 1;
    while (end < words.length && words[end] != "read" && words[end] != "write") end++;
    const kind = words.slice(0, end).join(" ");
    const isWithoutWhere = words.includes("without-where", end);
    const isWrite = words.includes("write", end);
    all.push(new Statement(kind, isWrite, words.includes("locking", end), isWithoutWhere));
  }
  return all;
}

/** A table that a query reads or writes. */
export class Table {
  constructor(readonly isWrite: bool, readonly name: string) {}
}

/** The tables of the text. */
export function tables(): Table[] {
  const lines = linesOf(Field.tables);
  const all = new Array<Table>();
  for (let i = 0; i < lines.length; i++) {
    const space = lines[i].indexOf(" ");
    all.push(new Table(lines[i].startsWith("write "), lines[i].substring(space + 1)));
  }
  return all;
}

/** Signs of an injection. */
export function injectionSignals(): string[] {
  return linesOf(Field.injectionSignals);
}

/** Functions that the text calls by name, in lower case. */
export function functions(): string[] {
  return linesOf(Field.functions);
}

function linesOf(name: Field): string[] {
  const text = fieldText(name);
  const lines = text === null ? new Array<string>() : text.split("\n");
  if (lines.length > 0 && lines[lines.length - 1].length == 0) lines.pop();
  return lines;
}

/** Logs why, then ends the call. The compiler calls it: `use` in asconfig.json. */
export function sluiceAbort(
  message: string | null, file: string | null, line: u32, column: u32,
): void {
  const what = message === null ? "abort" : message;
  const where = file === null ? "" : file;
  log(LogLevel.error, `${what} at ${where}:${line}:${column}`);
  unreachable();
}

/** Seeds Math.random. The compiler calls it: `use` in asconfig.json. */
export function sluiceSeed(): f64 {
  return load<f64>(random(8).dataStart);
}

// The imports. List and string: pointer, size in bytes.

@external("sluice", "read")
declare function host_read(field: i32, offset: i32, into: usize, capacity: i32): i32;
@external("sluice", "parameter")
declare function host_parameter(name: usize, size: i32, into: usize, capacity: i32): i32;
@external("sluice", "config")
declare function host_config(path: usize, size: i32, into: usize, capacity: i32): i32;
@external("sluice", "write")
declare function host_write(bytes: usize, size: i32): i32;
@external("sluice", "result_column")
declare function host_result_column(name: usize, size: i32, type: i32): i32;
@external("sluice", "result_value")
declare function host_result_value(bytes: usize, size: i32): i32;
@external("sluice", "result_tag")
declare function host_result_tag(tag: usize, size: i32): i32;
@external("sluice", "error")
declare function host_error(s: usize, sSize: i32, m: usize, mSize: i32, h: usize, hSize: i32): i32;
@external("sluice", "signal")
declare function host_signal(name: usize, size: i32, metadata: usize, metadataSize: i32): i32;
@external("sluice", "log")
declare function host_log(level: i32, message: usize, size: i32): i32;
@external("sluice", "metric")
declare function host_metric(kind: i32, name: usize, size: i32): i32;
@external("sluice", "metric_record")
declare function host_metric_record(metric: i32, value: f64): i32;
@external("sluice", "kv_get")
declare function host_kv_get(key: usize, size: i32, into: usize, capacity: i32): i32;
@external("sluice", "kv_set")
declare function host_kv_set(key: usize, size: i32, value: usize, valueSize: i32, ttl: i32): i32;
@external("sluice", "kv_delete")
declare function host_kv_delete(key: usize, size: i32): i32;
@external("sluice", "kv_increment")
declare function host_kv_increment(key: usize, size: i32, by: i64, ttl: i32): i64;
@external("sluice", "kv_write")
declare function host_kv_write(key: usize, size: i32): i32;
@external("sluice", "kv_capture")
declare function host_kv_capture(key: usize, size: i32, ttl: i32, sizeMax: i32): i32;
@external("sluice", "session_get")
declare function host_session_get(into: usize, capacity: i32): i32;
@external("sluice", "session_set")
declare function host_session_set(value: usize, size: i32): i32;
@external("sluice", "clock")
declare function host_clock(clock: i32): i64;
@external("sluice", "random")
declare function host_random(into: usize, capacity: i32): i32;
@external("sluice", "http_send")
declare function host_http_send(
  m: usize, mSize: i32, u: usize, uSize: i32,
  h: usize, hSize: i32, b: usize, bSize: i32,
): i32;
