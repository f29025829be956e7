/**
 * One run of a PostgreSQL server (its manual calls the process `postgres`, its sources the
 * postmaster): start, wait until it accepts connections, end it gently or not.
 *
 * @module
 */

import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import { programFile } from "./find_postgres.ts";
import { LogTail } from "./log_tail.ts";
import { killProcessTree } from "./process_tree.ts";
import { runCommand, spawnOptions } from "./run_command.ts";
import type { ServerUser } from "./server_user.ts";

/** What a run needs to know. */
export interface ServerProcessOptions {
  readonly binDir: string;
  readonly dataDir: string;
  /** Configuration parameters, given on the command line: they win over postgresql.conf. */
  readonly settings: Readonly<Record<string, string>>;
  readonly user: ServerUser | undefined;
}

/** Measured: 50 ms on an idle machine. The rest is for a crash recovery on a busy one. */
const READY_TIMEOUT_MS = 60_000;
const POLL_INTERVAL_MS = 10;

/** A fast shutdown writes a checkpoint; one that takes longer than this is made immediate. */
const FAST_SHUTDOWN_TIMEOUT_MS = 15_000;
const IMMEDIATE_SHUTDOWN_TIMEOUT_MS = 5_000;

/** Lines of `postmaster.pid`, from zero: PostgreSQL's src/include/utils/pidfile.h. */
const STATUS_LINE = 7;
const SHARED_MEMORY_LINE = 6;

/** The server could not listen: somebody else has the port. Worth another try. */
export class PortTakenError extends EmbeddedPostgresError {}

/** A server that runs, or ran. Made by {@linkcode ServerProcess.start}. */
export class ServerProcess {
  readonly #options: ServerProcessOptions;
  readonly #child: Deno.ChildProcess;
  readonly #log: LogTail;
  #status: Deno.CommandStatus | undefined;
  /** Resolves when the process has ended and its log is read. */
  readonly #ended: Promise<void>;

  private constructor(options: ServerProcessOptions, child: Deno.ChildProcess) {
    this.#options = options;
    this.#child = child;
    this.#log = new LogTail(child.stderr);
    this.#ended = this.#awaitEnd();
  }

  /**
   * Starts the server and waits until it accepts connections.
   *
   * @throws {PortTakenError} If the port is in use.
   * @throws {EmbeddedPostgresError} If it ends or is not ready in time; with the end of its log.
   */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const program = join(options.binDir, programFile("postgres"));
    const args = ["-D", options.dataDir];
    for (const [name, value] of Object.entries(options.settings)) {
      args.push("-c", `${name}=${value}`);
    }
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        ...spawnOptions(options.user),
        args,
        // A Ctrl-C in the terminal is for our process: the server ends after those who use it.
        detached: true,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
    } catch (thrown) {
      throw new EmbeddedPostgresError(`Cannot start ${program}: ${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
    const server = new ServerProcess(options, child);
    await server.#untilReady(program);
    return server;
  }

  /** The operating system's id of the postmaster. */
  get processId(): number {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#status === undefined;
  }

  /** The last lines that the server wrote to its log, oldest first. */
  get logLines(): readonly string[] {
    return this.#log.lines;
  }

  /** Fast shutdown: sessions are ended, and a checkpoint makes the next start quick. */
  async stop(): Promise<void> {
    if (this.isRunning) {
      await this.#askToStop("fast");
      if (!await this.#endsWithin(FAST_SHUTDOWN_TIMEOUT_MS)) {
        await this.#askToStop("immediate");
        if (!await this.#endsWithin(IMMEDIATE_SHUTDOWN_TIMEOUT_MS)) await this.kill();
      }
    }
    await this.#ended;
  }

  /** Kills the postmaster and all of its children with SIGKILL: a crash of the server. */
  async kill(): Promise<void> {
    if (this.isRunning) await killProcessTree(this.processId);
    await this.#ended;
  }

  /** Frees what only the kernel remembers of a server that was killed and is not started again. */
  async freeSharedMemory(): Promise<void> {
    const line = (await this.#pidFile())[SHARED_MEMORY_LINE];
    const id = /^\s*\d+\s+(\d+)\s*$/.exec(line ?? "")?.[1];
    if (Deno.build.os === "windows" || id === undefined) return;
    try {
      await runCommand("ipcrm", ["-m", id], { user: this.#options.user, timeoutMs: 5_000 });
    } catch {
      return; // Without ipcrm 56 bytes stay until the machine restarts; nothing else can be done.
    }
  }

  async #awaitEnd(): Promise<void> {
    this.#status = await this.#child.status;
    await this.#log.done;
  }

  async #untilReady(program: string): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if (!this.isRunning) {
        await this.#ended;
        const log = this.#log.lines.join("\n");
        // "could not bind IPv4 address", then "could not create any TCP/IP sockets"; or, for the
        // Unix socket, "lock file ... already exists". Messages are English: LC_ALL is C.
        if (/Address already in use|\.s\.PGSQL\.\d+\.lock" already exists/.test(log)) {
          throw new PortTakenError(`Cannot start ${program}: its port is in use. Its log:\n${log}`);
        }
        throw new EmbeddedPostgresError(
          `Cannot start ${program}: it ended with code ${this.#status?.code}. Its log:\n${log}`,
        );
      }
      const lines = await this.#pidFile();
      // A file left by a run that was killed says "ready" too, with another process id.
      const isOurs = Number(lines[0]) === this.processId;
      if (isOurs && lines[STATUS_LINE]?.trim() === "ready") return;
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
    await this.kill();
    throw new EmbeddedPostgresError(
      `Cannot start ${program}: it was not ready within ${READY_TIMEOUT_MS} ms. Its log:\n` +
        this.#log.lines.join("\n"),
    );
  }

  async #pidFile(): Promise<readonly string[]> {
    try {
      const path = join(this.#options.dataDir, "postmaster.pid");
      return (await Deno.readTextFile(path)).split(/\r?\n/);
    } catch {
      return []; // Not written yet, or (on Windows) being written.
    }
  }

  async #askToStop(mode: "fast" | "immediate"): Promise<void> {
    const { binDir, dataDir, user } = this.#options;
    if (Deno.build.os === "windows") {
      // Windows has no signals; pg_ctl knows PostgreSQL's replacement for them.
      const args = ["stop", "-D", dataDir, "-m", mode, "-W"];
      await runCommand(join(binDir, "pg_ctl.exe"), args, { user, timeoutMs: 10_000 });
      return;
    }
    try {
      this.#child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    } catch {
      return; // It ended by itself in the meantime.
    }
  }

  async #endsWithin(timeoutMs: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const ended = this.#ended.then(() => true);
    const result = await Promise.race([ended, timeout]);
    clearTimeout(timer);
    return result;
  }
}
