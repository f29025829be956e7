/**
 * Clients that a test holds in its hand: connected, waiting, left alone.
 *
 * @module
 */

import pg from "pg";
import type { Target } from "./stories.ts";
import { within } from "./wait.ts";

const CONNECT_TIMEOUT_MS = 60_000;

/** The fields of an ErrorResponse as npm:pg gives them. */
export interface ServerError extends Error {
  /** SQLSTATE; a code of the system's where there was no connection. */
  readonly code: string;
  readonly severity?: string;
}

/** A connected npm:pg client that remembers why it lost its connection. */
export class HeldClient implements AsyncDisposable {
  readonly #client: pg.Client;
  readonly #lost = Promise.withResolvers<ServerError>();

  private constructor(target: Target) {
    this.#client = new pg.Client({ ...target, ssl: false });
    this.#client.on("error", (error: ServerError) => this.#lost.resolve(error));
  }

  /** Connects. @throws What the driver throws, with the SQLSTATE in `code`. */
  static async connect(target: Target): Promise<HeldClient> {
    const held = new HeldClient(target);
    await within(CONNECT_TIMEOUT_MS, "a client connects", held.#client.connect());
    return held;
  }

  /** Resolves to the first error that came without a query. */
  get lost(): Promise<ServerError> {
    return within(CONNECT_TIMEOUT_MS, "the client hears of its end", this.#lost.promise);
  }

  /** The process id for cancels that the client was given. */
  get processId(): number {
    return this.#client.processID;
  }

  async query(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return (await this.#client.query(text, values.length === 0 ? undefined : [...values])).rows;
  }

  async end(): Promise<void> {
    await this.#client.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end().catch(() => {});
  }
}

/** The error that connecting fails with; fails itself if it succeeds. */
export async function refusal(target: Target): Promise<ServerError> {
  let client: HeldClient;
  try {
    client = await HeldClient.connect(target);
  } catch (error) {
    return error as ServerError;
  }
  await client.end();
  throw new Error("The client was let in");
}
