/**
 * A gateway as its users have it: a process of its own, started from a configuration file, told
 * what to do by signals, seen through its log and its metrics.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseExposition } from "../observe/exposition.ts";
import { cleanEnvironment } from "./programs.ts";
import { eventually, PATIENCE_MS, within } from "./wait.ts";

/** Lines of log that are kept; a test that writes more has gone wild. */
const LOG_LINES_MAX = 50_000;

/** What only a defect of the gateway writes to its log. */
const DEFECT = /internal error|worker died|cannot count a fact|cannot collect metrics|panicked/;

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Sections of a configuration, as in sluice.yaml. */
export type Sections = Readonly<Record<string, unknown>>;

/** What to start. */
export interface GatewayOptions {
  /** The file's text, or what it says. */
  readonly config: string | Sections;
  readonly env?: Readonly<Record<string, string>>;
  /** File descriptors that the process may have, hard limit and soft. Default: as many as we. */
  readonly descriptorsMax?: number;
}

/** Settings for {@linkcode configFor}, each merged into the group "default". */
export interface Settings {
  readonly workers?: number;
  readonly shutdownTimeout?: string;
  readonly server?: Sections;
  readonly client?: Sections;
  readonly pool?: Sections;
  readonly logger?: Sections;
}

/** The driver of gateways whose configuration does not say one. */
const DRIVER = Deno.env.get("SLUICE_TEST_DRIVER") ?? "auto";

/**
 * A configuration with one listener on a free port of 127.0.0.1 in front of the database at
 * `address`, and metrics on a free port.
 */
export function configFor(address: string, settings: Settings = {}): Sections {
  const { workers = 1, shutdownTimeout = "30s", server, client, pool, logger } = settings;
  return {
    servers: { default: { address: "127.0.0.1:0", ...server } },
    clients: { default: { address, ...client } },
    pools: { default: { ...pool } },
    loggers: { default: { level: "debug", format: "json", ...logger } },
    metrics: { address: "127.0.0.1:0" },
    runtime: { workers, shutdownTimeout },
  };
}

/** A command that runs the gateway: the program that SLUICE_BINARY names, else this Deno. */
export function gatewayCommand(args: readonly string[]): readonly [string, string[]] {
  const binary = Deno.env.get("SLUICE_BINARY");
  if (binary !== undefined) return [binary, [...args]];
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const run = ["run", "-A", "--quiet", "--config", `${root}deno.json`, `${root}main.ts`];
  return [Deno.execPath(), [...run, ...args]];
}

