/**
 * What the SDKs' sources say of the plugin contract, read with a few patterns for each language, in
 * the words of `wit/sluice.wit`.
 *
 * @module
 */

import type { Numbers } from "./plugin_contract.ts";

/** What an SDK declares. */
export interface SdkFacts {
  readonly enums: Readonly<Record<string, Numbers>>;
  /** Names and sizes in bytes of the event's fields, in order. */
  readonly event: readonly (readonly [name: string, size: number])[];
  /** Names and types of what is imported: "i32 i32 -> i64". */
  readonly imports: Readonly<Record<string, string>>;
  readonly hooks: Numbers;
}

/** Reads one SDK's source. @throws {Error} If something that must be there is not. */
export type SdkReader = (source: string) => SdkFacts;

/** What enums are called in WIT, by what they are called in AssemblyScript and Zig. */
const ENUMS: Readonly<Record<string, string>> = {
  Verdict: "verdict",
  Phase: "phase",
  Flag: "event-flags",
  Flags: "event-flags",
  Field: "field",
  LogLevel: "log-level",
  MetricKind: "metric-kind",
  Clock: "clock-id",
  HostError: "host-error",
};

/** What enums are called in WIT, by what they are called in C, and how their cases begin. */
const C_ENUMS: Readonly<Record<string, readonly [name: string, prefix: string]>> = {
  "sluice_verdict": ["verdict", "SLUICE_"],
  "sluice_phase": ["phase", "SLUICE_PHASE_"],
  "sluice_flag": ["event-flags", "SLUICE_"],
  "sluice_field_name": ["field", "SLUICE_FIELD_"],
  "sluice_log_level": ["log-level", "SLUICE_LOG_"],
  "sluice_metric_kind": ["metric-kind", "SLUICE_METRIC_"],
  "sluice_clock_id": ["clock-id", "SLUICE_CLOCK_"],
  "sluice_host_error": ["host-error", "SLUICE_ERROR_"],
};

