import { deepEqual, equal, ok } from "node:assert/strict";
import { parse } from "yaml";
import { SECTIONS } from "../../src/config/declarations.ts";
import { loadConfig, problemsText } from "../../src/config/load.ts";
import { configTemplate } from "../../src/config/template.ts";

/** Removes the "#" in front of every key. */
function uncomment(template: string): string {
  return template.replaceAll(/^( *)#(?=[a-z])/gm, "$1");
}

/** Names of everything below `keys` that is a value, with dots between those of one. */
function paths(keys: object, prefix: string): readonly string[] {
  return Object.entries(keys).flatMap(([name, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value) &&
      Object.keys(value).length > 0
      ? paths(value, `${prefix}${name}.`)
      : [prefix + name]
  );
}

function load(text: string) {
  const loaded = loadConfig({ text, fileName: "sluice.yaml", env: {}, cores: 2 });
  ok(loaded.ok, loaded.ok ? "" : problemsText(loaded.problems));
  return loaded;
}

Deno.test("configTemplate is the smallest useful file", () => {
  deepEqual(parse(configTemplate()), {
    servers: { default: { address: "127.0.0.1:15432" } },
    clients: { default: { address: "127.0.0.1:5432" } },
  });
  deepEqual(load(configTemplate()).notes, []);
});

Deno.test("configTemplate means the same with every default uncommented", () => {
  const smallest = load(configTemplate()).config;
  const complete = load(uncomment(configTemplate())).config;
  const { loggers, users, plugins, ...others } = complete;
  const {
    loggers: smallestLoggers,
    users: smallestUsers,
    plugins: smallestPlugins,
    ...smallestOthers
  } = smallest;
  deepEqual(others, smallestOthers);
  deepEqual(loggers.get("default"), smallestLoggers.get("default"));
  // Places, and whether a directory is written, are what is written and not what it means.
  const { isDirectoryWritten: _, plugins: groups, others: defaults, ...ofPlugins } = plugins;
  deepEqual(ofPlugins, {
    directory: "plugins",
    enabled: true,
    tickIntervalMs: 1_000,
  });
  equal(smallestPlugins.directory, ofPlugins.directory);
  equal(smallestPlugins.tickIntervalMs, ofPlugins.tickIntervalMs);
  const { file, place: _place, config, ...hello } = groups.get("hello")!;
  const { place: _other, config: ofOthers, ...other } = defaults;
  equal(file, "plugins/hello.wasm");
  // So are those that a plugin's manifest may say where they are not.
  const written = { isOnFailureWritten: true, isFuelWritten: true, isMemoryWritten: true };
  deepEqual(hello, { ...other, ...written });
  deepEqual([config.json, ofOthers.json], [{}, {}]);
  // Naming a user without saying anything of it changes nothing, but it has to be named.
  equal(smallestUsers.size, 0);
  deepEqual(users.get("app"), {
    mode: "pool",
    poolSize: 0,
    queryTimeoutMs: 0,
    transactionTimeoutMs: 0,
    idleTransactionTimeoutMs: 0,
    connectionsMax: 0,
  });
});

Deno.test("configTemplate has every key", () => {
  const complete = parse(uncomment(configTemplate())) as Record<string, Record<string, unknown>>;
  for (const section of SECTIONS) {
    const written = complete[section.name]!;
    const ownKeys = Object.keys(section.ownKeys ?? {});
    const groups = section.groups === undefined
      ? [written]
      : Object.entries(written).filter(([name]) => !ownKeys.includes(name)).map(([, of]) => of);
    for (const key of ownKeys) ok(key in written, key);
    const keys = new Set(groups.flatMap((group) => paths(group as object, "")));
    deepEqual([...keys].toSorted(), Object.keys(section.keys).toSorted(), section.name);
  }
});

Deno.test("configTemplate fits into 100 columns and ends with one line end", () => {
  for (const line of configTemplate().split("\n")) ok(line.length <= 100, line);
  equal(/[^\n]\n$/.test(configTemplate()), true);
});