/**
 * Starts a gateway and waits until it listens.
 *
 * @throws {Error} If it ends instead, with its log.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-gateway-" });
  const { config } = options;
  const file = `${folder}/sluice.yaml`;
  // JSON is YAML.
  await Deno.writeTextFile(file, typeof config === "string" ? config : JSON.stringify(config));
  const [program, args] = limited(gatewayCommand(["run", "-c", file]), options.descriptorsMax);
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { ...cleanEnvironment(), ...driverOf(config), ...options.env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const gateway = new Gateway(child, folder);
  try {
    const listeners = typeof config === "string" ? 1 : Object.keys(config["servers"] ?? {}).length;
    await gateway.untilListening(listeners);
    return gateway;
  } catch (error) {
    await gateway.kill();
    throw error;
  }
}

function driverOf(config: string | Sections): Record<string, string> {
  const text = typeof config === "string" ? config : JSON.stringify(config["runtime"] ?? {});
  return DRIVER === "auto" || text.includes("driver") ? {} : { SLUICE_RUNTIME_DRIVER: DRIVER };
}

function limited(
  [program, args]: readonly [string, string[]],
  descriptorsMax: number | undefined,
): readonly [string, string[]] {
  if (descriptorsMax === undefined) return [program, args];
  return ["sh", ["-c", `ulimit -n ${descriptorsMax} && exec "$@"`, "sh", program, ...args]];
}

/** A gateway that was started. Disposing of it kills it, and fails if its log shows a defect. */
export class Gateway implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #reading: Promise<void>;
  readonly #lines: string[] = [];
  readonly #parsed: LogLine[] = [];
  #exit: Deno.CommandStatus | undefined;
  /** Resolves when the process has ended and its log is read. */
  readonly ended: Promise<Deno.CommandStatus>;

  /** @param folder Deleted in the end. */
  constructor(child: Deno.ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#reading = this.#readLog();
    this.ended = this.#awaitEnd();
  }

  get processId(): number {
    return this.#child.pid;
  }

  /** A folder of its own, with its configuration in sluice.yaml. */
  get folder(): string {
    return this.#folder;
  }

  /** Every line of the log that is JSON, oldest first. */
  get logs(): readonly LogLine[] {
    return this.#parsed;
  }

  /** All that was written to standard error. */
  get logText(): string {
    return this.#lines.join("\n");
  }

  /** Where clients connect: 127.0.0.1 and the port of the listener "default". */
  get target(): { readonly host: string; readonly port: number } {
    return this.targetOf("default");
  }

  /** Where clients of one TCP listener connect. */
  targetOf(listener: string): { readonly host: string; readonly port: number } {
    const address = String(this.#logged("listening", { listener })?.["address"]);
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon).replaceAll(/[[\]]/g, "");
    return { host, port: Number(address.slice(colon + 1)) };
  }

  /** The URL of the metrics. */
  get metricsUrl(): string {
    const line = this.#logged("metrics", {});
    return `http://${line?.["address"]}${line?.["path"]}`;
  }

  /** Resolves when so many listeners accept clients; throws with its log if they never will. */
  async untilListening(listeners: number): Promise<void> {
    const isUp = eventually("the gateway listens", () => {
      if (this.#exit !== undefined) {
        throw new Error(`The gateway ended with ${this.#exit.code}:\n${this.logText}`);
      }
      return this.#parsed.filter(({ msg }) => msg === "listening").length >= listeners;
    }, 2 * PATIENCE_MS);
    await isUp.catch((error) => {
      throw new Error(`${error.message}. Its log:\n${this.logText}`);
    });
  }

  /** The number of a series, written as Prometheus does: `sluice_queries_total{pool="default"}`. */
  async metric(series: string): Promise<number> {
    const value = (await this.metrics()).get(series);
    if (value === undefined) throw new Error(`There is no metric ${series}`);
    return value;
  }

  /** Every series of the metrics page, written as Prometheus does with its labels in order. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const response = await fetch(this.metricsUrl);
    const text = await response.text();
    if (!response.ok) throw new Error(`The metrics answer ${response.status}: ${text}`);
    const all = new Map<string, number>();
    for (const { series } of parseExposition(text).values()) {
      for (const { name, labels, value } of series) {
        const inside = [...labels].map(([label, of]) => `${label}="${of}"`).sort().join(",");
        all.set(inside === "" ? name : `${name}{${inside}}`, value);
      }
    }
    return all;
  }

  /** Waits until nobody is connected to either side of it any more. */
  async untilIdle(): Promise<void> {
    await eventually("the gateway has no connections any more", async () => {
      const gauges = [...await this.metrics()].filter(([name]) =>
        /^sluice_(client_connections|server_connections|pool_waiters)\{/.test(name)
      );
      return gauges.length > 0 && gauges.every(([, value]) => value === 0);
    });
  }

  /** Waits for a line of the log with this message, and these fields if given. */
  async untilLogged(msg: string, fields: Readonly<Record<string, unknown>> = {}): Promise<LogLine> {
    const line = eventually(`the log says "${msg}"`, () => this.#logged(msg, fields));
    return await line.catch((error) => {
      throw new Error(`${error.message}. It said:\n${this.logText.slice(-4000)}`);
    });
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Waits for its end. */
  async exitCode(): Promise<number> {
    return (await within(2 * PATIENCE_MS, "the gateway ends", this.ended)).code;
  }

  /** Memory in RAM now, in bytes. Linux only. */
  residentBytes(): number {
    return this.#memory("VmRSS");
  }

  /** The most memory in RAM since {@linkcode resetPeak}, in bytes. Linux only. */
  peakResidentBytes(): number {
    return this.#memory("VmHWM");
  }

  /** Begins a new measurement of the peak: proc_pid_clear_refs(5), value 5. */
  resetPeak(): void {
    Deno.writeTextFileSync(`/proc/${this.processId}/clear_refs`, "5");
  }

  /** Ends it at once, and deletes its folder. A second time it does nothing. */
  async kill(): Promise<void> {
    if (this.#exit === undefined) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It has just ended by itself.
      }
    }
    await this.ended;
    await Deno.remove(this.#folder, { recursive: true }).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    const defects = this.#lines.filter((line) => DEFECT.test(line));
    if (defects.length > 0) throw new Error(`The gateway has a defect:\n${defects.join("\n")}`);
  }

  #logged(msg: string, fields: Readonly<Record<string, unknown>>): LogLine | undefined {
    const wanted = Object.entries(fields);
    return this.#parsed.find((line) =>
      line.msg === msg && wanted.every(([name, value]) => line[name] === value)
    );
  }

  #memory(name: string): number {
    const status = Deno.readTextFileSync(`/proc/${this.processId}/status`);
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/${this.processId}/status has no ${name}`);
    return Number(kibibytes) * 1024;
  }

  async #awaitEnd(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    await this.#reading;
    this.#exit = status;
    return status;
  }

  async #readLog(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#onLine(line);
    }
    if (rest !== "") this.#onLine(rest);
  }

  #onLine(line: string): void {
    if (this.#lines.length >= LOG_LINES_MAX) return;
    this.#lines.push(line);
    if (line.startsWith("{")) this.#parsed.push(JSON.parse(line));
  }
}
