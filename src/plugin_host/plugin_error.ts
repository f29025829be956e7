/**
 * A plugin that cannot be run at all.
 *
 * @module
 */

/** Why a module is refused: what is wrong with it, and the rule. */
export class PluginError extends Error {
  override readonly name = "PluginError";
  /** Name of the plugin. */
  readonly plugin: string;

  /** @param problem A clause without a final period, such as `it does not export "memory"`. */
  constructor(plugin: string, problem: string) {
    super(`Cannot run plugin "${plugin}": ${problem}`);
    this.plugin = plugin;
  }
}
