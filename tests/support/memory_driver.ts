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
  LINGER_MS,
  type Listener,
  type ListenHandler,
  type ListenOptions,
  NobodyListensError,
  type PeerAddress,
  READ_BUFFER_SIZE_MAX,
  type Socket,
  type SocketHandler,
  WRITE_QUEUE_SIZE_MAX,
} from "../../src/net/socket.ts";
import { concat } from "../../src/base/bytes.ts";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { MemoryPeer, peerAddressOf, Pipe } from "./memory_pipe.ts";
import { promisesToSettle } from "./promises.ts";

/** What a view holds once it is not valid any more. */
const POISON = 0xdd;

/** More rounds than this without coming to rest, and something goes round in circles. */
const ROUNDS_MAX = 100_000;

/** How a server's address answers to a connect. */
export type DialAnswer = "accept" | "refuse" | "hang";

/** One end of a connection, under the driver's rules. */
export class MemorySocket implements Socket {
  readonly peer: string;
  readonly peerAddress: PeerAddress;
  readonly #network: MemoryNetwork;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  #handler: SocketHandler | undefined;
  #state: "open" | "ending" | "lingering" | "closed" = "open";
  #hasSeenEnd = false;
  #isOffered = false;
  #closing: { readonly error: Error | undefined } | undefined;
  #unconsumed: Uint8Array = new Uint8Array();
  #queue: Uint8Array = new Uint8Array();
  /** Bytes at the queue's start that the system is being given: they do not count. */
  #leaving = 0;
  #linger: Timer | undefined;
  /** Sockets that the last `onData` wrote to and that have not sent it all. */
  #blockedOn: MemorySocket[] = [];
  /** Called once the queue is empty. */
  readonly #whenSent: (() => void)[] = [];

