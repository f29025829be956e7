/**
 * Plays a script of messages to a server or to a gateway in front of one, and writes down what came
 * back as lines that can be compared: all of it but what cannot be the same twice, such as process
 * ids and the OIDs of what was just made.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { int32At, putInt32, uint16At } from "../../src/base/bytes.ts";
import { errorFields, query, readable } from "./messages.ts";
import { type ClientTarget, type Message, ProtocolClient } from "./protocol_client.ts";
import { PATIENCE_MS, within } from "./wait.ts";

/** FirstNormalObjectId in PostgreSQL's access/transam.h: OIDs from here on are not built in. */
const FIRST_NORMAL_OID = 16_384;

/** Bodies above this are shown by size and hash: 20 MB as text would be 20 MB of noise. */
const BODY_SHOWN_MAX = 4_096;

/** What is waited for before a script goes on. */
export type Until =
  /** So many ReadyForQuery. */
  | { readonly ready: number }
  /** So many messages of a type. */
  | { readonly tag: string; readonly count: number }
  /** An EmptyQueryResponse and the ReadyForQuery behind it: the answer to {@linkcode mark}. */
  | { readonly kind: "mark" }
  /** The other side closes. */
  | { readonly kind: "end" }
  /** Nothing: what comes is written down at the next wait. */
  | { readonly kind: "nothing" };

/** Messages that go out in one write, and what is waited for then. */
export interface Exchange {
  readonly say: readonly Uint8Array[];
  readonly until: Until;
}

