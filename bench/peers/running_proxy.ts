/**
 * Starts what is measured, and ends it with every process that it has made.
 *
 * @module
 */

import { LogTail } from "../../src/cli/demo/log_tail.ts";
import { serverUser } from "../../src/cli/demo/server_user.ts";

/** All sockets are on this machine. */
export const HOST = "127.0.0.1";

/** A proxy that is not up after this will not come up. */
const START_TIMEOUT_MS = 20_000;
const START_PAUSE_MS = 50;
const SETTLING_MS = 500;

/** What has not ended this long after a polite word is killed. */
const STOP_TIMEOUT_MS = 5_000;

/** Lines of a proxy's log in the error that says why it did not start. */
const LOG_LINES = 3;

/** For how long a client keeps a server connection: all of its session, or a transaction. */
export type PoolMode = "session" | "transaction";

/** A certificate and its key: paths of PEM files that every user who runs a proxy can read. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What every proxy is set up to do. */
export interface PeerSetting {
  readonly mode: PoolMode;
  /** Server connections that it may open: the same for all of them. */
  readonly poolSize: number;
  /** Clients that it has to let in. */
  readonly clientsMax: number;
  /** Threads that serve clients, or processes where it has one thread. */
  readonly workers: number;
  /** With it clients have to use TLS. */
  readonly tls?: CertificateFiles | undefined;
  readonly postgresPort: number;
  /** An empty folder, which other users may read and write, for its configuration and sockets. */
  readonly folder: string;
}

/** Something that pgbench can connect to. */
export interface Contestant {
  readonly name: string;
  readonly port: number;
  /** Of which all children count, too; none for the server, which is not what is measured. */
  readonly processIds: readonly number[];
  /** Clients have to use TLS; default false. */
  readonly isEncrypted?: boolean;
}

/** A proxy that was started; disposing of it ends its processes. */
export interface RunningProxy extends Contestant, AsyncDisposable {}

/** How to start a proxy. */
export interface ProxyCommand {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Where it will listen. */
  readonly port: number;
  /** All of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: as another user than root, since some refuse to be root. */
  readonly isOurUser?: boolean;
  /** What asks it to end without waiting for clients; default SIGTERM. */
  readonly stopSignal?: Deno.Signal;
  readonly isEncrypted?: boolean;
  /** Processes that listen on the same port, which share their clients; default 1. */
  readonly processes?: number;
}

/** Starts one or several processes. @throws {Error} If one does not start, with what it said. */
export async function startProxy(command: ProxyCommand): Promise<RunningProxy> {
  const { name, port, isEncrypted = false } = command;
  const children: ProxyProcess[] = [];
  const dispose = async () => {
    await Promise.all(children.map((child) => child.stop()));
  };
  try {
    for (let i = 0; i < (command.processes ?? 1); i += 1) {
      const child = new ProxyProcess(command);
      children.push(child);
      await child.untilAccepting(port);
    }
    // The first of several accepts for all of them, so the others only have to live for a moment.
    if (children.length > 1) await pause(SETTLING_MS);
    for (const child of children) await child.throwIfEnded();
  } catch (error) {
    await dispose();
    throw error;
  }
  const processIds = children.map(({ processId }) => processId);
  return { name, port, processIds, isEncrypted, [Symbol.asyncDispose]: dispose };
}

/** One process, the leader of a group: its children end with it, and a Ctrl-C is ours alone. */
class ProxyProcess {
  readonly #command: ProxyCommand;
  readonly #child: Deno.ChildProcess;
  readonly #logs: readonly LogTail[];
  readonly #ended: Promise<unknown>;
  #code: number | undefined;

  constructor(command: ProxyCommand) {
    this.#command = command;
    const user = command.isOurUser ? undefined : serverUser();
    this.#child = new Deno.Command(command.program, {
      args: [...command.args],
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      clearEnv: true,
      env: command.env ?? { PATH: Deno.env.get("PATH") ?? "", LC_ALL: "C" },
      cwd: "/",
      detached: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#logs = [new LogTail(this.#child.stdout), new LogTail(this.#child.stderr)];
    this.#ended = this.#child.status.then(({ code }) => this.#code = code);
  }

  get processId(): number {
    return this.#child.pid;
  }

  async untilAccepting(port: number): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    const { name } = this.#command;
    while (!await accepts(port)) {
      await this.throwIfEnded();
      if (Date.now() > deadline) {
        throw new Error(`Cannot start ${name}: it did not listen within ${START_TIMEOUT_MS} ms`);
      }
      await pause(START_PAUSE_MS);
    }
  }

  async throwIfEnded(): Promise<void> {
    if (this.#code === undefined) return;
    await Promise.all(this.#logs.map(({ done }) => done));
    const said = this.#logs.flatMap(({ lines }) => lines).slice(-LOG_LINES).join("; ");
    throw new Error(`Cannot start ${this.#command.name}: it ended with ${this.#code}: ${said}`);
  }

  async stop(): Promise<void> {
    if (this.#code === undefined) this.#signal(this.#child.pid, this.#command.stopSignal);
    const timer = setTimeout(() => this.#signal(-this.#child.pid, "SIGKILL"), STOP_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
    // Its group, in which a child may be left even when the process itself has ended.
    this.#signal(-this.#child.pid, "SIGKILL");
    await Promise.all(this.#logs.map(({ done }) => done));
  }

  #signal(processId: number, signal: Deno.Signal = "SIGTERM"): void {
    try {
      Deno.kill(processId, signal);
    } catch {
      // It has ended, and so has everything in its group.
    }
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: HOST, port })).close();
    return true;
  } catch {
    return false;
  }
}

/** Free now: whoever asked for it must be quick. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

/** Writes a configuration that every user may read. */
export async function writeSettings(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o644);
}

/** Resolves after so many milliseconds. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
