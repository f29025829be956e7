/**
 * A gateway with plugins that mean harm, and clients of both kinds: those who ask for it, and those
 * who have nothing to do with it and must not notice.
 *
 * @module
 */

import type { HostileFile } from "./hostile_files.ts";
import { ATTACK, type HostileModule, ORDINARY } from "./hostile_modules.ts";
import { HeldClient, type ServerError } from "./clients.ts";
import { configFor, type Gateway, type Sections, startGateway } from "./gateway.ts";
import { forwardingPlugin } from "./counter_plugin.ts";
import { type Target, targetAt } from "./stories.ts";
import { eventually } from "./wait.ts";

/** All of them, but for signals of the gateway's life there is nothing that needs one. */
const PERMISSIONS = [
  ...["replace", "respond", "reject", "close", "route", "parse", "signal", "log", "kv"],
  ...["session", "http"],
];

/** Longer than one of the parser's tokens, so that reading and parsing it are not for free. */
const ATTACK_SIZE = 50_000;

/** What a client has seen. */
export interface Seen {
  readonly queries: number;
  /** Errors by SQLSTATE, or by what the driver calls them. */
  readonly errors: ReadonlyMap<string, number>;
  /** The longest time that an answer took, in milliseconds. */
  readonly longestMs: number;
}

/** A client that asks again and again until it is told to stop. */
export class Loop {
  readonly #client: HeldClient;
  readonly #errors = new Map<string, number>();
  #queries = 0;
  #longestMs = 0;
  #isStopped = false;
  readonly #running: Promise<void>;

  constructor(client: HeldClient, text: string) {
    this.#client = client;
    this.#running = this.#run(text);
  }