/** A dialogue from the client's side. */
export interface Script {
  /** Of the StartupMessage, besides user and database. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly exchanges: readonly Exchange[];
}

/** How to play a script. */
export interface PlayOptions {
  /** Called before each exchange while no transaction is open and nothing is awaited. */
  readonly between?: () => Promise<void>;
  /** Cuts what is written; default: one write for each exchange. */
  readonly cut?: (bytes: Uint8Array) => readonly Uint8Array[];
  /** Changes lines before they are compared. */
  readonly normalize?: (line: string) => string;
}

/** Says `messages`, and waits for so many ReadyForQuery. */
export function say(messages: readonly Uint8Array[], ready = 1): Exchange {
  return { say: messages, until: ready === 0 ? { kind: "nothing" } : { ready } };
}

/** A Query and its answer. */
export function ask(text: string): Exchange {
  return say([query(text)]);
}

/** Says `messages`, and waits for `count` messages of type `tag`. */
export function sayUntil(tag: string, messages: readonly Uint8Array[], count = 1): Exchange {
  return { say: messages, until: { tag, count } };
}

/** Says `messages`, and waits until the other side closes. */
export function sayLast(messages: readonly Uint8Array[]): Exchange {
  return { say: messages, until: { kind: "end" } };
}

const MARK: Until = { kind: "mark" };

/** Says `messages` and a {@linkcode mark}, and waits for its answer: however much comes before. */
export function sayMarked(messages: readonly Uint8Array[]): Exchange {
  return { say: [...messages, mark], until: MARK };
}

/** A Query that does nothing anywhere, not even in a failed transaction: its answer is a mark. */
export const mark: Uint8Array = query("/* mark */");

/**
 * Plays `script` on a connection of its own.
 *
 * @returns A line for each message, and one before each exchange.
 * @throws {Error} If an answer does not come; its message holds what came before.
 */
export async function play(
  target: ClientTarget,
  script: Script,
  options: PlayOptions = {},
): Promise<string[]> {
  const { between, cut = (bytes) => [bytes], normalize = (line) => line } = options;
  using client = await ProtocolClient.logIn(target, { parameters: script.parameters ?? {} });
  const lines: string[] = [];
  let isSettled = true;
  for (const [index, exchange] of script.exchanges.entries()) {
    if (isSettled && client.status === "I") await between?.();
    lines.push(`-- ${index}`);
    for (const bytes of exchange.say) {
      for (const piece of cut(bytes)) client.send(piece);
    }
    const add = (got: Message) => lines.push(normalize(lineOf(got)));
    await within(PATIENCE_MS, `exchange ${index}`, hear(client, exchange.until, add))
      .catch((error: Error) => {
        const heard = lines.slice(-40).join("\n");
        throw new Error(`${error.message}. The last of what came:\n${heard}`, { cause: error });
      });
    isSettled = "ready" in exchange.until || exchange.until === MARK;
  }
  return sortedParameterStatus(lines);
}

/** The server tells of several parameters in an order that depends on the history of each. */
function sortedParameterStatus(lines: readonly string[]): string[] {
  const sorted: string[] = [];
  let run: string[] = [];
  for (const line of [...lines, ""]) {
    if (line.startsWith("S ")) run.push(line);
    else {
      sorted.push(...run.sort(), line);
      run = [];
    }
  }
  return sorted.slice(0, -1);
}

/** Hands every message to `add` until what `until` waits for has come, or the connection ends. */
async function hear(
  client: ProtocolClient,
  until: Until,
  add: (got: Message) => void,
): Promise<void> {
  if ("kind" in until && until.kind === "nothing") return;
  let left = "ready" in until ? until.ready : "tag" in until ? until.count : Infinity;
  const counted = "tag" in until ? until.tag : "Z";
  let isMarked = false;
  for (;;) {
    const got = await client.next();
    if (got === undefined) {
      if (!("kind" in until)) throw new Error("The connection ended");
      add({ tag: "end", bytes: new Uint8Array(5) });
      return;
    }
    add(got);
    if ("kind" in until) {
      if (until.kind === "mark" && isMarked && got.tag === "Z") return;
      isMarked ||= got.tag === "I" || isInternalError(got);
    } else if (got.tag === counted && --left === 0) {
      return;
    }
  }
}

/** PostgreSQL answers a mark behind some pipelines, as a FunctionCall in one, with an error. */
function isInternalError({ tag, bytes }: Message): boolean {
  return tag === "E" && errorFields(bytes).get("C") === "XX000";
}

/** What every connection is told at login, sorted: in which order does not matter. */
export function parametersOf(client: ProtocolClient): string[] {
  return [...client.parameters].map(([name, value]) => `${name}=${value}`).sort();
}

/** A message as one line, without what differs from one run to the next. */
export function lineOf({ tag, bytes }: Message): string {
  const body = withoutChance(tag, bytes).subarray(5);
  if (body.length > BODY_SHOWN_MAX) {
    return `${tag} ${body.length} bytes ${createHash("sha256").update(body).digest("hex")}`;
  }
  return `${tag} ${readable(body)}`
    .replaceAll(/\bpg_temp_\d+/g, "pg_temp_N")
    .replaceAll(/\bpg_toast_temp_\d+/g, "pg_toast_temp_N");
}

/** The same message with process ids and OIDs of what users made as 0. */
function withoutChance(tag: string, original: Uint8Array): Uint8Array {
  const bytes = original.slice();
  if (tag === "A") putInt32(bytes, 5, 0);
  if (tag === "t") {
    for (let at = 7; at + 4 <= bytes.length; at += 4) hideOid(bytes, at);
  }
  if (tag === "T") {
    let at = 7;
    for (let left = uint16At(bytes, 5); left > 0; left--) {
      at = bytes.indexOf(0, at) + 1;
      hideOid(bytes, at);
      hideOid(bytes, at + 6);
      at += 18;
    }
  }
  return bytes;
}

function hideOid(bytes: Uint8Array, at: number): void {
  if (int32At(bytes, at) >>> 0 >= FIRST_NORMAL_OID) putInt32(bytes, at, 0);
}

/** Lines shown on both sides of a difference. */
const LINES_AROUND = 6;

/** Fails with the first difference, and what stands around it, unless both are the same. */
export function assertSameLines(actual: readonly string[], expected: readonly string[]): void {
  const length = Math.max(actual.length, expected.length);
  for (let i = 0; i < length; i++) {
    if (actual[i] === expected[i]) continue;
    const before = expected.slice(Math.max(0, i - LINES_AROUND), i).map((line) => `  ${line}`);
    const here = (lines: readonly string[], sign: string) =>
      lines.slice(i, i + LINES_AROUND).map((line) => `${sign} ${line}`);
    const shown = [...before, ...here(expected, "-"), ...here(actual, "+")];
    throw new Error(`Line ${i} is not the server's own (-):\n${shown.join("\n")}`);
  }
}
