/**
 * The plugins that come with Sluice, built from source and run by a gateway.
 *
 * @module
 */

import { configFor, type Gateway, type Settings, startGateway } from "./gateway.ts";
import { buildPlugin, isMissing, type NoToolchain } from "./plugin_builds.ts";
import { pooledSettings, type PoolMode } from "./pooled_gateway.ts";
import { type Target, targetAt } from "./stories.ts";

const PLUGINS = new URL("../../plugins/", import.meta.url).pathname;

/** A plugin that was built. */
export interface ShippedPlugin {
  readonly name: string;
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** Its manifest, as YAML. */
  readonly manifest: string;
}

/** How a plugin is run. */
export interface ShippedOptions extends Settings {
  /** What the plugin is told. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Without it, the server authenticates each client through the gateway. */
  readonly mode?: PoolMode;
  /** Server connections of a pool. */
  readonly size?: number;
  readonly permissions: readonly string[];
  readonly fuelPerCall?: number;
}

/** Builds `plugins/NAME`; gives the reason if this machine cannot. */
export async function shippedPlugin(name: string): Promise<ShippedPlugin | NoToolchain> {
  const wasm = await buildPlugin(`${PLUGINS}${name}`);
  if (isMissing(wasm)) return wasm;
  return { name, wasm, manifest: await Deno.readTextFile(`${PLUGINS}${name}/${name}.yaml`) };
}

/** A gateway with a plugin without which no traffic is to pass. */
export class PluginGateway implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly #folder: string;

  private constructor(gateway: Gateway, folder: string) {
    this.gateway = gateway;
    this.#folder = folder;
  }

  /** Starts one in front of `server`. @throws {Error} If it does not start, with its log. */
  static async start(
    server: { readonly host: string; readonly port: number },
    { name, wasm, manifest }: ShippedPlugin,
    { config, permissions, mode, size = 2, fuelPerCall = 5_000_000, ...settings }: ShippedOptions,
  ): Promise<PluginGateway> {
    const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
    await Deno.writeFile(`${folder}/${name}.wasm`, wasm);
    await Deno.writeTextFile(`${folder}/${name}.yaml`, manifest);
    const address = `${server.host}:${server.port}`;
    const all = mode === undefined ? settings : pooledSettings({ mode, size, ...settings });
    const plugins = {
      directory: folder,
      tickInterval: "100ms",
      [name]: { permissions, config, fuelPerCall, onFailure: "closed" },
    };
    return new PluginGateway(
      await startGateway({ config: { ...configFor(address, all), plugins } }),
      folder,
    );
  }

  /** To the server, through the gateway and its plugin. */
  get via(): Target {
    return targetAt(this.gateway.target);
  }

  /** One of the plugin's own metrics; 0 if there is none yet. */
  async count(series: string): Promise<number> {
    return (await this.gateway.metrics()).get(series) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
