/**
 * Text and environment variables in, a checked configuration or every problem out. It reads no
 * file and no environment itself: both are arguments, and so is the number of cores.
 *
 * @module
 */

import { type CheckedGroup, checkGroups, checkSection, defaultGroup } from "./check.ts";
import type { ClientConfig, Config, LoggerConfig, ServerConfig } from "./config.ts";
import {
  CLIENT_KEYS,
  type Keys,
  LOGGER_KEYS,
  METRICS_KEYS,
  POOL_KEYS,
  PROXY_KEYS,
  RUNTIME_KEYS,
  SERVER_KEYS,
  type Values,
} from "./declarations.ts";
import { readEnvironment } from "./environment.ts";
import { type CheckedGroups, linkGroups } from "./links.ts";
import { type Problem, Problems } from "./problems.ts";
import { readFile } from "./read_file.ts";

export { type Problem, problemsText } from "./problems.ts";

/** More workers than this rarely pay before somebody measured that they do. */
const AUTO_WORKERS_MAX = 4;

/** Everything a configuration is made of. */
export interface ConfigSource {
  /** YAML; "" when the environment says it all. */
  readonly text: string;
  /** Name of the file in problems, such as `sluice.yaml`. */
  readonly fileName: string;
  readonly env: Readonly<Record<string, string>>;
  /** Processor cores of this machine, for `workers: auto`; from 1. */
  readonly cores: number;
  /** `SLUICE_` variables that are no settings, such as `SLUICE_CONFIG`. */
  readonly ignoredEnv?: readonly string[];
}

/** A configuration that can be run, or everything that is wrong with it. */
export type LoadedConfig =
  | {
    readonly ok: true;
    readonly config: Config;
    /** What is allowed but may surprise: unused groups, values that a variable replaced. */
    readonly notes: readonly Problem[];
  }
  /** Never empty; in the order of the file, then the environment. */
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Loads a configuration. It throws nothing: whatever is wrong is in the list of problems. */
export function loadConfig(source: ConfigSource): LoadedConfig {
  const problems = new Problems();
  const notes = new Problems();
  const { settings, isYaml } = readFile(source.text, source.fileName, problems);
  // What is missing, and which variables have a group to go to, is unknown until it is YAML.
  if (!isYaml) return { ok: false, problems: problems.sorted() };
  readEnvironment(settings, source.env, source.ignoredEnv ?? [], problems, notes);

  const groups: CheckedGroups = {
    servers: checkGroups(settings, "servers", SERVER_KEYS, problems),
    clients: checkGroups(settings, "clients", CLIENT_KEYS, problems),
    pools: checkGroups(settings, "pools", POOL_KEYS, problems),
    proxies: checkGroups(settings, "proxies", PROXY_KEYS, problems),
    loggers: checkGroups(settings, "loggers", LOGGER_KEYS, problems),
    metrics: checkSection(settings, "metrics", METRICS_KEYS, problems),
  };
  const runtime = checkSection(settings, "runtime", RUNTIME_KEYS, problems);
  if (groups.loggers.size === 0) {
    const { place } = settings.get("loggers")!;
    groups.loggers.set("default", defaultGroup(LOGGER_KEYS, "default", place));
  }
  linkGroups(groups, problems, notes);

  if (problems.count > 0) return { ok: false, problems: problems.sorted() };
  return { ok: true, config: build(groups, runtime, source.cores), notes: notes.sorted() };
}

function build(
  groups: CheckedGroups,
  runtime: CheckedGroup<typeof RUNTIME_KEYS>,
  cores: number,
): Config {
  const { workers, shutdownTimeout } = complete(runtime);
  const autoWorkers = Math.min(AUTO_WORKERS_MAX, Math.max(1, Math.trunc(cores) || 1));
  return {
    servers: mapValues(groups.servers, (group) => serverConfig(complete(group))),
    clients: mapValues(groups.clients, (group) => clientConfig(complete(group))),
    pools: mapValues(groups.pools, (group) => {
      const { size, acquireTimeout, waitersMax } = complete(group);
      return { size, acquireTimeoutMs: acquireTimeout, waitersMax };
    }),
    proxies: mapValues(groups.proxies, (group) => ({ ...complete(group) })),
    loggers: mapValues(groups.loggers, (group): LoggerConfig => ({ ...complete(group) })),
    metrics: { ...complete(groups.metrics) },
    runtime: {
      workers: workers === "auto" ? autoWorkers : workers,
      shutdownTimeoutMs: shutdownTimeout,
    },
  };
}

/** Without problems no value is missing; only `checkGroups` knows that, not the type. */
function complete<K extends Keys>(group: CheckedGroup<K>): Values<K> {
  return group.values as Values<K>;
}

function serverConfig(values: Values<typeof SERVER_KEYS>): ServerConfig {
  const { loginTimeout, ...rest } = values;
  return { ...rest, loginTimeoutMs: loginTimeout };
}

function clientConfig(values: Values<typeof CLIENT_KEYS>): ClientConfig {
  const { dialTimeout, backoff, ...rest } = values;
  return { ...rest, dialTimeoutMs: dialTimeout, backoffMs: backoff };
}

function mapValues<A, B>(
  map: ReadonlyMap<string, A>,
  change: (value: A) => B,
): ReadonlyMap<string, B> {
  return new Map([...map].map(([name, value]) => [name, change(value)]));
}
