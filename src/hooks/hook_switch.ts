/**
 * What one worker's sessions call hooks through: the chain as it is now, which is replaced as a
 * whole, and the one event that all calls share, since none runs within another.
 *
 * @module
 */

import { ByteSlab } from "../base/byte_slab.ts";
import { type HookChain, NO_HOOKS } from "./chain.ts";
import { HookEvent } from "./event.ts";

/** One worker's hooks. */
export class HookSwitch {
  /** Replaced between two messages, never within one. */
  chain: HookChain = NO_HOOKS;
  readonly event = new HookEvent();
  /** For what has to be remembered until it is answered. */
  readonly slab = new ByteSlab();
}
