/**
 * The plugin contract as data: `wit/sluice.wit`, read by a parser for the part of WIT that the file
 * uses.
 *
 * @module
 */

import { blockOf } from "../../wit/blocks.ts";

/** One thing with its place in a list. */
export type Numbers = Readonly<Record<string, number>>;

/** The contract, with names as in WIT: words joined by "-". */
export interface Contract {
  /** From the package's version: 0.1.0 is 1. */
  readonly package: string;
  /** Every enum and flags: its cases with the numbers that they have in a module. */
  readonly enums: Readonly<Record<string, Numbers>>;
  /** Names and types of the event, in order. */
  readonly event: readonly (readonly [name: string, type: string])[];
  /** The types of each host function in a module: "i32 i32 -> i64". */
  readonly host: Readonly<Record<string, string>>;
  /** Hooks in order, and what each may give, beside forward. */
  readonly hooks: readonly (readonly [name: string, verdicts: readonly string[]])[];
}

const LOWERED: Readonly<Record<string, string>> = {
  "string": "i32 i32",
  "list<u8>": "i32 i32",
  "option<list<u8>>": "i32 i32",
  "buffer": "i32 i32",
  "result<u32, host-error>": "i32",
  "u32": "i32",
  "s64": "i64",
  "f64": "f64",
};

/** Reads the WIT text. @throws {Error} If it has something that is not understood. */
export function parseContract(wit: string): Contract {
  const types = blockOf(wit, "interface types");
  const enums: Record<string, Numbers> = {};
  for (const { name, kind, body } of declarations(types)) {
    if (kind === "enum" || kind === "flags") {
      enums[name] = Object.fromEntries(
        withoutComments(body).split(",").map((one) => one.trim()).filter((one) => one !== "")
          .map((one, index) => [one, numberOf(name, kind, index)]),
      );
    }
  }
  const record = declarations(types).find(({ kind }) => kind === "record");
  if (record?.name !== "event") throw new Error("The one record of sluice.wit is not event");
  return {
    package: /^package (\S+);$/m.exec(wit)?.[1] ?? "",
    enums,
    event: [...withoutComments(record.body).matchAll(/([\w-]+): ([\w-]+),/g)].map((match) =>
      [match[1]!, match[2]!] as const
    ),
    host: Object.fromEntries(
      functions(wit, "host").map((
        { name, parameters, result },
      ) => [name, lowered(parameters, result, enums)]),
    ),
    hooks: functions(wit, "hooks").map(({ name, comment }) => [name, verdictsIn(comment)]),
  };
}

/** Numbers of errors are negative, those of hooks begin with 1, and flags are bits. */
function numberOf(name: string, kind: string, index: number): number {
  if (name === "host-error") return -1 - index;
  return kind === "flags" ? 1 << index : index;
}

function declarations(block: string) {
  const heads = block.matchAll(/^ *(enum|flags|record) ([\w-]+) \{([^}]*)\}/gm);
  return [...heads].map(([, kind, name, body]) => ({ kind: kind!, name: name!, body: body! }));
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\/.*$/gm, "");
}

/** Functions of an interface, each with the comment above it. */
function functions(wit: string, name: string) {
  const form = /((?:^ *\/\/\/.*\n)*)^ *([\w-]+): func\((.*)\) -> (.*);$/gm;
  return [...blockOf(wit, `interface ${name}`).matchAll(form)].map(
    ([, comment, name, parameters, result]) => ({
      comment: comment!.replaceAll(/\s*\/\/\/\s*/g, " "),
      name: name!,
      parameters: [...parameters!.matchAll(/[\w-]+: ([^,]+)(?:, |$)/g)].map((one) => one[1]!),
      result: result!,
    }),
  );
}

function lowered(
  parameters: readonly string[],
  result: string,
  enums: Contract["enums"],
): string {
  const types = [...parameters, result].map((type) => {
    const found = type in enums ? "i32" : LOWERED[type];
    if (found === undefined) throw new Error(`sluice.wit has a type '${type}'`);
    return found;
  });
  return `${types.slice(0, -1).join(" ")} -> ${types.at(-1)}`;
}

/** "Verdicts: replace, close; and respond, for a Query." */
function verdictsIn(comment: string): string[] {
  const list = /Verdicts: ([^.]*)\./.exec(comment)?.[1] ?? "";
  return [...list.matchAll(/\b(?:replace|respond|reject|close|route)\b/g)].map(([word]) => word);
}

/** The text of `wit/sluice.wit`. */
export const WIT: string = Deno.readTextFileSync(
  new URL("../../wit/sluice.wit", import.meta.url),
);

/** The contract that is in force. */
export const CONTRACT: Contract = parseContract(WIT);

/** Host functions, as a module imports them. */
export const HOST_FUNCTIONS: readonly string[] = Object.keys(CONTRACT.host).map((name) =>
  name.replaceAll("-", "_")
);
