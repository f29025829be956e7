/**
 * The plugin `cache` before a real server, with clients that tell what it did.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import type pg from "pg";
import type { Sections } from "./gateway.ts";
import { PluginScene } from "./plugin_scene.ts";

/** What may differ from one scene to another. */
export interface CacheOptions {
  /** What the configuration says to the plugin. */
  readonly config?: Sections;
  readonly workers?: number;
  readonly pool?: Sections;
}

const COUNTERS = { hits: "hit", misses: "miss", bypassed: "bypass" } as const;

/** How a query was treated. */
export type Treatment = (typeof COUNTERS)[keyof typeof COUNTERS];

/** A scene whose only plugin is the cache, and a table `users (id, name)` with two rows. */
export class CacheScene {
  readonly scene: PluginScene;

  private constructor(scene: PluginScene) {
    this.scene = scene;
  }

  /** Runs a test with it. */
  static test(
    name: string,
    options: CacheOptions,
    body: (cache: CacheScene, t: Deno.TestContext) => Promise<void>,
  ): void {
    const { config = {}, ...more } = options;
    const plugins = { cache: { config, kvMax: "8MiB" } };
    PluginScene.test(name, { plugins, ...more }, async (scene, t) => {
      const owner = await scene.client();
      await owner.query("create table users (id int primary key, name text)");
      await owner.query("insert into users values (1, 'ann'), (2, 'bob')");
      await body(new CacheScene(scene), t);
    });
  }

  /** A client of the gateway. */
  client(options: pg.ClientConfig = {}): Promise<pg.Client> {
    return this.scene.client(options);
  }

  /** One of the cache's counters, by the middle of its name. */
  count(name: string): Promise<number> {
    return this.scene.sum(`plugin_cache_${name}_total`);
  }

  /** How often the cache did what it did while something was done. */
  async treatment(act: () => Promise<unknown>): Promise<Treatment | undefined> {
    const before = await this.#counts();
    await act();
    const after = await this.#counts();
    const changed = Object.entries(COUNTERS).filter((_, i) => after[i] !== before[i]);
    equal(changed.length, 1, JSON.stringify([before, after]));
    return changed[0]?.[1];
  }

  async #counts(): Promise<number[]> {
    const series = await this.scene.gateway.metrics();
    return Object.keys(COUNTERS).map((name) =>
      [...series].reduce(
        (sum, [key, value]) => key.startsWith(`plugin_cache_${name}_total{`) ? sum + value : sum,
        0,
      )
    );
  }

  /** Runs a query once for each treatment that is expected. */
  async expect(
    client: pg.Client,
    query: string | pg.QueryConfig,
    ...treatments: readonly Treatment[]
  ): Promise<void> {
    const text = typeof query === "string" ? query : JSON.stringify(query);
    for (const [index, expected] of treatments.entries()) {
      const found = await this.treatment(() => client.query(query));
      equal(found, expected, `query ${index + 1} is a ${found}: ${text}`);
    }
  }
}
