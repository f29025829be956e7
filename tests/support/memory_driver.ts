/**
 * The port `src/net/socket.ts` in memory: nothing happens until `settle` is called, then all that
 * can happen does, in an order that is the same each time.
 *
 * It is stricter than a real network, so that what works by luck there fails here: the bytes of a
 * view are overwritten as soon as the handler has returned, a connection that is closed with unread
 * bytes takes away what its peer has not read yet, and a handler that is called while it is being
 * called is an error.
 *
 * @module
 */

import { type Address, addressText } from "../../src/base/address.ts";
import {
  type ConnectOptions,
  ConnectTimeoutError,
  type Driver,
  type Listener,
  type ListenHandler,
  type ListenOptions,
  NobodyListensError,
  type Socket,
} from "../../src/net/socket.ts";
import type { Clock } from "../../src/base/clock.ts";
import { MemoryPeer, Pipe } from "./memory_pipe.ts";
import { MemorySocket } from "./memory_socket.ts";
import { promisesToSettle } from "./promises.ts";

/** More rounds than this without coming to rest, and something goes round in circles. */
const ROUNDS_MAX = 100_000;

/** How a server's address answers to a connect. */
export type DialAnswer = "accept" | "refuse" | "hang";

/** All sockets of a test, and what connects them. */
export class MemoryNetwork {
  readonly clock: Clock;
  /** What handlers threw. Nothing should. */
  readonly thrown: unknown[] = [];
  /** Most bytes that one read gives: 1 cuts everything everywhere. */
  readSizeMax = Infinity;
  /** Bytes that a connection takes for a peer that does not read them. */
  pipeSizeMax = 64 * 1024;
  /** Puts the sockets of one round in the order in which they are served. */
  order: (sockets: readonly MemorySocket[]) => readonly MemorySocket[] = (sockets) => sockets;
  /** The sockets written to by the `onData` that runs now. Only for {@linkcode MemorySocket}. */
  round: Set<MemorySocket> | undefined;
  /** What to call before that round is sent. Only for {@linkcode MemorySocket}. */
  readonly prepares: (() => void)[] = [];
  isInHandler = false;

  readonly #sockets = new Set<MemorySocket>();
  readonly #peers = new Set<MemoryPeer>();
  readonly #listeners = new Map<string, ListenHandler[]>();
  readonly #answers = new Map<string, { answer: DialAnswer; accepted: MemoryPeer[] }>();
  #lastPort = 40_000;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Sockets that are not closed. */
  get sockets(): readonly MemorySocket[] {
    return [...this.#sockets];
  }

  /** A driver; each worker of a test has one of its own, all on this network. */
  driver(): Driver {
    return {
      // deno-lint-ignore require-await -- the port's functions are asynchronous; this one is not
      listen: async (options, handler) => this.#listen(options, handler),
      connect: (options) => this.#connect(options),
    };
  }

  /** Says how `address` answers from now on; until it is said, it refuses. */
  answer(address: Address, answer: DialAnswer): void {
    this.#server(address).answer = answer;
  }

  /** The connections that `address` has accepted, oldest first. Take them out with `shift`. */
  accepted(address: Address): MemoryPeer[] {
    return this.#server(address).accepted;
  }

  /** Connects to listener number `index` of those that share `address`. */
  connectPeer(address: Address, index = 0): MemoryPeer {
    const handler = this.#listeners.get(addressText(address))?.[index];
    if (handler === undefined) throw new Error(`Nobody listens on ${addressText(address)}`);
    const { socket, peer } = this.#pair(`127.0.0.1:${this.#lastPort += 1}`);
    accept(handler, socket);
    return peer;
  }

  /** Lets everything happen that can happen without the clock moving. */
  async settle(): Promise<void> {
    await promisesToSettle();
    for (let round = 0; round < ROUNDS_MAX; round++) {
      let hasMoved = false;
      for (const socket of this.order([...this.#sockets])) {
        if (socket.poll()) hasMoved = true;
        await Promise.resolve();
      }
      for (const peer of this.#peers) if (peer.drink()) hasMoved = true;
      if (hasMoved) continue;
      await promisesToSettle();
      if (![...this.#sockets].some((socket) => socket.poll())) return;
    }
    throw new Error(`The network did not come to rest within ${ROUNDS_MAX} rounds`);
  }

  /** Only for {@linkcode MemorySocket}. */
  forget(socket: MemorySocket): void {
    this.#sockets.delete(socket);
  }

  #listen(options: ListenOptions, handler: ListenHandler): Listener {
    let { address } = options;
    if (address.kind === "tcp" && address.port === 0) {
      address = { ...address, port: this.#lastPort += 1 };
    }
    const text = addressText(address);
    const handlers = this.#listeners.get(text) ?? [];
    if (handlers.length > 0 && !options.reusePort) {
      throw new Error(`Cannot listen on ${text}: address in use`);
    }
    this.#listeners.set(text, [...handlers, handler]);
    return {
      address,
      close: () => {
        const others = (this.#listeners.get(text) ?? []).filter((other) => other !== handler);
        this.#listeners.set(text, others);
      },
    };
  }

  #connect({ address, timeoutMs }: ConnectOptions): Promise<Socket> {
    const text = addressText(address);
    const listening = this.#listeners.get(text)?.[0];
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const why = `Cannot connect to ${text}`;
    if (listening !== undefined) {
      const [there, back] = [new Pipe(this.pipeSizeMax), new Pipe(this.pipeSizeMax)];
      const far = this.#adopt(new MemorySocket(this, "127.0.0.1:1", there, back));
      resolve(this.#adopt(new MemorySocket(this, text, back, there)));
      accept(listening, far);
      return promise;
    }
    const server = this.#server(address);
    if (server.answer === "refuse") reject(new NobodyListensError(`${why}: connection refused`));
    else if (server.answer === "hang") {
      this.clock.after(timeoutMs, () => {
        reject(new ConnectTimeoutError(`${why}: no answer within ${timeoutMs} ms`));
      });
    } else {
      const { socket, peer } = this.#pair(text);
      server.accepted.push(peer);
      resolve(socket);
    }
    return promise;
  }

  #pair(peerName: string): { readonly socket: MemorySocket; readonly peer: MemoryPeer } {
    const [up, down] = [new Pipe(Infinity), new Pipe(this.pipeSizeMax)];
    const peer = new MemoryPeer(down, up);
    this.#peers.add(peer);
    return { socket: this.#adopt(new MemorySocket(this, peerName, up, down)), peer };
  }

  #adopt(socket: MemorySocket): MemorySocket {
    this.#sockets.add(socket);
    return socket;
  }

  #server(address: Address): { answer: DialAnswer; accepted: MemoryPeer[] } {
    const text = addressText(address);
    const known = this.#answers.get(text) ?? { answer: "refuse" as const, accepted: [] };
    this.#answers.set(text, known);
    return known;
  }
}

/** What a handler throws costs that connection, and nobody else. */
function accept(handler: ListenHandler, socket: MemorySocket): void {
  try {
    handler.onConnection(socket);
  } catch (error) {
    socket.destroy();
    handler.onAcceptError(error as Error);
  }
}
