/**
 * Text and environment variables in, a checked configuration or every problem out. It reads no
 * environment itself, and no file but through what it is given: they are arguments, and so is the
 * number of cores.
 *
 * @module
 */

import { mapValues } from "../base/maps.ts";
import { actConfig, checkAct } from "./act_config.ts";
import { ACT_KEYS } from "./act_keys.ts";
import { serverAuth } from "./auth_config.ts";
import { buildConfig, type BuildParts } from "./build.ts";
import { type CheckedGroup, checkGroups, checkSection, defaultGroup, placeOf } from "./check.ts";
import { CLIENT_KEYS } from "./client_keys.ts";
import { clientLogin } from "./client_login.ts";
import type { Config } from "./config.ts";
import { ConfigFiles, type FileReader, readFromDisk } from "./config_files.ts";
import { controlSocket } from "./control_socket.ts";
import { crossCheck } from "./cross_checks.ts";
import {
  LOGGER_KEYS,
  METRICS_KEYS,
  PROXY_KEYS,
  RUNTIME_KEYS,
  type SectionName,
} from "./declarations.ts";
import { readEnvironment } from "./environment.ts";
import type { Keys } from "./key.ts";
import type { Settings } from "./settings.ts";
import { expandSecrets } from "./expand_secrets.ts";
import { LIMITS_FILE_SIZE_MAX, parseLimitsFile, type PlacedLimit } from "./limits_file.ts";
import { type CheckedGroups, linkGroups } from "./links.ts";
import { logFile } from "./log_file.ts";
import { pluginsConfig } from "./plugin_config.ts";
import { PLUGIN_KEYS, PLUGINS_KEYS } from "./plugin_keys.ts";
import { POOL_KEYS, USER_KEYS } from "./pool_keys.ts";
import { ENVIRONMENT, keyPlace, type Place, type Problem, Problems } from "./problems.ts";
import { readFile } from "./read_file.ts";
import { applyReplacements, type Replacement } from "./replacements.ts";
import { type JsonObject, shownConfiguration } from "./shown_configuration.ts";
import { checkRouting, routingConfig } from "./routing_config.ts";
import { SERVER_KEYS } from "./server_keys.ts";
import { type Checking, clientTls, serverTls } from "./tls_config.ts";

export { type Problem, problemsText } from "./problems.ts";

/** Everything a configuration is made of. */
export interface ConfigSource {
  /** YAML; "" when the environment says it all. */
  readonly text: string;
  /**
   * Path of the file, such as `conf/sluice.yaml`; undefined when the environment says it all.
   * Relative paths start from its folder, or else from the working directory.
   */
  readonly fileName: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Processor cores of this machine, for `workers: auto`; from 1. */
  readonly cores: number;
  /** `SLUICE_` variables that are no settings, such as `SLUICE_CONFIG`. */
  readonly ignoredEnv?: readonly string[];
  /** Reads files that the configuration names, such as certificates. By default from the disk. */
  readonly readFile?: FileReader;
  /** What plugins say instead of the file, the last one winning; nothing if left out. */
  readonly replacements?: readonly Replacement[];
}

/** A configuration that can be run, or everything that is wrong with it. */
export type LoadedConfig =
  | {
    readonly ok: true;
    readonly config: Config;
    /** What is allowed but may surprise: unused groups, values that a variable replaced. */
    readonly notes: readonly Problem[];
    /** Returns it as JSON in the shape of the file, with every default and without secrets. */
    json(): string;
    /** Returns where a key of a group is written; where it would be, if it is not. */
    placeOf(section: SectionName, group: string, key: string): Place;
  }
  /** Never empty; in the order of the file, then the environment. */
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Loads a configuration. It throws nothing: whatever is wrong is in the list of problems. */
export function loadConfig(source: ConfigSource): LoadedConfig {
  const problems = new Problems();
  const notes = new Problems();
  const fileName = source.fileName ?? ENVIRONMENT;
  const { settings, isYaml } = readFile(source.text, fileName, problems);
  // What is missing, and which variables have a group to go to, is unknown until it is YAML.
  if (!isYaml) return { ok: false, problems: problems.sorted(fileName) };
  expandSecrets(settings, source.env, problems);
  applyReplacements(settings, source.replacements ?? [], problems);
  readEnvironment(settings, source.env, source.ignoredEnv ?? [], problems, notes);

  const groups = groupsOf(settings, problems);
  const runtime = checkSection(settings, "runtime", RUNTIME_KEYS, problems);
  const ownPlugins = checkSection(settings, "plugins", PLUGINS_KEYS, problems);
  if (groups.loggers.size === 0) {
    const { place } = settings.get("loggers")!;
    groups.loggers.set("default", defaultGroup("loggers", LOGGER_KEYS, "default", place));
  }
  linkGroups(groups, problems, notes);
  const actGroup = checkSection(settings, "act", ACT_KEYS, problems);
  const act = checkAct(actGroup, new Set(groups.proxies.keys()), problems);

  const reader = source.readFile ?? readFromDisk;
  const files = new ConfigFiles(reader, source.fileName ?? "", problems, notes);
  const { parts: fileParts, limits } = readParts(groups, { files, problems, notes });
  const parts = {
    ...fileParts,
    plugins: pluginsConfig(groups.plugins, ownPlugins, files),
    controlSocket: controlSocket(runtime, { files, problems, notes }),
  };
  crossCheck(groups, runtime, { auth: parts.auth, limits }, problems, notes);
  checkRouting(groups, parts.auth, problems);

  if (problems.count > 0) return { ok: false, problems: problems.sorted(fileName) };
  const config = buildConfig(
    groups,
    runtime,
    { ...parts, act: actConfig(act) },
    source.cores,
  );
  return {
    ok: true,
    config,
    notes: notes.sorted(fileName),
    json: () => JSON.stringify(shown(groups, { runtime, act: actGroup, plugins: ownPlugins })),
    placeOf: (section, name, key) => {
      const { place, groups } = settings.get(section)!;
      const group = groups.get(name);
      return group?.keys.get(key)?.place ?? keyPlace(group?.place ?? place, key);
    },
  };
}

