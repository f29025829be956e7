/**
 * A client or a server of a dialogue.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import type { MemoryPeer } from "./memory_pipe.ts";
import { cut, errorFields, textOfMessages } from "./messages.ts";

/** Where it plays. */
export interface Settling {
  /** Lets everything happen that can happen without time passing. */
  settle(): Promise<void>;
}

/** A client or a server, played by the test. */
export class Actor {
  readonly peer: MemoryPeer;
  readonly #world: Settling;

  constructor(world: Settling, peer: MemoryPeer) {
    this.#world = world;
    this.peer = peer;
  }

  /** Sends all of it at once and waits for what follows from it. */
  async says(...messages: readonly Uint8Array[]): Promise<void> {
    this.peer.write(concat(...messages));
    await this.#world.settle();
  }

  /** Checks that exactly this has come since the last time it was asked. */
  async hears(...messages: readonly Uint8Array[]): Promise<void> {
    await this.#world.settle();
    const bytes = this.peer.take();
    deepEqual(textOfMessages(bytes), textOfMessages(concat(...messages)));
  }

  /** Checks that exactly these bytes, which are not tagged messages, have come. */
  async hearsBytes(expected: Uint8Array): Promise<void> {
    await this.#world.settle();
    deepEqual(this.peer.take(), new Uint8Array(expected));
  }

  /**
   * Checks that `before`, then one ErrorResponse of the gateway and then the end have come.
   *
   * @param text What the message must match.
   * @returns The fields of the ErrorResponse.
   */
  async hearsFatal(
    sqlState: string,
    text: RegExp,
    ...before: Uint8Array[]
  ): Promise<ReadonlyMap<string, string>> {
    await this.#world.settle();
    const messages = cut(this.peer.take());
    const last = messages.pop();
    deepEqual(
      textOfMessages(concat(...messages.map(({ bytes }) => bytes))),
      textOfMessages(concat(...before)),
    );
    equal(last?.tag, "E");
    const fields = errorFields(last!.bytes);
    equal(fields.get("S"), "FATAL");
    equal(fields.get("V"), "FATAL");
    equal(fields.get("C"), sqlState, fields.get("M"));
    ok(text.test(fields.get("M")!), fields.get("M"));
    ok(this.peer.hasSeenEnd, "the connection is closed behind the error");
    return fields;
  }

  /** Checks that nothing came but the end. */
  async hearsEnd(...before: Uint8Array[]): Promise<void> {
    await this.hears(...before);
    ok(this.peer.hasSeenEnd, "the connection is closed");
  }

  /** Goes away. */
  async leaves(): Promise<void> {
    this.peer.close();
    await this.#world.settle();
  }

  /** Has its connection broken. */
  async breaks(): Promise<void> {
    this.peer.reset();
    await this.#world.settle();
  }
}
