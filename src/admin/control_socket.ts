/**
 * The Unix socket that `sluice admin` talks to. Who may use it is up to the file system: its file
 * belongs to the gateway's user, and nobody else may open it.
 *
 * @module
 */

import { bindUnix } from "../net/listening.ts";
import type { OperatorVerbs } from "./operator_verbs.ts";
import { answerVerbs } from "./verb_requests.ts";

/** Only the owner may connect: unix(7), "Pathname socket ownership and permissions". */
const SOCKET_MODE = 0o600;

/** What is served, and where. */
export interface ControlSocketOptions {
  /** Of the socket's file, in a folder that exists. */
  readonly path: string;
  readonly verbs: OperatorVerbs;
  /** Hears of what should not happen. */
  readonly onError: (error: unknown) => void;
}

/** A control socket that is open. */
export interface ControlSocket {
  /** Closes every connection, also those that are being answered, and removes the file. */
  stop(): Promise<void>;
}

/**
 * Opens the control socket, in the place of one whose process has ended.
 *
 * @throws {Error} If it cannot be opened, or another process answers there; says what to do.
 */
export async function openControlSocket(options: ControlSocketOptions): Promise<ControlSocket> {
  const { path, verbs, onError } = options;
  const abort = new AbortController();
  const serve = () =>
    Deno.serve({
      path,
      signal: abort.signal,
      onListen: () => {},
      onError(error) {
        onError(error);
        return new Response(null, { status: 500 });
      },
    }, answerVerbs(verbs, onError));
  const server = await bindUnix(
    { kind: "unix", path },
    SOCKET_MODE,
    serve,
    "runtime.controlSocket",
  );
  return {
    // Not shutdown(): it waits for requests, which may wait for clients.
    async stop() {
      abort.abort();
      await server.finished;
    },
  };
}
