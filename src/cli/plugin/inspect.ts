/**
 * `sluice plugin inspect`: what is in a plugin's files, without running it.
 *
 * @module
 */

import { formatSize } from "../../base/size.ts";
import { hookNames } from "../../hooks/hooks.ts";
import { signatureText } from "../../plugin_host/host_signatures.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { print } from "../terminal.ts";
import { readSubject, type Subject } from "./subject.ts";
import { grouped, harmless, listed, tableText } from "./table.ts";

const PAGE_SIZE = 65_536;

/** Host functions that need a permission, by the start of their names. */
const PERMISSION_OF: readonly (readonly [start: string, permission: string])[] = [
  ["kv_", "kv"],
  ["session_", "session"],
  ["http_send", "http"],
  ["signal", "signal"],
  ["log", "log"],
];

/** Says what a plugin is. */
export async function inspectPlugin(
  file: string,
  { json = false }: { readonly json?: boolean },
): Promise<ExitCode> {
  const subject = await readSubject(file, undefined);
  if (typeof subject === "number") return subject;
  const facts = factsOf(subject);
  print(json ? `${JSON.stringify(facts, null, 2)}\n` : factsText(facts));
  return EXIT.ok;
}

/** What there is to say of a plugin; the shape of `--json`. */
export interface PluginFacts {
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  readonly abi: string;
  /** Of the manifest, or else of the file. */
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly hasManifest: boolean;
  /** Those that it is called for. */
  readonly hooks: readonly string[];
  readonly imports: readonly { readonly name: string; readonly type: string }[];
  readonly exports: readonly { readonly name: string; readonly type: string }[];
  /** Bytes. */
  readonly memory: { readonly min: number; readonly max: number };
  /** What it asks for. */
  readonly permissions: readonly string[];
  readonly hosts: readonly string[];
  readonly messageTypes: { readonly client: readonly string[]; readonly server: readonly string[] };
  /** What becomes of traffic when it fails, unless the configuration says so. */
  readonly onFailure: "open" | "closed";
  readonly takesConfiguration: boolean;
  /** Permissions that its imports need and its manifest does not ask for. */
  readonly unasked: readonly string[];
  /** What it may do if the configuration says nothing of it. */
  readonly grantedByDefault: readonly string[];
}

function factsOf({ source, contents }: Subject): PluginFacts {
  const { size, sha256, module, manifest } = contents;
  const { permissions, hosts } = manifest;
  const imports = module.imports.map((one) => ({
    name: `${one.module}.${one.name}`,
    type: typeText(one),
  }));
  const needed = PERMISSION_OF
    .filter(([start]) => imports.some(({ name }) => name.startsWith(`sluice.${start}`)))
    .map(([, permission]) => permission);
  return {
    file: source.file,
    size,
    sha256,
    abi: module.abi,
    name: manifest.name === "" ? source.name : manifest.name,
    version: manifest.version,
    description: manifest.description,
    hasManifest: contents.hasManifest,
    hooks: manifest.hooks ?? hookNames(module.hooks),
    imports,
    exports: module.exports.map((one) => ({ name: one.name, type: typeText(one) })),
    memory: {
      min: (module.memoryPages?.min ?? 0) * PAGE_SIZE,
      max: (module.memoryPages?.max ?? 0) * PAGE_SIZE,
    },
    permissions,
    hosts,
    messageTypes: {
      client: manifest.clientMessages ?? ["all"],
      server: manifest.serverMessages ?? ["all"],
    },
    onFailure: contents.onFailure,
    takesConfiguration: manifest.configuration !== undefined,
    unasked: needed.filter((one) => !permissions.some((asked) => asked === one)),
    grantedByDefault: [],
  };
}

const FAILURE_TEXT = {
  open: "open: traffic goes on without it",
  closed: "closed: traffic is refused",
};

type Named =
  | Subject["contents"]["module"]["imports"][number]
  | Subject["contents"]["module"]["exports"][number];

function typeText(one: Named): string {
  return one.kind === "function" ? signatureText(one.type) : one.kind;
}

function factsText(facts: PluginFacts): string {
  const { memory, imports, exports, permissions, hosts } = facts;
  const asks = listed([...permissions, ...hosts.map((host) => `to ask ${host}`)]);
  const rows: (readonly [string, string])[] = [
    ["plugin", `${facts.name} ${facts.version}`.trim()],
    ["description", facts.description === "" ? "-" : facts.description],
    ["file", `${facts.file}, ${grouped(facts.size)} bytes`],
    ["SHA-256", facts.sha256],
    ["ABI", facts.abi],
    ["memory", `${formatSize(memory.min)} at first, up to ${formatSize(memory.max)}`],
    ["manifest", facts.hasManifest ? "yes" : "none: it may look and count"],
    ["hooks", facts.hooks.join(", ")],
    [
      "messages",
      `client: ${facts.messageTypes.client.join()}; ` +
      `server: ${facts.messageTypes.server.join()}`,
    ],
    ["asks for", asks],
    [
      "by default",
      permissions.length + hosts.length === 0
        ? "it is loaded"
        : "it is refused: nothing is granted unless the configuration says so",
    ],
    ["on failure", FAILURE_TEXT[facts.onFailure]],
    ["configuration", facts.takesConfiguration ? "as its manifest says" : "any"],
  ];
  const names = (list: readonly { readonly name: string; readonly type: string }[]) =>
    tableText(list.map(({ name, type }) => [`  ${harmless(name)}`, type]));
  return tableText(rows.map(([what, text]) => [what, harmless(text)])) +
    (facts.unasked.length === 0
      ? ""
      : `note: it imports what needs permissions that it does not ask for: ` +
        `${facts.unasked.join(", ")}\n`) +
    `\nimports:\n${names(imports)}\nexports:\n${names(exports)}`;
}