  constructor(network: MemoryNetwork, peer: string, incoming: Pipe, outgoing: Pipe) {
    this.peer = peer;
    this.peerAddress = peerAddressOf(peer);
    this.#network = network;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  /** Bytes that it holds: unconsumed ones, and those that its peer has not taken. */
  get heldBytes(): number {
    return this.#unconsumed.length + this.#queue.length;
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new Error("A socket is started once");
    this.#handler = handler;
  }

  setHandler(handler: SocketHandler): void {
    this.#handler = handler;
    this.reoffer();
  }

  writeApart(bytes: Uint8Array): void {
    if (this.#state !== "open" || bytes.length === 0) return;
    const sent = this.#queue.length === 0 ? this.#outgoing.put(bytes) : 0;
    this.#queue = concat(this.#queue, bytes.subarray(sent));
  }

  get isSending(): boolean {
    return this.#queue.length > 0;
  }

  whenSent(then: () => void): void {
    queueMicrotask(() => {
      if (this.#queue.length > 0 && this.#state !== "closed") this.#whenSent.push(then);
      else then();
    });
  }

  beforeSending(prepare: () => void): void {
    if (this.#network.round === undefined) prepare();
    else this.#network.prepares.push(prepare);
  }

  write(bytes: Uint8Array): void {
    if (this.#state !== "open" || bytes.length === 0) return;
    if (this.#handler === undefined) throw new Error("A socket is started before it is written to");
    const { round } = this.#network;
    const left = this.#queue.length - this.#leaving;
    if (round === undefined && left > 0 && left + bytes.length > WRITE_QUEUE_SIZE_MAX) {
      return this.#close(new Error(`at most ${WRITE_QUEUE_SIZE_MAX} bytes may wait to be sent`));
    }
    round?.add(this);
    const sent = this.#queue.length === 0 ? this.#outgoing.put(bytes) : 0;
    if (this.#queue.length === 0) this.#leaving = bytes.length - sent;
    this.#queue = concat(this.#queue, bytes.subarray(sent));
  }

  reoffer(): void {
    this.#isOffered = true;
  }

  end(lingerMs = LINGER_MS): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#linger = this.#network.clock.after(lingerMs, () => this.#close(undefined));
    this.#flush();
  }

  destroy(): void {
    this.#close(undefined);
  }

  /** Does one thing that can be done. @returns False if there is nothing. */
  poll(): boolean {
    if (this.#closing !== undefined) return this.#reportClose(this.#closing.error);
    if (this.#state === "closed") return false;
    if (this.#outgoing.isReset) return this.#close(new Error("connection reset by peer")), true;
    if (this.#flush()) return true;
    if (this.#isOffered) {
      this.#isOffered = false;
      if (this.#state === "open" && this.#unconsumed.length > 0) return this.#show(false);
    }
    return this.#read();
  }

  #read(): boolean {
    if (this.#handler === undefined || this.#hasSeenEnd) return false;
    if (this.#blockedOn.some((socket) => socket.#queue.length > 0)) return false;
    this.#blockedOn = [];
    const isOpen = this.#state === "open";
    const room = isOpen ? READ_BUFFER_SIZE_MAX - this.#unconsumed.length : READ_BUFFER_SIZE_MAX;
    if (room <= 0) return false;
    const bytes = this.#incoming.take(Math.min(room, this.#network.readSizeMax));
    if (bytes.length > 0) {
      if (!isOpen) return true; // thrown away: see Socket.end
      this.#unconsumed = this.#unconsumed.length === 0 ? bytes : concat(this.#unconsumed, bytes);
      return this.#show(true);
    }
    if (!this.#incoming.hasEnded) return false;
    this.#hasSeenEnd = true;
    if (this.#state === "lingering") this.#close(undefined);
    else if (isOpen) this.#call(() => this.#handler!.onEnd());
    return true;
  }

  /** Bytes that are offered again are outside of back-pressure, as in the real driver. */
  #show(isRound: boolean): boolean {
    const view = this.#unconsumed;
    const round = new Set<MemorySocket>();
    if (isRound) this.#network.round = round;
    let taken = view.length;
    this.#call(() => taken = this.#handler!.onData(view));
    for (const prepare of this.#network.prepares) prepare();
    this.#network.prepares.length = 0;
    this.#network.round = undefined;
    if (taken < 0 || taken > view.length) throw new Error(`onData took ${taken} of ${view.length}`);
    // Closing has emptied it, and then nothing is left to be shown.
    if (this.#unconsumed === view) this.#unconsumed = view.slice(taken);
    view.fill(POISON);
    this.#blockedOn = [...round];
    return true;
  }

  /** @returns Whether anything moved. */
  #flush(): boolean {
    if (this.#state === "closed" || this.#state === "lingering") return false;
    const sent = this.#outgoing.put(this.#queue);
    this.#queue = this.#queue.subarray(sent);
    this.#leaving = this.#leaving > sent ? this.#leaving - sent : this.#queue.length;
    if (this.#queue.length === 0) this.#tellSent();
    if (this.#state !== "ending" || this.#queue.length > 0) return sent > 0;
    if (this.#hasSeenEnd || this.#handler === undefined) this.#close(undefined);
    else {
      this.#state = "lingering";
      this.#outgoing.end();
    }
    return true;
  }

  #close(error: Error | undefined): void {
    if (this.#state === "closed") return;
    this.#closing = { error: this.#state === "open" ? error : undefined };
    this.#state = "closed";
    this.#linger?.cancel();
    this.#queue = new Uint8Array();
    this.#unconsumed = new Uint8Array();
    this.#outgoing.end();
    this.#incoming.abandon(this.#outgoing);
  }

  #tellSent(): void {
    for (const then of this.#whenSent.splice(0)) queueMicrotask(then);
  }

  #reportClose(error: Error | undefined): boolean {
    this.#closing = undefined;
    this.#tellSent();
    this.#network.forget(this);
    if (this.#handler !== undefined) this.#call(() => this.#handler!.onClose(error));
    return true;
  }

  /** A handler that throws costs its connection, and fails the test: `MemoryNetwork.thrown`. */
  #call(act: () => void): void {
    if (this.#network.isInHandler) throw new Error("A handler was called inside of a call");
    this.#network.isInHandler = true;
    try {
      act();
    } catch (error) {
      this.#network.thrown.push(error);
      this.#close(error as Error);
    } finally {
      this.#network.isInHandler = false;
    }
  }
}

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
