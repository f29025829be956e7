/**
 * A test of its own server, gateway and clients, with plugins of this repository.
 *
 * @module
 */

import pg from "pg";
import type { EmbeddedPostgres } from "../../src/cli/demo/embedded_postgres.ts";
import type { Gateway, Sections } from "./gateway.ts";
import { startTestPostgres } from "./postgres.ts";
import { startWithPlugins } from "./shipped_plugins.ts";

/** What may differ from one scene to another. */
export interface PluginSceneOptions {
  /** By a plugin's name: its group in the configuration, as {@linkcode startWithPlugins} has it. */
  readonly plugins: Readonly<Record<string, Sections>>;
  readonly workers?: number;
  readonly pool?: Sections;
}

/** Where a client connects, beside the usual. */
export type ClientOptions = pg.ClientConfig;

/** A server, a gateway, and their clients. Disposing of it fails if a plugin has failed. */
export class PluginScene implements AsyncDisposable {
  readonly server: EmbeddedPostgres;
  readonly gateway: Gateway;
  readonly #clients: pg.Client[] = [];

  private constructor(server: EmbeddedPostgres, gateway: Gateway) {
    this.server = server;
    this.gateway = gateway;
  }

  /**
   * Starts a scene whose gateway trusts its clients and pools their transactions.
   *
   * @throws {Error} If this machine cannot build a plugin, or the gateway does not start.
   */
  static async start(
    server: EmbeddedPostgres,
    { plugins, workers = 1, pool = {} }: PluginSceneOptions,
  ): Promise<PluginScene> {
    const settings = {
      workers,
      server: { auth: { method: "trust" } },
      pool: { mode: "transaction", size: 4, ...pool },
    };
    return new PluginScene(server, await startWithPlugins(server, { plugins, settings }));
  }

  /** Runs a test with a scene. */
  static test(
    name: string,
    options: PluginSceneOptions,
    body: (scene: PluginScene, t: Deno.TestContext) => Promise<void>,
  ): void {
    Deno.test(name, async (t) => {
      await using server = await startTestPostgres({ auth: "trust" });
      await using scene = await PluginScene.start(server, options);
      await body(scene, t);
    });
  }

  /** A client of the gateway. */
  async client(options: ClientOptions = {}): Promise<pg.Client> {
    return await this.#connect({ ...this.gateway.targetOf("default"), ...options });
  }

  /** A client of the server, which the gateway knows nothing of. */
  async direct(): Promise<pg.Client> {
    return await this.#connect({ port: this.server.port });
  }

  async #connect(options: ClientOptions): Promise<pg.Client> {
    const where = { host: "127.0.0.1", user: "postgres", database: "postgres", ssl: false };
    const client = new pg.Client({ ...where, ...options });
    client.on("error", () => {});
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** The sum of a metric's series, all of them or those with a label such as `reason="table"`. */
  async sum(metric: string, label = ""): Promise<number> {
    let sum = 0;
    for (const [series, value] of await this.gateway.metrics()) {
      if (series.split("{")[0] === metric && series.includes(label)) sum += value;
    }
    return sum;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.end().catch(() => {});
    const failed = this.gateway.logs.filter(({ msg }) => /^plugin (failed|was switched)/.test(msg));
    await this.gateway[Symbol.asyncDispose]();
    if (failed.length > 0) throw new Error(JSON.stringify(failed));
  }
}
