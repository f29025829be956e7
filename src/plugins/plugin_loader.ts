/**
 * Makes of a plugin's files what workers run: reads the module and its manifest, and checks them
 * against each other and against what the configuration says and grants.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { messageOf, systemReason } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import type { PluginSettings } from "../config/plugin_settings.ts";
import { readFromDisk } from "../config/config_files.ts";
import { FILE_SIZE_MAX } from "../config/declarations.ts";
import {
  type ManifestNames,
  NO_MANIFEST,
  parseManifest,
  type PluginManifest,
} from "../config/plugin_manifest.ts";
import {
  keyPlace,
  printable,
  printableMessage,
  type Problem,
  Problems,
  quote,
} from "../config/problems.ts";
import { HOOK, type HookName, HOOKS } from "../hooks/hooks.ts";
import {
  CLIENT_MESSAGE_TYPES,
  messageTypeTable,
  SERVER_MESSAGE_TYPES,
} from "../hooks/message_types.ts";
import {
  manifestOf,
  MODULE_SIZE_MAX,
  type ModuleLimits,
  type PluginModule,
  readPluginModule,
} from "../plugin_host/plugin_module.ts";
import type { FailurePolicy, PluginSpec } from "../plugin_host/plugin_spec.ts";

/** Where a plugin is, and what the configuration says of it. */
export interface PluginSource {
  readonly name: string;
  /** Path of the module. */
  readonly file: string;
  readonly settings: PluginSettings;
}

/** What came of loading a plugin, as it is counted. */
export const LOAD_RESULTS = [
  "loaded",
  /** A file cannot be read, or is too large. */
  "unreadable",
  /** It is not the file whose SHA-256 the configuration says. */
  "checksum",
  /** The module is no plugin. */
  "module",
  "manifest",
  /** It asks for more than it is granted. */
  "permissions",
  /** What it is told is not what its manifest allows. */
  "configuration",
  /** It does not start. */
  "start",
] as const;

/** One of {@linkcode LOAD_RESULTS}. */
export type LoadResult = (typeof LOAD_RESULTS)[number];

/** Everything of a specification that its files and the configuration decide. */
export type LoadedPlugin = Omit<PluginSpec, "generation" | "store">;

/** Why a plugin is not loaded. */
export class PluginRefusedError extends Error {
  override readonly name = "PluginRefusedError";
  readonly result: LoadResult;
  /** Never empty. */
  readonly problems: readonly Problem[];
  /** What is to become of traffic without it, as far as its files could be read. */
  readonly onFailure: FailurePolicy;

  constructor(result: LoadResult, problems: readonly Problem[], onFailure: FailurePolicy) {
    super(problems.map(problemText).join("; "));
    this.result = result;
    this.problems = problems;
    this.onFailure = onFailure;
  }
}

const NAMES: ManifestNames = {
  hooks: HOOKS.map(({ name }) => name),
  clientMessages: Object.keys(CLIENT_MESSAGE_TYPES),
  serverMessages: Object.keys(SERVER_MESSAGE_TYPES),
};

/** Path of the manifest that may be beside a module. */
export function manifestPath(file: string): string {
  return `${file.replace(/\.wasm$/, "")}.yaml`;
}

/** What is in a plugin's files. */
export interface PluginContents {
  /** Bytes of the module's file. */
  readonly size: number;
  /** Of the module's file, in hexadecimal. */
  readonly sha256: string;
  readonly module: PluginModule;
  readonly manifest: PluginManifest;
  readonly hasManifest: boolean;
  /** What the configuration says, or else the manifest, and so it is for limits. */
  readonly onFailure: FailurePolicy;
  readonly limits: ModuleLimits;
}

/**
 * Reads a plugin's files, and checks nothing that a configuration could change but the checksum.
 *
 * @throws {PluginRefusedError} If it is no plugin, or not the one that is meant.
 */
export async function readPlugin(source: PluginSource): Promise<PluginContents> {
  const beside = readManifestBeside(source);
  return await readContents(beside === undefined ? source : decided(source, beside), beside);
}

/** @param beside The manifest beside the module, which is used instead of one inside of it. */
async function readContents(
  source: PluginSource,
  beside: PluginManifest | undefined,
): Promise<PluginContents> {
  const { file, settings } = source;
  const bytes = readModule(source);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (settings.sha256 !== "" && settings.sha256 !== sha256) {
    const rule = `${quote(file)} has SHA-256 ${sha256}, and not the one that is written`;
    refuse("checksum", source, "sha256", `${rule}; write it, or put the right file there`);
  }
  let module: PluginModule;
  let manifest: PluginManifest;
  let limits: ModuleLimits;
  try {
    manifest = beside ?? readManifestInside(source, manifestOf(bytes));
    limits = limitsOf(source, manifest);
    module = await readPluginModule(bytes, limits);
  } catch (error) {
    if (error instanceof PluginRefusedError) throw error;
    const reason = printableMessage(messageOf(error));
    refuse("module", source, "file", `cannot use ${quote(file)}: ${reason}`);
  }
  const hasManifest = manifest !== NO_MANIFEST;
  const { onFailure } = decided(source, manifest).settings;
  return { size: bytes.length, sha256, module, manifest, hasManifest, onFailure, limits };
}

/**
 * Loads a plugin's files.
 *
 * @throws {PluginRefusedError} If it is not to be run; it says why, and what to do.
 */
