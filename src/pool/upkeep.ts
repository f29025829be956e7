/**
 * What is done to connections that nobody uses: those that are too old or idle for too long are
 * closed, and the rest is checked, before one is given or now and then.
 *
 * @module
 */

import type { Connections } from "./connections.ts";
import type { Slot } from "./idle_list.ts";
import type { CloseReason, ServerPoolOptions } from "./server_pool_types.ts";

/** What the pool does for it. */
export interface UpkeepHandler<C> {
  validate(connection: C, done: (isAlive: boolean) => void): void;
  close(slot: Slot<C>, reason: CloseReason): void;
  /** A check has ended: the slot is alive and nobody's, or it is being closed. */
  onChecked(slot: Slot<C>, isAlive: boolean): void;
  nowMs(): number;
}

/** The upkeep of one pool's connections. */
export class Upkeep<C> {
  readonly #options: ServerPoolOptions;
  readonly #connections: Connections<C>;
  readonly #handler: UpkeepHandler<C>;

  constructor(
    options: ServerPoolOptions,
    connections: Connections<C>,
    handler: UpkeepHandler<C>,
  ) {
    this.#options = options;
    this.#connections = connections;
    this.#handler = handler;
  }

  /** Whether an idle connection must be checked before it is given. */
  isCheckDue({ checkedMs }: Slot<C>): boolean {
    const { validation, validationIntervalMs } = this.#options;
    return validation === "foreground" &&
      this.#handler.nowMs() - checkedMs > validationIntervalMs;
  }

  /** Checks an idle connection, which cannot be given meanwhile. */
  check(slot: Slot<C>): void {
    this.#connections.move(slot, "checking");
    this.#handler.validate(slot.connection, (isAlive) => {
      // It may be gone by now, and what became of its slot is no business of this check.
      if (this.#connections.get(slot.connection) !== slot || slot.state !== "checking") return;
      slot.checkedMs = this.#handler.nowMs();
      if (!isAlive) this.#handler.close(slot, "validation");
      this.#handler.onChecked(slot, isAlive);
      this.checkInBackground();
    });
  }

  /** Checks what has not been for long, one after the other so that the rest can be given. */
  checkInBackground(): void {
    const { validation, validationIntervalMs } = this.#options;
    if (validation !== "background" || this.#connections.checking > 0) return;
    const nowMs = this.#handler.nowMs();
    let slot = this.#connections.idle.coldest;
    while (slot !== undefined && nowMs - slot.checkedMs <= validationIntervalMs) slot = slot.hotter;
    if (slot !== undefined) this.check(slot);
  }

  /**
   * Closes what is too old, and what was idle for too long.
   *
   * @param inUse The pair's connections, over all workers.
   * @param opening Those that are being opened in this worker.
   */
  closeExpired(inUse: number, opening: number, nowMs: number): void {
    const { idleTimeoutMs, minSize } = this.#options;
    let spare = inUse - this.#connections.closing - minSize;
    for (let slot = this.#connections.idle.coldest; slot?.state === "idle";) {
      const { hotter } = slot;
      const isOld = nowMs >= slot.expiresMs;
      const isUnneeded = idleTimeoutMs > 0 && nowMs - slot.idleSinceMs >= idleTimeoutMs;
      if (spare > 0 && (isOld || isUnneeded)) {
        spare -= 1;
        this.#handler.close(slot, isOld ? "max_lifetime" : "idle_timeout");
      } else if (isOld && this.#connections.closing + opening === 0) {
        // One at a time, since another one must take its place; the next tick closes the next.
        this.#handler.close(slot, "max_lifetime");
        return;
      }
      slot = hotter;
    }
  }
}