  get seen(): Seen {
    return { queries: this.#queries, errors: this.#errors, longestMs: this.#longestMs };
  }

  /** Measures anew. */
  reset(): void {
    this.#longestMs = 0;
  }

  /** Forgets errors of this kind so far. */
  forgive(code: string): void {
    this.#errors.delete(code);
  }

  /** Returns errors so far, by SQLSTATE, and forgets them: each is told once. */
  takeErrors(): readonly (readonly [string, number])[] {
    const taken = [...this.#errors];
    this.#errors.clear();
    return taken;
  }

  /** Waits for so many answers from now on. */
  async answered(count: number): Promise<void> {
    const until = this.#queries + count;
    await eventually(`a client gets ${count} answers`, () => this.#queries >= until);
  }

  async end(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#client.end().catch(() => {});
  }

  async #run(text: string): Promise<void> {
    while (!this.#isStopped) {
      const startMs = performance.now();
      await this.#client.query(text).catch((error: ServerError) => count(this.#errors, error));
      this.#longestMs = Math.max(this.#longestMs, performance.now() - startMs);
      this.#queries += 1;
    }
  }
}

/** What one plugin did. */
export interface Harm {
  /** Failed calls by reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** In how many workers it was switched off. */
  readonly workersOff: number;
  /** Errors that attackers got, by SQLSTATE. */
  readonly errors: ReadonlyMap<string, number>;
  /** Memory in RAM at most while it ran, in bytes more than before. */
  readonly grownBytes: number;
}

/** A gateway, and a folder for plugins. */
export class HostileScene implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly via: Target;
  readonly #folder: string;

  private constructor(gateway: Gateway, folder: string) {
    this.gateway = gateway;
    this.via = targetAt(gateway.target);
    this.#folder = folder;
  }

  /** @param plugins Those that may come, with what the configuration says of them. */
  static async start(
    server: { readonly host: string; readonly port: number },
    plugins: Readonly<Record<string, Sections>>,
    workers = 1,
  ): Promise<HostileScene> {
    const folder = await Deno.makeTempDir({ prefix: "sluice-hostile-" });
    const granted = Object.entries(plugins).map(([name, settings]) => [
      name,
      { permissions: PERMISSIONS, hosts: ["127.0.0.1"], ...settings },
    ]);
    for (const [name, settings] of Object.entries(plugins)) {
      // Without these the gateway does not start.
      if (settings["onFailure"] !== "closed") continue;
      await Deno.writeFile(`${folder}/${name}.wasm`, forwardingPlugin(["onQuery"]));
    }
    const config = {
      ...configFor(`${server.host}:${server.port}`, { workers, pool: { size: 60 } }),
      plugins: { directory: folder, ...Object.fromEntries(granted) },
    };
    const gateway = await startGateway({ config });
    return new HostileScene(gateway, folder);
  }

  /** A client that begins to ask. */
  async loop(text = ORDINARY): Promise<Loop> {
    return new Loop(await HeldClient.connect(this.via), text);
  }

  /**
   * Puts files where plugins are looked for.
   *
   * @returns "loaded", "replaced", or how its refusal was counted.
   */
  async drop(name: string, bytes: Uint8Array, manifest?: string): Promise<string> {
    const outcomes = () =>
      this.gateway.logs.filter(({ msg, plugin }) =>
        plugin === name && /^plugin (loaded|replaced|refused)$/.test(msg)
      );
    const before = outcomes().length;
    if (manifest !== undefined) await this.#put(`${name}.yaml`, new TextEncoder().encode(manifest));
    await this.#put(`${name}.wasm`, bytes);
    this.gateway.signal("SIGHUP");
    const line = await eventually(`plugin ${name} is looked at`, () => outcomes()[before]);
    return line.msg === "plugin refused"
      ? String(line["result"])
      : line.msg.slice("plugin ".length);
  }

  /** Takes a plugin's files away, whatever became of it, and waits until it does not run. */
  async remove(name: string): Promise<void> {
    const isRunning = () => {
      const last = this.gateway.logs.findLast(({ msg, plugin }) =>
        plugin === name && /^plugin (loaded|replaced|removed)$/.test(msg)
      );
      return last !== undefined && last.msg !== "plugin removed";
    };
    await Deno.remove(`${this.#folder}/${name}.wasm`).catch(() => {});
    await Deno.remove(`${this.#folder}/${name}.yaml`).catch(() => {});
    this.gateway.signal("SIGHUP");
    await eventually(`plugin ${name} is removed`, () => !isRunning());
  }

  /** Has a plugin go wild, for these clients at once, a number of times each. */
  async attack(
    module: HostileModule,
    clients: readonly HeldClient[],
    times: number,
  ): Promise<Harm> {
    this.gateway.resetPeak();
    const before = this.gateway.residentBytes();
    const errors = new Map<string, number>();
    const text = `${ATTACK}, '${"x".repeat(ATTACK_SIZE)}'`;
    await Promise.all(clients.map(async (client) => {
      for (let i = 0; i < times; i++) {
        await client.query(text).catch((error: ServerError) => count(errors, error));
      }
    }));
    const numbers = await this.gateway.metrics();
    const prefix = `sluice_plugin_failures_total{plugin="${module.name}",reason="`;
    const failures = [...numbers].filter(([series, value]) =>
      series.startsWith(prefix) && value > 0
    ).map(([series, value]) => [series.slice(prefix.length, -2), value]);
    return {
      failures: Object.fromEntries(failures),
      workersOff: numbers.get(`sluice_plugin_off{plugin="${module.name}"}`) ?? 0,
      errors,
      grownBytes: this.gateway.peakResidentBytes() - before,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #put(name: string, bytes: Uint8Array): Promise<void> {
    const path = `${this.#folder}/${name}`;
    await Deno.writeFile(`${path}.new`, bytes);
    await Deno.rename(`${path}.new`, path);
  }
}

/** What the configuration of a gateway says of modules. */
export function settingsOf(
  modules: readonly (HostileModule | HostileFile)[],
): Readonly<Record<string, Sections>> {
  return Object.fromEntries(
    modules.map((one) => [one.name, "settings" in one ? one.settings : {}]),
  );
}

function count(errors: Map<string, number>, { code, message }: ServerError): void {
  const name = code ?? message;
  errors.set(name, (errors.get(name) ?? 0) + 1);
}
