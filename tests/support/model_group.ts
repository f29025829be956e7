/**
 * Servers of a group that answer by themselves, for dialogues whose course is left to chance or
 * that are repeated often. They remember who was asked what.
 *
 * @module
 */

import { concat, textOf } from "../../src/base/bytes.ts";

import { SERVERS, type World } from "./dialogue.ts";
import type { MemoryPeer } from "./memory_pipe.ts";
import {
  AUTH_OK,
  backendKeyData,
  complete,
  type Cut,
  cut,
  message,
  parameterStatus,
  ready,
} from "./messages.ts";
import { REPORTED } from "./pooled_world.ts";

/** A text that a server was asked to run, by a Query or a Parse. */
export interface Asked {
  readonly member: number;
  readonly text: string;
  /** What the table said of the server when it was asked. */
  readonly role: number;
}

/** One connection to a server. */
interface Connection {
  readonly peer: MemoryPeer;
  readonly member: number;
  received: Uint8Array;
  isLoggedIn: boolean;
  status: "I" | "T";
}

/** All servers of a world with one group. */
export class ModelGroup {
  readonly asked: Asked[] = [];
  readonly #world: World;
  #connections: Connection[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Answers everything, until nobody asks anything any more. */
  async serve(): Promise<void> {
    do await this.#world.settle(); while (this.#answerAll());
  }

  /** Breaks all connections to a server. */
  break(member: number): void {
    for (const one of this.#connections) if (one.member === member) one.peer.reset();
    this.#connections = this.#connections.filter((one) => one.member !== member);
  }

  #answerAll(): boolean {
    for (const [member, address] of SERVERS.entries()) {
      const accepted = this.#world.network.accepted(address);
      for (const peer of accepted.splice(0)) {
        const received = new Uint8Array();
        this.#connections.push({ peer, member, received, isLoggedIn: false, status: "I" });
      }
    }
    let isBusy = false;
    for (const connection of this.#connections) {
      if (this.#answer(connection)) isBusy = true;
      if (connection.peer.hasSeenEnd) connection.peer.close();
    }
    this.#connections = this.#connections.filter(({ peer }) => !peer.hasSeenEnd);
    return isBusy;
  }

  #answer(connection: Connection): boolean {
    const bytes = concat(connection.received, connection.peer.take());
    connection.received = bytes;
    if (bytes.length === 0) return false;
    if (!connection.isLoggedIn) {
      connection.isLoggedIn = true;
      connection.received = new Uint8Array();
      const statuses = Object.entries(REPORTED).map(([name, value]) =>
        parameterStatus(name, value)
      );
      const key = backendKeyData(1, Uint8Array.of(1, 2, 3, 4));
      connection.peer.write(concat(AUTH_OK, ...statuses, key, ready()));
      return true;
    }
    connection.received = new Uint8Array();
    const answers = cut(bytes).map((one) => this.#replyTo(connection, one));
    connection.peer.write(concat(...answers));
    return true;
  }

  #replyTo(connection: Connection, { tag, bytes }: Cut): Uint8Array {
    switch (tag) {
      case "Q":
        this.#run(connection, textOf(bytes.subarray(5, -1)));
        return concat(complete(`S${connection.member}`), ready(connection.status));
      case "P":
        this.#note(connection, textOf(bytes.subarray(bytes.indexOf(0, 5) + 1, -3)));
        return message("1");
      case "B":
        return message("2");
      case "D":
        return message("n");
      case "E":
        return complete("EXECUTED");
      case "C":
        return message("3");
      case "S":
        return ready(connection.status);
    }
    return new Uint8Array();
  }

  #run(connection: Connection, text: string): void {
    this.#note(connection, text);
    if (text.startsWith("begin")) connection.status = "T";
    if (/^(commit|rollback)$/i.test(text)) connection.status = "I";
  }

  #note({ member }: Connection, text: string): void {
    this.asked.push({ member, text, role: this.#world.table.role(member) });
  }

  /** Who was asked a text, in the order in which it happened. */
  whoRan(text: string): number[] {
    return this.asked.filter((one) => one.text === text).map(({ member }) => member);
  }
}
