/**
 * Hooks of modules that were made with an Extism PDK: their input is the event as JSON, their
 * output what they ask for as JSON. `wit/README.md` shows both.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { textOf, utf8 } from "../base/bytes.ts";
import { FIELD, type HookEvent, PHASE } from "../hooks/event.ts";
import { HOOKS } from "../hooks/hooks.ts";
import { VERDICT } from "../hooks/verdict.ts";
import { LOG_LEVELS, type LogLevel } from "../observe/log_record.ts";
import { HOST_ERROR } from "./host_error.ts";
import type { HostContext } from "./host_context.ts";
import { sendSignal, writeLog } from "./host_services.ts";
import { PluginTrap } from "./plugin_failure.ts";

/** Fields that an event has as text, if it has them. */
const TEXTS = [
  "user",
  "database",
  "text",
  "statementName",
  "portalName",
  "sqlstate",
  "message",
  "commandTag",
  "httpStatus",
] as const;

const PHASES = Object.keys(PHASE);

const SQLSTATE = /^[0-9A-Z]{5}$/;
const REJECTED_SQLSTATE = "42501";

type Json = Readonly<Record<string, unknown>>;

/** The event as the plugin's input. */
export function inputOf(event: HookEvent, { ports }: HostContext): Uint8Array {
  const input: Record<string, unknown> = {
    hook: HOOKS[event.hook - 1]!.name,
    session: event.session?.number ?? 0,
    flags: event.flags,
    timeMs: ports.wallMs(),
    transactionStatus: characterOf(event.transactionStatus),
    phase: PHASES[event.phase],
    request: event.request,
    messageType: characterOf(event.messageType),
    rows: event.rows,
    durationUs: event.durationUs,
    worker: ports.worker,
  };
  for (const name of TEXTS) {
    const value = event.field(FIELD[name]);
    if (value !== undefined) input[name] = textOf(value);
  }
  const { buffer, byteOffset, byteLength } = event.payload;
  input["payload"] = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  return utf8(JSON.stringify(input));
}

/**
 * Does what the output says, up to the verdict.
 *
 * @returns The verdict's number.
 * @throws {PluginTrap} If it is not as `wit/README.md` says.
 */
export function takeOutput(bytes: Uint8Array, context: HostContext): number {
  if (bytes.length === 0) return VERDICT.forward;
  const output = parsed(bytes);
  for (const entry of objects(output, "log")) takeLog(entry, context);
  for (const entry of objects(output, "signals")) takeSignal(entry, context);
  const name = text(output, "verdict") ?? "forward";
  if (!Object.hasOwn(VERDICT, name)) {
    throw new PluginTrap("verdict", `its output says "${name}", which is no verdict`);
  }
  takeRejection(output, context);
  takeBytes(output, context);
  takeResult(output, context);
  return VERDICT[name as keyof typeof VERDICT];
}

function takeLog(entry: Json, context: HostContext): void {
  if (!context.may.log) throw new PluginTrap("permission", 'its log needs the permission "log"');
  const level = text(entry, "level") ?? "info";
  if (!(LOG_LEVELS as readonly string[]).includes(level)) wrong("log", "has an unknown level");
  writeLog(context, level as LogLevel, utf8(text(entry, "message") ?? ""));
}

function takeSignal(entry: Json, context: HostContext): void {
  if (!context.may.signal) {
    throw new PluginTrap("permission", 'its signals need the permission "signal"');
  }
  const metadata = entry["metadata"] ?? {};
  if (!isObject(metadata)) wrong("signals", "has metadata that is no object");
  const result = sendSignal(context, text(entry, "name") ?? "", metadata);
  if (result === HOST_ERROR.invalid) wrong("signals", "has a name that cannot be used");
}

function takeRejection(output: Json, { output: kept, spec }: HostContext): void {
  const message = text(output, "message");
  const sqlState = text(output, "sqlstate") ?? REJECTED_SQLSTATE;
  const hint = text(output, "hint") ?? "";
  if (!SQLSTATE.test(sqlState)) wrong("sqlstate", "must be five of 0-9 and A-Z");
  if (`${message}${hint}`.includes("\0")) wrong("message", "has a zero byte");
  if (message === undefined && output["sqlstate"] === undefined && hint === "") return;
  kept.reserve((message?.length ?? 0) + hint.length, 1);
  kept.rejection = { sqlState, message: message ?? `refused by plugin "${spec.name}"`, hint };
}

function takeBytes(output: Json, { output: kept }: HostContext): void {
  const payload = text(output, "payload");
  if (payload !== undefined) {
    const bytes = Buffer.from(payload, "base64");
    // Buffer leaves out what is no base64, which would be a damaged payload.
    if (bytes.toString("base64") !== payload) wrong("payload", "must be base64");
    kept.append(bytes);
    return;
  }
  const proxy = text(output, "proxy");
  if (proxy !== undefined) kept.adopt(utf8(proxy));
}

function takeResult(output: Json, { output: kept }: HostContext): void {
  for (const column of objects(output, "columns")) {
    const name = text(column, "name") ?? "";
    const typeOid = column["type"] ?? 25;
    const isOid = Number.isInteger(typeOid) && Number(typeOid) >= 0 && Number(typeOid) < 2 ** 32;
    if (!isOid || name.includes("\0")) wrong("columns", "has a wrong name or type");
    kept.reserve(name.length, 1);
    if (kept.addColumn({ name, typeOid: Number(typeOid) }) === undefined) {
      wrong("columns", "is too long");
    }
  }
  for (const row of list(output, "rows")) {
    if (!Array.isArray(row) || row.length !== kept.columns.length) {
      wrong("rows", "must have lists as long as columns");
    }
    for (const value of row) takeValue(value, kept);
  }
  const tag = text(output, "tag");
  if (tag === undefined) return;
  if (tag === "" || tag.includes("\0")) wrong("tag", "cannot be used");
  if (kept.reserve(tag.length, 1)) kept.setTag(tag);
}

function takeValue(value: unknown, kept: HostContext["output"]): void {
  if (value !== null && typeof value !== "string") wrong("rows", "must have texts or null");
  const bytes = value === null ? undefined : utf8(value);
  if (kept.reserve(bytes?.length ?? 0, 2)) kept.addValue(bytes);
}

function parsed(bytes: Uint8Array): Json {
  let value: unknown;
  try {
    value = JSON.parse(textOf(bytes));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (!isObject(value)) throw new PluginTrap("output", "its output is no JSON object");
  return value;
}

function text(object: Json, key: string): string | undefined {
  const value = object[key];
  if (value !== undefined && typeof value !== "string") wrong(key, "must be a text");
  return value;
}

function list(object: Json, key: string): readonly unknown[] {
  const value = object[key] ?? [];
  return Array.isArray(value) ? value : wrong(key, "must be a list");
}

function objects(object: Json, key: string): readonly Json[] {
  const values = list(object, key);
  return values.every(isObject) ? values : wrong(key, "must be a list of objects");
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(key: string, rule: string): never {
  throw new PluginTrap("output", `"${key}" of its output ${rule}`);
}

function characterOf(code: number): string {
  return code === 0 ? "" : String.fromCharCode(code);
}
