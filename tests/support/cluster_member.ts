/**
 * One of several real PostgreSQL servers that replicate one another, and all that may happen to it:
 * it is killed, hangs, lags, is promoted, follows another one, cannot be reached.
 *
 * @module
 */

import { PortTakenError, ServerProcess } from "../../src/cli/demo/server_process.ts";
import { serverUser } from "../../src/cli/demo/server_user.ts";
import type { ClusterFiles } from "./cluster_files.ts";
import { Forwarder } from "./forwarder.ts";
import { FrozenProcesses } from "./frozen_processes.ts";
import { queryOnce, type Rows } from "./postgres.ts";
import { type Target, targetAt } from "./stories.ts";
import { eventually, pause } from "./wait.ts";

const HOST = "127.0.0.1";

/** Another process may have taken the port. */
const START_ATTEMPTS_MAX = 10;
const START_PAUSE_MS = 200;

/** Seconds that a promotion may take. */
const PROMOTION_TIMEOUT_S = 60;

/** What a server is; "down" is one that cannot be asked. */
export type Role = "primary" | "replica" | "down";

/** How a query of {@linkcode ClusterMember.query} is asked. */
export interface MemberQueryOptions {
  readonly values?: readonly unknown[];
  /** Default "postgres". */
  readonly database?: string;
  /** Default "postgres", the superuser. */
  readonly user?: string;
  /** Default {@linkcode TEST_PASSWORD}. */
  readonly password?: string;
}

/** A server of a cluster. Its port stays the same until the end. */
export class ClusterMember implements AsyncDisposable {
  /** "a", "b" ...; also its cluster_name, which its primary's pg_stat_replication shows. */
  readonly name: string;
  readonly #files: ClusterFiles;
  readonly #forwarder: Forwarder;
  #port = 0;
  #server: ServerProcess | undefined;
  #frozen: FrozenProcesses | undefined;
  /** What is set by {@linkcode cut}. */
  #cut: "silent" | "refusing" | undefined;

  /** @param files With the data of a server that does not run. */
  constructor(name: string, files: ClusterFiles) {
    this.name = name;
    this.#files = files;
    this.#forwarder = new Forwarder(() => this.#port);
  }

  /** The server's own port on 127.0.0.1. */
  get port(): number {
    return this.#port;
  }

  /** The server's own address, which nothing cuts. */
  get address(): string {
    return `${HOST}:${this.#port}`;
  }

  /** Where a gateway reaches it through the piece of network that {@linkcode cut} cuts. */
  get gatewayAddress(): string {
    return `${HOST}:${this.#forwarder.port}`;
  }

