/**
 * The plugins of one thread: a worker's, which are called for traffic and time, or the control
 * plane's, which are called for the gateway's own life. All of them are replaced at once.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { WorkerPlugin } from "../data_plane_messages.ts";
import { HookChain, type Subscriber } from "../hooks/chain.ts";
import { HookEvent } from "../hooks/event.ts";
import { HOOK, type HookName } from "../hooks/hooks.ts";
import { HookSwitch } from "../hooks/hook_switch.ts";
import type { Verdict } from "../hooks/verdict.ts";
import type { Permission } from "../plugin_host/plugin_spec.ts";

/** A plugin that runs. */
export interface LivePlugin extends Subscriber {
  /** Ends what it has begun; it is called no more. */
  close(): void;
}

/** What a {@linkcode PluginPlane} works with. */
export interface PluginPlaneParts {
  readonly clock: Clock;
  /** Makes an instance. @throws {Error} If the plugin does not start. */
  readonly create: (plugin: WorkerPlugin) => Promise<LivePlugin>;
  /** Gets ready what a permission needs, before the first plugin that has it is made. */
  readonly provide: (permissions: ReadonlySet<Permission>) => Promise<void>;
}

/** A plugin that runs, and what it was made from. */
interface Made {
  readonly given: WorkerPlugin;
  readonly plugin: LivePlugin;
}

/** Plugins by name. */
type MadePlugins = ReadonlyMap<string, Made>;

/** The plugins of one thread. */
export class PluginPlane {
  /** What sessions call. */
  readonly hooks = new HookSwitch();
  readonly #parts: PluginPlaneParts;
  #used: MadePlugins = new Map();
  /** What was got ready, and in which round. */
  #prepared: { readonly round: number; readonly plugins: MadePlugins } | undefined;
  /** Ends with what is being got ready: the next waits for it, so that the last one stays. */
  #preparing: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  readonly #event = new HookEvent();

  constructor(parts: PluginPlaneParts) {
    this.#parts = parts;
  }

  /**
   * Uses what it was started with, but for what does not start.
   *
   * @returns What does not start and need not, with the reason.
   * @throws {Error} If one does not start without which traffic is to be refused.
   */
  async start(plugins: readonly WorkerPlugin[]): Promise<ReadonlyMap<string, string>> {
    const failed = new Map<string, string>();
    const made = new Map<string, Made>();
    for (const given of plugins) {
      const { name, onFailure } = given.spec;
      try {
        made.set(name, await this.#make(given));
      } catch (error) {
        if (onFailure === "closed") throw error;
        failed.set(name, messageOf(error));
      }
    }
    this.#replace(made);
    return failed;
  }

  /**
   * Gets ready to use these plugins and no others, in place of what was got ready before. Those of
   * a version that runs are not made again.
   *
   * @throws {Error} If one does not start: then nothing is ready.
   */
  prepare(round: number, plugins: readonly WorkerPlugin[]): Promise<void> {
    const done = this.#preparing.then(() => this.#prepare(round, plugins));
    this.#preparing = done.catch(() => {});
    return done;
  }

  async #prepare(round: number, plugins: readonly WorkerPlugin[]): Promise<void> {
    this.drop(this.#prepared?.round ?? 0);
    const made = new Map<string, Made>();
    try {
      for (const given of plugins) {
        const { name, generation } = given.spec;
        const before = this.#used.get(name);
        const isSame = before?.given.spec.generation === generation;
        made.set(name, isSame ? before : await this.#make(given));
      }
    } catch (error) {
      this.#closeUnused(made);
      throw error;
    }
    this.#prepared = { round, plugins: made };
  }

  /**
   * Uses what was got ready in a round, from the next event on.
   *
   * @returns False if another round has taken its place.
   */
  use(round: number): boolean {
    if (this.#prepared?.round !== round) return false;
    const { plugins } = this.#prepared;
    this.#prepared = undefined;
    this.#replace(plugins);
    return true;
  }

  /** Forgets what was got ready in a round. */
  drop(round: number): void {
    if (this.#prepared?.round !== round) return;
    this.#closeUnused(this.#prepared.plugins);
    this.#prepared = undefined;
  }

  /** Begins to call onTick. @param sessions How many sessions the worker has. */
  tick(intervalMs: number, sessions: () => number): void {
    this.#timer = this.#parts.clock.after(intervalMs, () => {
      this.call("onTick", utf8(String(sessions())));
      this.tick(intervalMs, sessions);
    });
  }

  /** Calls onTick no more. */
  stopTicking(): void {
    this.#timer?.cancel();
  }

  /** Calls a hook that is about no session; undefined if nobody wants it. */
  call(name: HookName, payload: Uint8Array, flags = 0): Verdict | undefined {
    const hook = HOOK[name];
    if (this.hooks.chain.wants[hook] !== 1) return undefined;
    this.#fill(hook, payload, flags);
    return this.hooks.chain.run(this.#event);
  }

  /**
   * Calls everybody who wants a hook that is about no session with the same event, whatever the
   * others say.
   *
   * @returns Verdicts by plugin, in the order of the calls.
   */
  callEach(name: HookName, payload: Uint8Array, flags: number): ReadonlyMap<string, Verdict> {
    const verdicts = new Map<string, Verdict>();
    for (const plugin of this.hooks.chain.subscribersOf(HOOK[name])) {
      this.#fill(HOOK[name], payload, flags);
      verdicts.set(plugin.name, plugin.call(this.#event));
    }
    return verdicts;
  }

  /** Ends all plugins. */
  close(): void {
    this.stopTicking();
    this.drop(this.#prepared?.round ?? 0);
    this.#replace(new Map());
  }

  #fill(hook: number, payload: Uint8Array, flags: number): void {
    this.#event.clear(hook, undefined);
    this.#event.flags = flags;
    this.#event.payload = payload;
  }

  async #make(given: WorkerPlugin): Promise<Made> {
    await this.#parts.provide(new Set(given.spec.permissions));
    return { given, plugin: await this.#parts.create(given) };
  }

  #replace(plugins: MadePlugins): void {
    const before = this.#used;
    this.#used = plugins;
    this.hooks.chain = new HookChain([...plugins.values()].map(({ plugin }) => plugin));
    for (const [name, made] of before) if (plugins.get(name) !== made) made.plugin.close();
  }

  #closeUnused(plugins: MadePlugins): void {
    for (const [name, made] of plugins) {
      if (this.#used.get(name) !== made) made.plugin.close();
    }
  }
}