/** `canReplace`, `can_replace` and `CAN_REPLACE` as `can-replace`. */
export function kebab(name: string): string {
  const isConstant = name === name.toUpperCase();
  const words = isConstant ? name : name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`);
  return words.toLowerCase().replace(/^_/, "").replaceAll("_", "-");
}

/** Cases of an enum: `a, b = 3, c`. What has no number has the next one. */
function numbered(cases: string, nameOf: (name: string) => string): Numbers {
  const numbers: Record<string, number> = {};
  let next = 0;
  for (const one of cases.replaceAll(/\/\/.*$|\/\*.*?\*\//gm, "").split(",")) {
    const [name, number] = one.split("=").map((part) => part.trim());
    if (name === "" || name === "_") continue;
    const value = number === undefined ? next : Number(number);
    numbers[nameOf(name!.replaceAll(/[@"]/g, ""))] = value;
    next = value + 1;
  }
  return numbers;
}

/** The first group of the one match there is. */
function only(source: string, pattern: RegExp): string {
  const found = [...source.matchAll(new RegExp(pattern, "g"))];
  if (found.length !== 1) throw new Error(`${found.length} places are like ${pattern}`);
  return found[0]![1]!;
}

function importsOf(
  source: string,
  form: RegExp,
  typeOf: (declaration: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries([...source.matchAll(form)].map(({ groups }) => {
    const parameters = groups!["parameters"]!.split(",").map((one) => one.trim())
      .filter((one) => one !== "").map(typeOf);
    const name = groups!["name"]!.replaceAll(/[@"]/g, "");
    return [name, `${parameters.join(" ")} -> ${typeOf(groups!["result"]!)}`];
  }));
}

/** A number's type as WebAssembly has it. */
function wasmType(type: string): string {
  const types: Readonly<Record<string, string>> = {
    i32: "i32",
    u32: "i32",
    usize: "i32",
    "int32_t": "i32",
    i64: "i64",
    "int64_t": "i64",
    f64: "f64",
    double: "f64",
  };
  const found = types[type];
  if (found === undefined) throw new Error(`No import has a parameter of type '${type}'`);
  return found;
}

function hookNumbers(enums: Readonly<Record<string, Numbers>>, hooks: Numbers): SdkFacts["hooks"] {
  if (Object.keys(enums).length !== 8) throw new Error("An enum is missing");
  return hooks;
}

/** Sizes in bytes, by the ends of types' names: u16, uint16_t. */
function sizeOf(type: string): number {
  return Number(/\d+/.exec(type)?.[0]) / 8;
}

function assemblyScript(source: string): SdkFacts {
  const bodies = [...source.matchAll(/^export enum (\w+) \{([^}]*)\}/gm)];
  const enums = Object.fromEntries(
    bodies.filter(([, name]) => name! in ENUMS)
      .map(([, name, cases]) => [ENUMS[name!]!, numbered(cases!, kebab)]),
  );
  const event = only(source, /class Event \{([\s\S]*?)\n\s*\n/);
  const form = new RegExp(
    '@external\\("sluice", "(?<name>\\w+)"\\)\\s+' +
      "declare function \\w+\\((?<parameters>[^)]*)\\): (?<result>\\w+);",
    "g",
  );
  const hooks = numbered(only(source, /enum Hook \{([^}]*)\}/), kebab);
  return {
    enums,
    event: [...event.matchAll(/^ {2}(\w+): (\w+);$/gm)].map(([, name, type]) =>
      [kebab(name!), sizeOf(type!)] as const
    ),
    imports: importsOf(source, form, (one) => wasmType(one.replace(/^\w+: /, ""))),
    hooks: hookNumbers(enums, hooks),
  };
}

function c(source: string): SdkFacts {
  const bodies = [...source.matchAll(/^typedef enum \{([^}]*)\} (\w+);/gm)];
  const enums: Record<string, Numbers> = {};
  for (const [, cases, type] of bodies) {
    const [name, prefix] = C_ENUMS[type!] ?? [];
    if (name === undefined) continue;
    enums[name] = numbered(cases!, (one) => kebab(one.slice(prefix!.length)));
    if (!cases!.trim().split(/\s*,\s*/).every((one) => one === "" || one.startsWith(prefix!))) {
      throw new Error(`A case of ${type} does not begin with ${prefix}`);
    }
  }
  const event = only(source, /typedef struct \{([^}]*)\} sluice_event_block;/);
  const form = /^SLUICE_IMPORT\("(?<name>\w+)"\) (?<result>\w+) \w+\((?<parameters>[^)]*)\);/gm;
  const hooks = bodies.find(([, , type]) => type === "sluice_hook")![1]!;
  return {
    enums,
    event: [...event.matchAll(/^ {4}(\w+) (\w+);$/gm)].map(([, type, name]) =>
      [kebab(name!), sizeOf(type!)] as const
    ),
    imports: importsOf(source, form, (one) => {
      if (one.includes("*")) return "i32";
      return wasmType(one.split(/\s+/)[0]!);
    }),
    hooks: hookNumbers(
      enums,
      numbered(hooks, (one) => kebab(one.replace("SLUICE_HOOK_", ""))),
    ),
  };
}

function zig(source: string): SdkFacts {
  const bodies = [...source.matchAll(/^pub const (\w+) = enum\(\w+\) \{([^}]*)\};/gm)];
  const enums = Object.fromEntries(
    bodies.filter(([, name]) => name! in ENUMS)
      .map(([, name, cases]) => [ENUMS[name!]!, numbered(cases!, kebab)]),
  );
  const flags = only(source, /pub const Flags = packed struct\(u32\) \{([^}]*)\};/);
  enums["event-flags"] = Object.fromEntries(
    [...flags.matchAll(/^ {4}(\w+): bool,$/gm)].map(([, name], i) => [kebab(name!), 1 << i]),
  );
  const event = only(source, /pub const Event = extern struct \{([^}]*)\};/);
  const sizes: Readonly<Record<string, string>> = { Hook: "u16", Flags: "u32", Phase: "u8" };
  const form = /extern "sluice" fn (?<name>[\w@"]+)\((?<parameters>[^)]*)\) (?<result>\w+);/g;
  const hooks = numbered(only(source, /pub const Hook = enum\(u16\) \{([^}]*)\}/), kebab);
  return {
    enums,
    event: [...event.matchAll(/^ {4}(\w+): (\w+),$/gm)].map(([, name, type]) =>
      [kebab(name!), sizeOf(sizes[type!] ?? type!)] as const
    ),
    imports: importsOf(source, form, (one) => {
      const type = one.replace(/^\w+: /, "");
      return type.includes("[*]") ? "i32" : wasmType(type);
    }),
    hooks: hookNumbers(enums, hooks),
  };
}

/** SDKs of one file each, and how to read them. */
export const SDK_READERS: Readonly<Record<string, SdkReader>> = {
  "assemblyscript/sluice.ts": assemblyScript,
  "c/sluice.h": c,
  "zig/sluice.zig": zig,
};