function groupsOf(settings: Settings, problems: Problems): CheckedGroups {
  return {
    servers: checkGroups(settings, "servers", SERVER_KEYS, problems),
    clients: checkGroups(settings, "clients", CLIENT_KEYS, problems),
    pools: checkGroups(settings, "pools", POOL_KEYS, problems),
    proxies: checkGroups(settings, "proxies", PROXY_KEYS, problems),
    users: checkGroups(settings, "users", USER_KEYS, problems),
    plugins: checkGroups(settings, "plugins", PLUGIN_KEYS, problems),
    loggers: checkGroups(settings, "loggers", LOGGER_KEYS, problems),
    metrics: checkSection(settings, "metrics", METRICS_KEYS, problems),
  };
}

function shown(
  groups: CheckedGroups,
  { runtime, act, plugins }: Readonly<Record<"runtime" | "act" | "plugins", CheckedGroup<Keys>>>,
): JsonObject {
  return shownConfiguration({
    servers: { groups: groups.servers, keys: SERVER_KEYS },
    clients: { groups: groups.clients, keys: CLIENT_KEYS },
    pools: { groups: groups.pools, keys: POOL_KEYS },
    proxies: { groups: groups.proxies, keys: PROXY_KEYS },
    users: { groups: groups.users, keys: USER_KEYS },
    plugins: {
      groups: groups.plugins,
      keys: PLUGIN_KEYS,
      own: { group: plugins, keys: PLUGINS_KEYS },
    },
    act: { group: act, keys: ACT_KEYS },
    loggers: { groups: groups.loggers, keys: LOGGER_KEYS },
    metrics: { group: groups.metrics, keys: METRICS_KEYS },
    runtime: { group: runtime, keys: RUNTIME_KEYS },
  });
}

/** What groups say about each other, and what is in their files. */
function readParts(
  groups: CheckedGroups,
  checking: Checking,
): {
  readonly parts: Omit<BuildParts, "act" | "plugins" | "controlSocket">;
  readonly limits: ReadonlyMap<string, readonly PlacedLimit[]>;
} {
  const { files, problems } = checking;
  const limitsFiles = mapValues(
    groups.pools,
    (group) => files.resolve(group.values.limitsFile ?? ""),
  );
  const limits = mapValues(groups.pools, (group, name) => {
    const path = limitsFiles.get(name)!;
    const place = placeOf(group, "limitsFile");
    if (path === "") return [];
    const file = { path, place, sizeMax: LIMITS_FILE_SIZE_MAX, isSecret: false };
    return files.read(file, parseLimitsFile) ?? [];
  });
  const parts = {
    auth: mapValues(groups.servers, (group) => serverAuth(group, checking)),
    routing: mapValues(groups.servers, (group) => routingConfig(group, problems)),
    scripts: mapValues(groups.clients, ({ values }) => ({
      failoverScript: files.resolve(values.failoverScript ?? ""),
      switchoverScript: files.resolve(values.switchoverScript ?? ""),
    })),
    serverTls: mapValues(groups.servers, (group) => serverTls(group, checking)),
    clientTls: mapValues(groups.clients, (group) => clientTls(group, checking)),
    logins: mapValues(groups.clients, (group) => clientLogin(group, checking)),
    logFiles: mapValues(groups.loggers, (group) => logFile(group, checking)),
    limitsFiles,
    limits: mapValues(limits, (placed) => placed.map(({ limit }) => limit)),
  };
  return { parts, limits };
}
