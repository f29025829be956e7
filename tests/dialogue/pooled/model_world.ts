/**
 * Clients and servers that play by themselves around a pooled gateway: servers are models of
 * PostgreSQL, and each client knows what a server of its own would have answered.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import { concat, int32At } from "../../../src/base/bytes.ts";
import { type Actor, SERVERS, type World } from "../../support/dialogue.ts";
import { copyFail } from "../../support/extended_messages.ts";
import type { MemoryPeer } from "../../support/memory_pipe.ts";
import {
  AUTH_OK,
  backendKeyData,
  type Bytes,
  cancelRequest,
  type Cut,
  cut,
  keyOf,
  query,
  readable,
  ready,
  startup,
  SYNC,
  TERMINATE,
} from "../../support/messages.ts";
import type { Random } from "../../support/random.ts";
import { ModelServer } from "./model_server.ts";
import { ModelDatabase } from "./model_state.ts";

/** Second word of a CancelRequest. */
const CANCEL_REQUEST = 80877102;

/** Rounds without anything left to do, before somebody who still waits is taken to be stuck. */
const QUIET_ROUNDS_MAX = 10;

const QUIET_ROUND_MS = 1_000;

/** One server connection of the gateway, served by a model. */
export class ModelBackend {
  readonly peer: MemoryPeer;
  readonly #database: ModelDatabase;
  #model: ModelServer | undefined;
  #unsent: Bytes = new Uint8Array();
  isOver = false;

  constructor(peer: MemoryPeer, database: ModelDatabase) {
    this.peer = peer;
    this.#database = database;
  }

  /** The session, once there is one. */
  get model(): ModelServer | undefined {
    return this.#model;
  }

  /** Hears what has come and says at most `sizeMax` bytes. @returns Whether anything moved. */
  step(sizeMax: number): boolean {
    if (this.isOver) return false;
    const bytes = this.peer.take();
    if (bytes.length > 0) this.#hear(bytes);
    else if (this.peer.hasSeenEnd || this.peer.wasReset) return this.#leave();
    const said = this.#unsent.subarray(0, sizeMax);
    this.#unsent = this.#unsent.slice(said.length);
    this.peer.write(said);
    if (this.#model?.isClosed === true) this.#leave();
    return bytes.length + said.length > 0;
  }

  #leave(): boolean {
    this.isOver = true;
    this.peer.close();
    return true;
  }

  #hear(bytes: Uint8Array): void {
    if (this.#model !== undefined) {
      this.#unsent = concat(this.#unsent, this.#model.hear(bytes));
      return;
    }
    if (int32At(bytes, 4) === CANCEL_REQUEST) return void this.#leave();
    this.#model = new ModelServer(this.#database);
    this.#unsent = concat(
      AUTH_OK,
      this.#model.greeting(),
      backendKeyData(1, Uint8Array.of(1, 2, 3, 4)),
      ready(),
    );
  }
}

/** One client and what it should hear. */
export class ModelClient {
  readonly number: number;
  readonly actor: Actor;
  /** Its private server. */
  readonly reference: ModelServer;
  readonly privateDatabase = new ModelDatabase();
  readonly said: Uint8Array[] = [];
  #unsent: Bytes = new Uint8Array();
  #expected: Bytes;
  #heard: Bytes = new Uint8Array();
  state: "talking" | "finishing" | "dead" = "talking";
  /** It says nothing more until it has heard everything. */
  isDraining = false;
  /** Copies whose failure it has heard of. */
  #copyFailures = 0;
  /** What it has prepared since it last heard everything. */
  readonly namesInFlight = new Set<string>();

  constructor(number: number, actor: Actor, parameters: Readonly<Record<string, string>>) {
    this.number = number;
    this.actor = actor;
    const settings = Object.entries(parameters)
      .map(([name, value]) => [name.toLowerCase(), value] as const);
    this.reference = new ModelServer(this.privateDatabase, new Map(settings));
    this.#expected = concat(AUTH_OK, this.reference.greeting(), ready());
    this.#unsent = startup({ user: "ann", ...parameters });
  }