  /** The superuser at {@linkcode address}. */
  get target(): Target {
    return targetAt({ host: HOST, port: this.#port });
  }

  get dataDir(): string {
    return this.#files.dataDir;
  }

  /** The folder with the server's programs, such as pg_ctl. */
  get binDir(): string {
    return this.#files.binDir;
  }

  /** Of the postmaster. @throws {Error} If it does not run. */
  get processId(): number {
    return this.#running("has no process").processId;
  }

  /** The end of its log since it was last started, oldest first. */
  get logLines(): readonly string[] {
    return this.#server?.logLines ?? [];
  }

  /** True if it runs and is not paused, whether it can be reached or not. */
  get isUp(): boolean {
    return this.#server?.isRunning === true && this.#frozen === undefined;
  }

  /** As it says itself, now. */
  async role(): Promise<Role> {
    if (!this.isUp) return "down";
    try {
      const [row] = await this.query("select pg_is_in_recovery() as recovering");
      return row!["recovering"] === true ? "replica" : "primary";
    } catch {
      return "down";
    }
  }

  /** Runs one query on a connection of its own, directly. @throws What the driver throws. */
  async query(text: string, options: MemberQueryOptions = {}): Promise<Rows> {
    if (this.#frozen !== undefined) throw new Error(`${this.name} is paused: it does not answer`);
    const { values = [], ...who } = options;
    return await queryOnce({ ...this.target, ...who }, text, values);
  }

  /** Starts it as what it was, and waits until it accepts connections. */
  async start(): Promise<void> {
    if (this.#server?.isRunning) throw new Error(`${this.name} runs already`);
    for (let attempt = 1;; attempt += 1) {
      const port = this.#port === 0 ? freePort() : this.#port;
      try {
        this.#server = await this.#startAt(port);
        this.#port = port;
        break;
      } catch (error) {
        if (!(error instanceof PortTakenError) || attempt === START_ATTEMPTS_MAX) throw error;
        await pause(START_PAUSE_MS);
      }
    }
    await this.#updateNetwork();
  }

  /** Kills the postmaster and its children (SIGKILL). {@linkcode start} recovers its data. */
  async kill(): Promise<void> {
    await this.#server?.kill();
    await this.resume();
    await this.#updateNetwork();
  }

  /** Ends it; "fast" sends the rest of the log to its replicas, "immediate" is a crash. */
  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    await this.resume();
    const server = this.#server;
    if (mode === "immediate" && server?.isRunning) Deno.kill(server.processId, "SIGQUIT");
    await server?.stop();
    await this.#updateNetwork();
  }

  /** Stops all of its processes (SIGSTOP): connections are accepted, and nothing is answered. */
  async pause(): Promise<void> {
    if (this.#frozen !== undefined) throw new Error(`${this.name} is paused already`);
    const { processId } = this.#running("cannot be paused");
    this.#frozen = await FrozenProcesses.freeze(processId);
  }

  /** Ends {@linkcode pause}; else does nothing. */
  async resume(): Promise<void> {
    await this.#frozen?.thaw();
    this.#frozen = undefined;
  }

  /** Lets a replica lag: it receives the log and applies nothing of it. */
  async pauseReplay(): Promise<void> {
    await this.query("select pg_wal_replay_pause()");
    await eventually(`${this.name} pauses its replay`, async () => {
      const [row] = await this.query("select pg_get_wal_replay_pause_state() as state");
      return row!["state"] === "paused";
    });
  }

  /** Ends {@linkcode pauseReplay}. */
  async resumeReplay(): Promise<void> {
    await this.query("select pg_wal_replay_resume()");
  }

  /** Makes a replica a primary, whatever others are, and waits until it is. */
  async promote(): Promise<void> {
    const text = `select pg_promote(true, ${PROMOTION_TIMEOUT_S}) as promoted`;
    const [row] = await this.query(text);
    if (row!["promoted"] !== true) throw new Error(`${this.name} was not promoted. ${this.#log()}`);
  }

  /**
   * Lets a replica follow another primary, and waits until it streams from there. One that does not
   * run follows it from its start on, also if it was a primary that ended by a fast stop.
   *
   * @throws {Error} If it is a primary, or has what the other one has not: it must rejoin then.
   */
  async follow(primary: ClusterMember): Promise<void> {
    if (!this.#server?.isRunning) {
      await this.#files.setStandby();
      await this.#files.setPrimary(primary.port);
      return;
    }
    if (await this.role() === "primary") {
      throw new Error(`${this.name} is a primary: stop it first, or let it rejoin`);
    }
    await this.#files.setPrimary(primary.port);
    this.#reload();
    await this.#untilStreaming(primary);
  }

  /** Lets a replica that runs follow nobody, and waits until it receives nothing any more. */
  async unfollow(): Promise<void> {
    this.#running("cannot be told whom to follow");
    await this.#files.setPrimary(undefined);
    this.#reload();
    await eventually(`${this.name} receives nothing any more`, async () => {
      return (await this.query("select from pg_stat_wal_receiver")).length === 0;
    });
  }

  /**
   * Throws away its data and comes back as a replica of another one, from a new base backup, with
   * the same port. Waits until it streams.
   */
  async rejoin(primary: ClusterMember): Promise<void> {
    await this.#end();
    await this.copyFrom(primary);
    await this.start();
    await this.#untilStreaming(primary);
  }

  /** Copies another one's data, to be its replica when it starts. It must not run. */
  async copyFrom(primary: ClusterMember): Promise<void> {
    await this.#files.copyFrom(primary.port);
    await this.#files.setStandby();
    await this.#files.setPrimary(primary.port);
  }

  /**
   * Bytes of the log that it has: a primary's own, or what a replica has received or applied.
   * Only those of members of one cluster can be compared.
   */
  async logPosition(): Promise<number> {
    const [row] = await this.query(`select case when pg_is_in_recovery()
      then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
      else pg_current_wal_lsn() end - '0/0' as position`);
    return Number(row!["position"]);
  }

  /**
   * Cuts the network between it and the gateway; the other members and {@linkcode query} still
   * reach it. "silent" loses what is sent, "refusing" refuses and resets.
   */
  async cut(how: "silent" | "refusing" = "silent"): Promise<void> {
    this.#cut = how;
    await this.#updateNetwork();
  }

  /** Ends {@linkcode cut}. */
  async heal(): Promise<void> {
    this.#cut = undefined;
    await this.#updateNetwork();
  }

  /** Ends it, in whatever state it is, and deletes its data. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#end();
    } finally {
      await this.#forwarder[Symbol.asyncDispose]();
      await this.#files.remove();
    }
  }

  async #end(): Promise<void> {
    await this.stop("immediate");
    // One that was killed has left some behind.
    await this.#server?.freeSharedMemory();
  }

  async #startAt(port: number): Promise<ServerProcess> {
    const { binDir, dataDir, folder } = this.#files;
    const settings = {
      "listen_addresses": HOST,
      port: String(port),
      "unix_socket_directories": folder,
      "cluster_name": this.name,
    };
    return await ServerProcess.start({ binDir, dataDir, settings, user: serverUser() });
  }

  #reload(): void {
    Deno.kill(this.#running("cannot reload").processId, "SIGHUP");
  }

  async #untilStreaming(primary: ClusterMember): Promise<void> {
    const text = "select from pg_stat_wal_receiver where status = 'streaming' and sender_port = $1";
    const values = [primary.port];
    const what = `${this.name} follows ${primary.name}`;
    const isStreaming = async () => (await this.query(text, { values })).length === 1;
    await eventually(what, isStreaming).catch((error) => {
      throw new Error(`${error.message}. ${this.#log()}`, { cause: error });
    });
  }

  /** A server that is not there refuses connections, and so does what stands before it. */
  async #updateNetwork(): Promise<void> {
    const own = this.#server?.isRunning ? "open" : "refusing";
    await this.#forwarder.change(this.#cut ?? own);
  }

  #running(what: string): ServerProcess {
    if (this.#server?.isRunning) return this.#server;
    throw new Error(`${this.name} ${what}: it does not run`);
  }

  #log(): string {
    return `Its log:\n${this.logLines.join("\n")}`;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}
