/**
 * A session whose client's messages are copied to a mirror as well. Everything is the real one's:
 * what it takes, what it answers, when it ends. The mirror is shown what the real one has taken.
 *
 * @module
 */

import type { Socket } from "../../net/socket.ts";
import { HookedSocket } from "../hooked/hooked_socket.ts";
import type { Upstream, UpstreamPlace } from "../upstream.ts";
import type { Comparison } from "./comparison.ts";
import type { Mirror } from "./mirror.ts";

/** The client's socket for the real session: what is written to it is compared, too. */
export function compared(client: Socket, comparison: Comparison): Socket {
  return new HookedSocket(client, {
    isLooking: true,
    filter(bytes, send) {
      send(bytes);
      comparison.realAnswers.read(bytes);
    },
  });
}

/** One client's. */
export class MirroredSession implements Upstream {
  readonly #real: Upstream;
  readonly #mirror: Mirror;
  readonly #comparison: Comparison | undefined;
  #isTaking = false;
  #isReleased = false;

  constructor(real: Upstream, mirror: Mirror, comparison: Comparison | undefined) {
    this.#real = real;
    this.#mirror = mirror;
    this.#comparison = comparison;
  }

  start(): void {
    this.#real.start();
  }

  onClientData(view: Uint8Array): number {
    this.#isTaking = true;
    this.#comparison?.beforeTaking();
    let taken = 0;
    try {
      taken = this.#real.onClientData(view);
      if (taken > 0) this.#mirror.copy(taken === view.length ? view : view.subarray(0, taken));
    } finally {
      this.#comparison?.afterTaking();
      this.#isTaking = false;
      // The last of it may have ended the session.
      if (this.#isReleased) this.#mirror.finish();
    }
    return taken;
  }

  get isClientBetweenMessages(): boolean {
    return this.#real.isClientBetweenMessages;
  }

  get isPooled(): boolean {
    return this.#real.isPooled;
  }

  get place(): UpstreamPlace | undefined {
    return this.#real.place;
  }

  get isIdle(): boolean {
    return this.#real.isIdle;
  }

  get canRoute(): boolean {
    return this.#real.canRoute;
  }

  sendTo(proxy: string | undefined): boolean {
    return this.#real.sendTo(proxy);
  }

  get isGone(): boolean {
    return this.#real.isGone;
  }

  release(): void {
    this.#real.release();
    this.#isReleased = true;
    if (!this.#isTaking) this.#mirror.finish();
  }

  mayFinish(): boolean {
    return this.#real.mayFinish();
  }
}
