/**
 * What a plugin says about itself: a file `hello.yaml` beside `hello.wasm`, or the custom section
 * `sluice.manifest` of the module. The contract is `wit/README.md`.
 *
 * @module
 */

import { type Permission, PERMISSIONS } from "../base/permissions.ts";
import { formatSize } from "../base/size.ts";
import { didNotFit } from "./check.ts";
import { type ConfigurationSchema, configurationSchema } from "./configuration_schema.ts";
import { type FreeKeys, freeKeys } from "./free_keys.ts";
import { type Key, key, keyNodes, type Keys, type Values } from "./key.ts";
import { int, oneOf, size } from "./key_types.ts";
import { listOf } from "./list_type.ts";
import {
  FUEL_PER_CALL,
  HOST,
  MEMORY_MAX,
  PLUGIN_NAME_PATTERN,
  PLUGIN_NAME_RULE,
  wholePages,
} from "./plugin_keys.ts";
import { type Place, Problems } from "./problems.ts";
import { recognize } from "./read_file.ts";
import { text } from "./text_types.ts";
import { type YamlEntry, YamlFile } from "./yaml_file.ts";

/** Names that a manifest may use, which are known elsewhere. */
export interface ManifestNames {
  readonly hooks: readonly string[];
  readonly clientMessages: readonly string[];
  readonly serverMessages: readonly string[];
}

/** What a plugin says about itself. */
export interface PluginManifest {
  /** "" where it does not say. */
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Undefined is every hook that the module exports. */
  readonly hooks: readonly string[] | undefined;
  /** Undefined is every type of message, and so it is for those of servers. */
  readonly clientMessages: readonly string[] | undefined;
  readonly serverMessages: readonly string[] | undefined;
  /** What it asks for. */
  readonly permissions: readonly Permission[];
  readonly hosts: readonly string[];
  /** What becomes of traffic when it fails; undefined where it does not say. */
  readonly onFailure: "open" | "closed" | undefined;
  /** What a call may use, and an instance have; undefined where it does not ask for anything. */
  readonly limits: {
    readonly fuelPerCall: number | undefined;
    /** In bytes: a multiple of 65,536. */
    readonly memoryMax: number | undefined;
  };
  /** Undefined takes any configuration. */
  readonly configuration: ConfigurationSchema | undefined;
}

/** Of a module that has no manifest. */
export const NO_MANIFEST: PluginManifest = {
  name: "",
  version: "",
  description: "",
  hooks: undefined,
  clientMessages: undefined,
  serverMessages: undefined,
  permissions: [],
  hosts: [],
  onFailure: undefined,
  limits: { fuelPerCall: undefined, memoryMax: undefined },
  configuration: undefined,
};

/** Items of each list: more than there are hooks, messages or hosts that anybody needs. */
const ITEMS_MAX = 100;

/** How many times the default of a limit a plugin may have without its operator's word. */
const LIMIT_FACTOR_MAX = 10;

/** What a version may be: it becomes the value of a metric's label. */
const VERSION_PATTERN = "^[A-Za-z0-9.+_-]{0,64}$";

function manifestKeys({ hooks, clientMessages, serverMessages }: ManifestNames) {
  const none = { kind: "empty list" } as const;
  return {
    name: key(
      text(PLUGIN_NAME_RULE, `${PLUGIN_NAME_PATTERN}|^$`),
      "",
      "As in the configuration.",
    ),
    version: key(text("at most 64 of A-Z, a-z, 0-9, ., +, _ and -", VERSION_PATTERN), "", "Any."),
    description: key(text("at most 1000 characters", "^[^]{0,1000}$"), "", "For people."),
    hooks: key(listOf(oneOf(...hooks), "hooks", ITEMS_MAX), none, "Which of those it exports."),
    "messageTypes.client": key(
      listOf(oneOf(...clientMessages), "messages", ITEMS_MAX),
      none,
      "Which messages from clients.",
    ),
    "messageTypes.server": key(
      listOf(oneOf(...serverMessages), "messages", ITEMS_MAX),
      none,
      "Which messages from servers.",
    ),
    permissions: key(
      listOf(oneOf(...PERMISSIONS), "words", ITEMS_MAX),
      none,
      "What it does beside looking and counting.",
    ),
    hosts: key(listOf(HOST, "hosts", ITEMS_MAX), none, "Whom it asks by HTTP."),
    onFailure: key(
      oneOf("open", "closed"),
      "open",
      "What becomes of traffic when it fails.",
    ),
    "limits.fuelPerCall": key(
      int(1_000, LIMIT_FACTOR_MAX * FUEL_PER_CALL),
      String(FUEL_PER_CALL),
      "Units that one call may use.",
    ),
    "limits.memoryMax": key(
      size(65_536, LIMIT_FACTOR_MAX * MEMORY_MAX),
      formatSize(MEMORY_MAX),
      "Memory that each instance may have.",
    ),
    config: key(freeKeys(), { kind: "empty keys" }, "JSON Schema of its configuration."),
  };
}

