/**
 * Looks a user's secret up in the database, with a query that the operator gives and a user of its
 * own for it. Nothing of what a client asked for reaches that connection but the name, as a
 * literal: no search_path, no encoding (CVE-2025-12819).
 *
 * @module
 */

import { textOf } from "../../base/bytes.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Socket } from "../../net/socket.ts";
import type { ServerPool } from "../../pool/server_pool.ts";
import { parseSecret, type Secret } from "../auth/secret.ts";
import type { Backend } from "./backend.ts";
import type { BackendOwner } from "./backend_parts.ts";
import type { OpenFailure } from "./backend_opener.ts";
import type { OwnResult } from "./own_queries.ts";
import { literal, SessionParameters } from "./parameters.ts";

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
  end() {},
  destroy() {},
};

/**
 * Asks for one secret.
 *
 * @param sql With `$1` where the user's name belongs. Its row is the name and the secret, or the
 * secret alone; NULL is a user who may not log in.
 * @returns Undefined for a user who is unknown or has none.
 * @throws {Error} If there is no connection, or the query fails; it says why, without a secret.
 */
export function lookUpSecret(
  pool: ServerPool<Backend, OpenFailure>,
  sql: string,
  user: string,
): Promise<Secret | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Secret | undefined>();
  pool.acquire({
    onServer: (backend) => {
      const lookup = new Lookup(backend, reject);
      backend.attach(lookup);
      const text = sql.replaceAll("$1", () => literal(user, true));
      backend.run(utf8(text), (result) => {
        try {
          resolve(secretIn(result));
        } catch (error) {
          reject(error);
        }
      });
    },
    onRefused: (refusal) => reject(new Error(refusalText(refusal))),
    onNotice() {},
  });
  return promise;
}

/** One lookup's hold on a connection. */
class Lookup implements BackendOwner {
  readonly client = NOBODY;
  readonly parameters = new SessionParameters();
  readonly #backend: Backend;
  readonly #reject: (error: Error) => void;

  constructor(backend: Backend, reject: (error: Error) => void) {
    this.#backend = backend;
    this.#reject = reject;
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

  onReady(): void {
    if (this.#backend.isQuiet) this.#backend.detach();
    else this.#backend.abandon(true, false);
  }

  readonly isHeldBack = false;

  onRoom(): void {}

  onReleasable(): void {
    this.onReady();
  }

  onLost(): void {
    this.#reject(new Error("the server closed the connection"));
  }

  onBrokenServer(): void {
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
  const row = rows[0];
  const value = row?.at(-1);
  if (value === undefined || value.length === 0) return undefined;
  const secret = parseSecret(textOf(value));
  if (secret === undefined) throw new Error("its result is no secret that can be used");
  return secret;
}

function refusalText(
  refusal: { readonly kind: string; readonly failure?: OpenFailure },
): string {
  const { failure } = refusal;
  if (failure === undefined) return `no server connection: ${refusal.kind.replaceAll("_", " ")}`;
  return failure.kind === "refused" ? failure.fields.get("M") ?? "refused" : failure.message;
}
