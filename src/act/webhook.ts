/**
 * Tells an HTTP endpoint what happened, beside the traffic and never in its way: what cannot be
 * sent soon enough is dropped and counted.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { WebhookOptions } from "./options.ts";

/** Messages that wait for their turn, and their bytes. */
const QUEUE_MAX = 1_000;
const QUEUE_SIZE_MAX = 8_388_608;

/** Messages under way at once: a slow endpoint takes a few sockets, not all. */
const UNDER_WAY_MAX = 4;

/** Pause before the first retry; it doubles, up to the second number. */
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 30_000;

/** What became of a message. */
const WEBHOOK_RESULTS = ["delivered", "failed", "dropped"] as const;

/** One of {@linkcode WEBHOOK_RESULTS}. */
export type WebhookResult = typeof WEBHOOK_RESULTS[number];

/** What a webhook needs of the rest. */
export interface WebhookPorts {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** @param reason Of a failure, in a few words without the address; "" otherwise. */
  readonly onResult: (result: WebhookResult, reason: string) => void;
}

/** How one attempt ended: `reason` is "" for success. */
interface Attempt {
  readonly reason: string;
  readonly mayRetry: boolean;
}

/** The webhook of one policy in one worker. */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #timeoutMs: number;
  readonly #ports: WebhookPorts;
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  #queueSize = 0;
  #underWay = 0;
  readonly #closed = new AbortController();

  constructor(options: WebhookOptions, timeoutMs: number, ports: WebhookPorts) {
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#ports = ports;
  }

  /** Sends JSON as soon as it is its turn; returns at once. */
  send(json: string): void {
    const body = utf8(json);
    const isFull = this.#queue.length >= QUEUE_MAX ||
      this.#queueSize + body.length > QUEUE_SIZE_MAX;
    if (isFull || this.#closed.signal.aborted) {
      this.#ports.onResult("dropped", "");
      return;
    }
    this.#queue.push(body);
    this.#queueSize += body.length;
    this.#next();
  }

  /** Gives up what is waiting and what is under way. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    for (const _ of this.#queue) this.#ports.onResult("dropped", "");
    this.#queue.length = 0;
    this.#closed.abort();
  }

  #next(): void {
    while (this.#underWay < UNDER_WAY_MAX) {
      const body = this.#queue.shift();
      if (body === undefined) return;
      this.#queueSize -= body.length;
      this.#underWay += 1;
      void this.#deliver(body).then(() => {
        this.#underWay -= 1;
        this.#next();
      });
    }
  }

  async #deliver(body: Uint8Array<ArrayBuffer>): Promise<void> {
    const { retries } = this.#options;
    for (let attempt = 0;; attempt++) {
      const { reason, mayRetry } = await this.#attempt(body);
      if (reason === "") return this.#ports.onResult("delivered", "");
      if (this.#closed.signal.aborted) return this.#ports.onResult("dropped", "");
      if (!mayRetry || attempt >= retries) return this.#ports.onResult("failed", reason);
      const pauseMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt);
      // Between half of it and all: endpoints that come back are not met by everybody at once.
      await this.#pause(pauseMs * (1 + this.#ports.random()) / 2);
    }
  }

  /** Never throws. Texts of errors are not passed on: they hold the address. */
  async #attempt(body: Uint8Array<ArrayBuffer>): Promise<Attempt> {
    const { fetch, clock } = this.#ports;
    const timeout = new AbortController();
    const timer = clock.after(this.#timeoutMs, () => timeout.abort());
    try {
      const response = await fetch(this.#options.url, {
        method: "POST",
        headers: [["content-type", "application/json"], ...this.#options.headers],
        body,
        // To another address the headers must not go.
        redirect: "manual",
        signal: AbortSignal.any([timeout.signal, this.#closed.signal]),
      });
      await response.body?.cancel();
      const { ok, status } = response;
      if (ok) return { reason: "", mayRetry: false };
      const mayRetry = status >= 500 || status === 429 || status === 408;
      return { reason: `status ${status}`, mayRetry };
    } catch {
      return { reason: timeout.signal.aborted ? "timeout" : "not reached", mayRetry: true };
    } finally {
      timer.cancel();
    }
  }

  /** Ends early when the webhook is closed. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      let timer: Timer | undefined = undefined;
      const end = () => {
        timer?.cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      timer = this.#ports.clock.after(ms, end);
      signal.addEventListener("abort", end);
    });
  }
}
