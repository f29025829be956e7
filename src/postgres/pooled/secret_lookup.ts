/**
 * Looks a user's secret up in the database, with a query that the operator gives and a user of its
 * own for it. Nothing of what a client asked for reaches that connection but the name, as a
 * literal: no search_path, no encoding (CVE-2025-12819).
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { formatDuration } from "../../base/duration.ts";
import type { Socket } from "../../net/socket.ts";
import type { ServerPool } from "../../pool/server_pool.ts";
import type { CancelResult, CancelTarget } from "../cancel.ts";
import { parseSecret, type Secret } from "../secrets/secret.ts";
import type { Backend } from "./backend.ts";
import type { OpenFailure } from "./backend_opener.ts";
import type { BackendOwner } from "./backend_parts.ts";
import type { OwnResult } from "./own_queries.ts";
import { literal } from "./parameter_statements.ts";
import { SessionParameters } from "./parameters.ts";

/** Nobody listens to what such a connection would tell a client. */
const NOBODY: Socket = {
  peer: "nobody",
  peerAddress: { kind: "unix" },
  start() {},
  setHandler() {},
  write() {},
  writeApart() {},
  isSending: false,
  whenSent: (then) => then(),
  beforeSending: (prepare) => prepare(),
  reoffer() {},
  endSending() {},
  end() {},
  destroy() {},
};

/** The name and the secret, or the secret alone. */
const SECRET_COLUMNS_MAX = 2;

/** Why there is no answer. */
export class LookupError extends Error {
  override readonly name = "LookupError";
  /** What the server that was to be asked said or did, if no connection was to be had. */
  readonly failure: OpenFailure | undefined;

  constructor(message: string, failure?: OpenFailure) {
    super(message);
    this.failure = failure;
  }
}

/** One question. */
export interface Question {
  /**
   * With `$1` where the user's name belongs. Its row is the name and the secret, or the secret
   * alone; NULL is a user who may not log in.
   */
  readonly sql: string;
  readonly user: string;
  readonly clock: Clock;
  /** How long it may take in all, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Sends a CancelRequest. */
  cancel(target: CancelTarget): Promise<CancelResult>;
}

/**
 * Asks for one secret. The connection is given back, or its query cancelled, whatever happens.
 *
 * @returns Undefined for a user who is unknown or has none.
 * @throws {LookupError} If there is no connection.
 * @throws {Error} If the query fails or takes too long; it says why, without a secret.
 */
export function lookUpSecret(
  pool: ServerPool<Backend, OpenFailure>,
  question: Question,
): Promise<Secret | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Secret | undefined>();
  const { clock, timeoutMs, signal } = question;
  let lookup: Lookup | undefined;
  const stop = (error: Error) => {
    acquisition.cancel();
    reject(error);
    lookup?.giveUp(question);
  };
  const acquisition = pool.acquire({
    onServer: (backend) => {
      lookup = new Lookup(backend, reject);
      lookup.ask(question, resolve);
    },
    onRefused: (refusal) => reject(refusalError(refusal)),
    onNotice() {},
  });
  const onAbort = () => stop(new Error("the client has gone"));
  const timer = clock.after(timeoutMs, () => {
    const failure = lookup === undefined
      ? { kind: "unreachable", message: "it did not let us in" } as const
      : undefined;
    stop(new LookupError(`it took longer than ${formatDuration(timeoutMs)}`, failure));
  });
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  });
}

/** One lookup's hold on a connection. */
class Lookup implements BackendOwner {
  readonly client = NOBODY;
  readonly parameters = new SessionParameters();
  readonly #backend: Backend;
  readonly #reject: (error: Error) => void;
  /** Whether the connection is this lookup's: later it may be another one's. */
  #isHolding = true;

  constructor(backend: Backend, reject: (error: Error) => void) {
    this.#backend = backend;
    this.#reject = reject;
    backend.attach(this);
  }

  ask({ sql, user }: Question, resolve: (secret: Secret | undefined) => void): void {
    // What is thrown here must not get to the pool.
    this.guard(() => {
      const isStandard = this.#backend.parameters.get("standard_conforming_strings") === "on";
      const text = sql.replaceAll("$1", () => literal(user, isStandard));
      this.#backend.run(utf8(text), (result) => this.guard(() => resolve(secretIn(result))));
    });
    if (this.#backend.isQuiet) this.onReady();
  }

  /** Nobody waits for the answer any more. */
  giveUp({ cancel }: Question): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    const backend = this.#backend;
    // The query may wait for a lock that nobody gives back, and would keep its process from ending.
    const release = backend.holdForCancel();
    cancel(backend.cancelTarget).then(release);
    backend.abandon(true, false);
  }

  onError(): boolean {
    return false;
  }

  retries(): boolean {
    return false;
  }

  onRetry(): void {}

  translateError(): undefined {
    return undefined;
  }

  beforeReady(): void {}

  onReady(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    if (this.#backend.isQuiet) this.#backend.detach();
    else this.#backend.abandon(true, false);
  }

  readonly isHeldBack = false;

  onRoom(): void {}

  onReleasable(): void {
    this.onReady();
  }

  onLost(): void {
    this.#isHolding = false;
    this.#reject(new Error("the server closed the connection"));
  }

  onBrokenServer(): void {
    this.#isHolding = false;
    this.#reject(new Error("the server broke the protocol"));
  }

  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#reject(error as Error);
    }
  }
}

function secretIn({ rows, error }: OwnResult): Secret | undefined {
  if (error !== undefined) throw new Error(`${error.get("C") ?? ""}: ${error.get("M") ?? ""}`);
  if (rows.length > 1) {
    throw new Error("its result has more than one row: it must find the one user whose name is $1");
  }
  const [row = []] = rows;
  if (row.length > SECRET_COLUMNS_MAX) {
    throw new Error(
      `its result has ${row.length} columns: it must have the name and the secret, or the secret`,
    );
  }
  const value = row.at(-1);
  if (value === undefined || value.length === 0) return undefined;
  const secret = parseSecret(textOf(value));
  if (secret === undefined) throw new Error("its result is no secret that can be used");
  return secret;
}

function refusalError(
  refusal: { readonly kind: string; readonly failure?: OpenFailure },
): LookupError {
  const { failure } = refusal;
  if (failure === undefined) {
    return new LookupError(`no server connection: ${refusal.kind.replaceAll("_", " ")}`);
  }
  const message = failure.kind === "refused" ? failure.fields.get("M") : failure.message;
  return new LookupError(message ?? "refused", failure);
}