  /** What it was told to cancel with, once it was. */
  get key(): ReturnType<typeof keyOf> | undefined {
    const told = cut(this.#heard).find(({ tag }) => tag === "K");
    return told === undefined ? undefined : keyOf(told.bytes);
  }

  /** Bytes that it wants to say and has not. */
  get unsentSize(): number {
    return this.#unsent.length;
  }

  /** Plans to say these messages. */
  says(...messages: readonly Uint8Array[]): void {
    this.said.push(...messages);
    const bytes = concat(...messages);
    this.#expected = concat(this.#expected, this.reference.hear(bytes));
    this.#unsent = concat(this.#unsent, bytes);
  }

  /** Says at most `sizeMax` bytes of what it wants to. */
  step(sizeMax: number): void {
    const bytes = this.#unsent.subarray(0, sizeMax);
    this.#unsent = this.#unsent.slice(bytes.length);
    this.actor.peer.write(bytes);
  }

  /**
   * True if a copy of its has failed, and it does not know that yet. Whether a Sync that it sends
   * now is ignored in the copy, or answered behind it, no pooler can tell.
   */
  get isInDoubt(): boolean {
    return this.reference.copyFailureCount > this.#copyFailures;
  }

  /** It has heard everything that it should have. */
  drained(): void {
    this.isDraining = false;
    this.#copyFailures = this.reference.copyFailureCount;
    this.namesInFlight.clear();
  }

  /** Ends whatever it has begun. */
  finish(): void {
    if (this.reference.isCopyIn) this.says(copyFail("enough"));
    this.says(SYNC, query("rollback"));
    this.state = "finishing";
  }

  /** @returns Whether it has heard all that it should. */
  listen(): boolean {
    this.#heard = concat(this.#heard, this.actor.peer.take());
    const size = withoutKey(this.#heard).length;
    return this.#unsent.length === 0 && size >= this.#expected.length;
  }

  /** Goes, politely or not. */
  leave(isPolite: boolean): void {
    this.state = "dead";
    if (isPolite) this.actor.peer.write(TERMINATE);
    this.actor.peer.close();
  }

  /** Checks what it heard. @param isWhole False if it left too early to hear all. */
  check(isWhole: boolean): void {
    const heard = cut(withoutKey(this.#heard)).map(shortened);
    const all = isWhole ? this.#expected : concat(this.#expected, this.reference.unflushed);
    const expected = cut(all).map(shortened);
    if (!isWhole) {
      if (heard.at(-1)?.startsWith("cut") === true) heard.pop();
      expected.length = Math.min(expected.length, heard.length);
    }
    const at = expected.findIndex((line, i) => line !== heard[i]);
    if (at < 0 && heard.length === expected.length) return;
    const end = at < 0 ? expected.length : at;
    const said = cut(concat(...this.said)).map(shortened);
    throw new Error([
      `client ${this.number} heard something else than from a server of its own`,
      `it said: ${said.join(" ")}`,
      `both said: ${heard.slice(0, end).join(" ")}`,
      `expected: ${expected.slice(end, end + 6).join(" ")}`,
      `but heard: ${heard.slice(end, end + 6).join(" ")}`,
    ].join("\n"));
  }

  /** What it committed through the gateway must be the beginning of what it would have alone. */
  checkCommitted(committed: readonly string[], isWhole: boolean): void {
    const own = committed.filter((value) => value.startsWith(`c${this.number}-`));
    const expected = this.privateDatabase.committed.slice(0, isWhole ? undefined : own.length);
    deepEqual(own, expected, `what client ${this.number} committed`);
  }
}

/** Everybody. */
export class ModelWorld {
  readonly world: World;
  readonly random: Random;
  readonly database = new ModelDatabase();
  readonly backends: ModelBackend[] = [];
  readonly clients: ModelClient[] = [];
  readonly #cancellers: Actor[] = [];

  constructor(world: World, random: Random) {
    this.world = world;
    this.random = random;
  }

  /** A client begins. */
  async join(parameters: Readonly<Record<string, string>>): Promise<ModelClient> {
    const worker = this.random.below(this.world.planes.length);
    const client = new ModelClient(
      this.clients.length,
      await this.world.client(worker),
      parameters,
    );
    this.clients.push(client);
    return client;
  }

  /** Asks to cancel what runs for a client; models ignore it, as servers do that are too late. */
  async cancel(client: ModelClient): Promise<void> {
    const { key } = client;
    if (key === undefined) return;
    const canceller = await this.world.client();
    await canceller.says(cancelRequest(key.processId, key.key));
    this.#cancellers.push(canceller);
  }

  /** Lets servers do something. @returns Whether anything moved. */
  async serve(sizeMax: number): Promise<boolean> {
    await this.world.settle();
    for (const peer of this.world.network.accepted(SERVERS[0]!).splice(0)) {
      this.backends.push(new ModelBackend(peer, this.database));
    }
    let hasMoved = false;
    for (const backend of this.backends) if (backend.step(sizeMax)) hasMoved = true;
    return hasMoved;
  }

  /** Lets everybody finish, and checks what they heard. */
  async end(): Promise<void> {
    const { clients } = this;
    let quietRounds = 0;
    while (clients.some(({ state }) => state !== "dead")) {
      for (const client of clients) {
        if (client.state !== "talking") continue;
        client.step(Infinity);
        if (!client.isInDoubt || client.listen()) client.finish();
      }
      let hasMoved = await this.serve(Infinity);
      for (const client of clients.filter(({ state }) => state === "finishing")) {
        if (client.unsentSize > 0) hasMoved = true;
        client.step(Infinity);
        await this.world.settle();
        if (!client.listen()) continue;
        client.check(true);
        client.leave(this.random.oneIn(2));
        client.checkCommitted(this.database.committed, true);
        hasMoved = true;
      }
      quietRounds = hasMoved ? 0 : quietRounds + 1;
      // A place that another worker has moves when a timer says so.
      if (!hasMoved) await this.world.pass(QUIET_ROUND_MS);
      if (quietRounds < QUIET_ROUNDS_MAX) continue;
      for (const client of clients) if (client.state === "finishing") client.check(true);
      throw new Error("somebody is stuck");
    }
    for (const { peer } of this.#cancellers) peer.close();
    while (await this.serve(Infinity));
    deepEqual(this.database.faults, []);
  }
}

/** A message for people: its tag and what is in it, NULs as bars, without what is long. */
function shortened({ tag, bytes }: Cut): string {
  const text = readable(bytes.subarray(5)).replaceAll("\\00", "|");
  return `${tag}(${text.length > 200 ? `${text.slice(0, 60)}...${text.slice(-60)}` : text})`;
}

/** Without BackendKeyData, which differs. */
function withoutKey(bytes: Uint8Array): Bytes {
  return concat(...cut(bytes).filter(({ tag }) => tag !== "K").map((one) => one.bytes));
}