export async function loadPlugin(given: PluginSource): Promise<LoadedPlugin> {
  const { sha256, module, manifest, limits } = await readPlugin(given);
  const source = decided(given, manifest);
  const { name, settings } = source;
  checkGrants(source, manifest);
  return {
    name,
    version: manifest.version,
    sha256,
    priority: settings.priority,
    module: module.bytes,
    abi: module.abi,
    hooks: hooksOf(source, module, manifest),
    clientMessageTypes: messageTypeTable(CLIENT_MESSAGE_TYPES, manifest.clientMessages),
    serverMessageTypes: messageTypeTable(SERVER_MESSAGE_TYPES, manifest.serverMessages),
    permissions: settings.permissions,
    hosts: settings.hosts,
    configuration: configurationOf(source, manifest),
    onFailure: settings.onFailure,
    ...limits,
    outputMax: settings.outputMax,
    failuresMax: settings.failuresMax,
    failureWindowMs: settings.failureWindowMs,
  };
}

function readModule(source: PluginSource): Uint8Array<ArrayBuffer> {
  const { file } = source;
  let reason: string;
  try {
    const { isFile, size } = Deno.statSync(file);
    if (isFile && size <= MODULE_SIZE_MAX) return Deno.readFileSync(file);
    // A pipe or a device could block, or never end.
    reason = isFile ? `it is larger than ${formatSize(MODULE_SIZE_MAX)}` : "it is no regular file";
  } catch (error) {
    reason = printable(systemReason(error));
  }
  refuse("unreadable", source, "file", `cannot read ${quote(file)}: ${reason}`);
}

/** What is written in the configuration counts, then what the plugin asks for. */
function limitsOf({ settings }: PluginSource, { limits }: PluginManifest): ModuleLimits {
  const { fuelPerCall, isFuelWritten, memoryMax, isMemoryWritten } = settings;
  return {
    fuelPerCall: isFuelWritten ? fuelPerCall : limits.fuelPerCall ?? fuelPerCall,
    memoryMax: isMemoryWritten ? memoryMax : limits.memoryMax ?? memoryMax,
  };
}

/** What is said of a plugin, and where it is not written what becomes of traffic, its manifest. */
function decided(source: PluginSource, manifest: PluginManifest): PluginSource {
  const { settings } = source;
  const { onFailure, isOnFailureWritten } = settings;
  const own = isOnFailureWritten ? onFailure : manifest.onFailure ?? onFailure;
  return { ...source, settings: { ...settings, onFailure: own } };
}

/** @returns Undefined if there is none. */
function readManifestBeside(source: PluginSource): PluginManifest | undefined {
  const path = manifestPath(source.file);
  let text: string;
  try {
    text = readFromDisk(path, FILE_SIZE_MAX).text;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const reason = printable(systemReason(error));
    refuse("unreadable", source, "file", `cannot read ${quote(path)}: ${reason}`);
  }
  return manifestIn(source, text, path);
}

function readManifestInside(source: PluginSource, text: string | undefined): PluginManifest {
  if (text === undefined) return NO_MANIFEST;
  return manifestIn(source, text, `${source.file} (sluice.manifest)`);
}

function manifestIn(source: PluginSource, text: string, place: string): PluginManifest {
  const { name, settings } = source;
  const problems = new Problems();
  const parsed = parseManifest(text, place, NAMES, problems);
  if (parsed === undefined) {
    throw new PluginRefusedError("manifest", problems.sorted(place), settings.onFailure);
  }
  if (parsed.name !== "" && parsed.name !== name) {
    const rule = `${place} is the manifest of a plugin named ${quote(parsed.name)}`;
    refuse("manifest", source, "file", `${rule}; call it so, or use its own manifest`);
  }
  return parsed;
}

function checkGrants(source: PluginSource, { permissions, hosts }: PluginManifest): void {
  const { name, settings } = source;
  const missing = permissions.filter((one) => !settings.permissions.includes(one));
  if (missing.length > 0) {
    const all = [...settings.permissions, ...missing].join(", ");
    const rule = `the plugin asks for what it is not granted: ${missing.join(", ")}`;
    const advice = `to grant it, write plugins.${name}.permissions: [${all}]`;
    refuse("permissions", source, "permissions", `${rule}; ${advice}`);
  }
  const strange = hosts.filter((one) => !settings.hosts.includes(one));
  if (strange.length === 0) return;
  const all = [...settings.hosts, ...strange].join(", ");
  const rule = `the plugin asks for hosts that it is not granted: ${strange.join(", ")}`;
  refuse("permissions", source, "hosts", `${rule}; to grant them, write hosts: [${all}]`);
}

function hooksOf(
  source: PluginSource,
  module: PluginModule,
  { hooks }: PluginManifest,
): readonly number[] {
  if (hooks === undefined) return module.hooks;
  const wanted = hooks.map((name) => HOOK[name as HookName]);
  const missing = hooks.filter((_, i) => !module.hooks.includes(wanted[i]!));
  if (missing.length > 0) {
    const rule = `its manifest lists hooks that it does not export: ${missing.join(", ")}`;
    refuse("manifest", source, "file", `${rule}; remove them from it, or export them`);
  }
  return wanted;
}

function configurationOf({ settings }: PluginSource, { configuration }: PluginManifest): string {
  const { config, place } = settings;
  if (configuration === undefined) return JSON.stringify(config.json);
  const problems = new Problems();
  const complete = configuration.check(config, problems);
  if (problems.count > 0) {
    const found = problems.sorted(place.file);
    throw new PluginRefusedError("configuration", found, settings.onFailure);
  }
  return JSON.stringify(complete);
}

/** @throws {PluginRefusedError} Always. */
function refuse(result: LoadResult, source: PluginSource, key: string, message: string): never {
  const { place, onFailure } = source.settings;
  const problem = { ...keyPlace(place, key), path: `plugins.${source.name}`, message };
  throw new PluginRefusedError(result, [problem], onFailure);
}

function problemText({ file, line, column, path, message }: Problem): string {
  return `${printable(file)}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
}