/**
 * Takes a manifest apart.
 *
 * @param fileName Where it is from, for the places of problems.
 * @returns Undefined if there are problems.
 */
export function parseManifest(
  text: string,
  fileName: string,
  names: ManifestNames,
  problems: Problems,
): PluginManifest | undefined {
  const own = new Problems();
  const file = new YamlFile(text, fileName, own);
  const keys = manifestKeys(names);
  const read = file.isYaml ? new ManifestReader(file, own).read(keys) : undefined;
  const schema = read?.values.config;
  const place = read?.places.get("config");
  const configuration = schema === undefined || place === undefined
    ? undefined
    : configurationSchema((schema as FreeKeys).json, place, own);
  const closed = read?.values.onFailure === "closed" ? read.places.get("onFailure") : undefined;
  // Who may only look could otherwise refuse traffic, by failing.
  if (closed !== undefined && !read?.values.permissions?.includes("reject")) {
    own.add(
      closed,
      "closed is for plugins with the permission reject; add it to permissions, or write open",
    );
  }
  for (const problem of own.sorted(fileName)) problems.add(problem, problem.message);
  if (read === undefined || own.count > 0) return undefined;
  const { values, places } = read as Read<typeof keys>;
  const written = <T>(name: keyof typeof keys, value: T) => places.has(name) ? value : undefined;
  const memoryMax = written("limits.memoryMax", values["limits.memoryMax"]);
  return {
    name: values.name ?? "",
    version: values.version ?? "",
    description: values.description ?? "",
    hooks: written("hooks", values.hooks),
    clientMessages: written("messageTypes.client", values["messageTypes.client"]),
    serverMessages: written("messageTypes.server", values["messageTypes.server"]),
    permissions: values.permissions ?? [],
    hosts: values.hosts ?? [],
    onFailure: written("onFailure", values.onFailure),
    limits: {
      fuelPerCall: written("limits.fuelPerCall", values["limits.fuelPerCall"]),
      memoryMax: memoryMax === undefined ? undefined : wholePages(memoryMax),
    },
    configuration,
  };
}

/** The keys that are written, with their places. */
interface Read<K extends Keys> {
  readonly values: Partial<Values<K>>;
  readonly places: ReadonlyMap<string, Place>;
}

class ManifestReader {
  readonly #file: YamlFile;
  readonly #problems: Problems;
  readonly #values: Record<string, unknown> = {};
  readonly #places = new Map<string, Place>();

  constructor(file: YamlFile, problems: Problems) {
    this.#file = file;
    this.#problems = problems;
  }

  read<K extends Keys>(keys: K): Read<K> {
    const { root, start } = this.#file;
    if (!this.#file.isNothing(root)) {
      const entries = this.#file.entries(root, "");
      if (entries !== undefined) this.#readKeys(keys, entries, "");
      else this.#problems.add(start, `expected keys; got ${this.#file.describe(root)}`);
    }
    // Each value was read by its own key's type.
    return { values: this.#values as Partial<Values<K>>, places: this.#places };
  }

  #readKeys(keys: Keys, entries: readonly YamlEntry[], prefix: string): void {
    const nodes = keyNodes(keys);
    const known = nodes.map(({ name }) => name);
    for (const [name, entry] of recognize(entries, known, this.#problems, () => undefined)) {
      const { key: declared, below } = nodes.find((node) => node.name === name)!;
      if (below === undefined) {
        this.#readValue(prefix + name, declared!, entry);
        continue;
      }
      const inner = this.#file.entries(entry.node, entry.valuePlace.path);
      if (inner !== undefined) this.#readKeys(below, inner, `${prefix}${name}.`);
      else this.#problems.add(entry.valuePlace, `expected the keys ${Object.keys(below).join()}`);
    }
  }

  #readValue(path: string, declared: Key<unknown>, entry: YamlEntry): void {
    const isFree = declared.type.isFree === true;
    const written = isFree ? this.#file.freeValue(entry) : this.#file.value(entry);
    const reading = declared.type.read(written);
    this.#places.set(path, entry.keyPlace);
    if (reading.ok) this.#values[path] = reading.value;
    else this.#problems.add(reading.place, didNotFit(declared, "", reading.got));
  }
}
