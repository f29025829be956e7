/**
 * As much of a server as it takes to tell what plugins' rules have a client hear: texts are words
 * that say what becomes of them.
 *
 * @module
 */

import { concat } from "../../src/base/bytes.ts";
import {
  type Bytes,
  complete,
  cut,
  dataRow,
  error,
  message,
  ready,
  ROW_DESCRIPTION,
} from "./messages.ts";

/** What both a server and a plugin answer to `cached`. */
export const HIT: Bytes = concat(ROW_DESCRIPTION, dataRow("hit"), complete("SELECT 1"));

/** One server. */
export class RuledServer {
  /** Whether it rejects by itself what a plugin would. */
  readonly #hasRules: boolean;
  readonly #statements = new Map<string, string>();
  #portal: string | undefined;
  #status: "I" | "T" | "E" = "I";
  #isSkipping = false;
  #rest: Uint8Array = new Uint8Array();
  /** Answers that wait for a Sync, a Flush or an error. */
  #kept: Bytes[] = [];

  constructor(hasRules: boolean) {
    this.#hasRules = hasRules;
  }

  /** Takes what a client says. @returns What it hears. */
  hear(bytes: Uint8Array): Bytes {
    const messages = cut(concat(this.#rest, bytes));
    const last = messages.at(-1);
    this.#rest = new Uint8Array();
    if (last?.tag === "cut") this.#rest = messages.pop()!.bytes;
    let sent: Bytes = new Uint8Array();
    for (const { tag, bytes } of messages) {
      if (this.#isSkipping && tag !== "S") continue;
      this.#kept.push(
        ...this.#answer(tag, new TextDecoder().decode(bytes.subarray(5)).split("\0")),
      );
      // An error is sent at once (`send_message_to_frontend` in elog.c).
      if ("SQH".includes(tag) || this.#isSkipping) sent = concat(sent, ...this.#kept.splice(0));
    }
    return sent;
  }

  #answer(tag: string, words: readonly string[]): Bytes[] {
    const [first = "", second = ""] = words;
    switch (tag) {
      case "Q":
        this.#statements.delete("");
        return [...this.#run(first, true), this.#ready()];
      case "P":
        return this.#parse(first, second);
      case "B":
        return this.#bind(second);
      case "D":
        return this.#portal === undefined ? this.#fail() : [message("n")];
      case "E":
        if (first !== "" || this.#portal === undefined) return this.#fail();
        return this.#run(this.#portal, false);
      case "C":
        this.#statements.delete(first.slice(1));
        return [message("3")];
      case "S":
        this.#isSkipping = false;
        return [this.#ready()];
    }
    return [];
  }

  #parse(name: string, said: string): Bytes[] {
    const isRefused = this.#hasRules && said.startsWith("bad parse");
    if (name === "" && this.#status !== "E") this.#statements.delete("");
    if (isRefused || this.#status === "E") return this.#fail();
    if (name !== "" && this.#statements.has(name)) return this.#fail();
    this.#statements.set(name, said);
    return [message("1")];
  }

  #bind(name: string): Bytes[] {
    this.#portal = this.#status === "E" ? undefined : this.#statements.get(name);
    return this.#portal === undefined ? this.#fail() : [message("2")];
  }

  #ready(): Bytes {
    if (this.#status === "I") this.#portal = undefined;
    return ready(this.#status);
  }

  #run(said: string, isSimple: boolean): Bytes[] {
    if (said.startsWith("commit")) {
      this.#status = "I";
      return [complete("COMMIT")];
    }
    const isKnown = /^(ok|cached|begin)/.test(said) || (this.#hasRules && said.startsWith("swap"));
    if (!isKnown || this.#status === "E") return this.#fail(isSimple);
    if (said.startsWith("begin")) {
      this.#status = "T";
      return [complete("BEGIN")];
    }
    if (!said.startsWith("cached")) return [complete("OK")];
    return isSimple ? [HIT] : [HIT.slice(ROW_DESCRIPTION.length)];
  }

  #fail(isSimple = false): Bytes[] {
    if (this.#status === "T") this.#status = "E";
    this.#isSkipping = !isSimple;
    return [error("ERROR", "42601", "failed")];
  }
}
