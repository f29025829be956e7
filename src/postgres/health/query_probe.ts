/**
 * Checks a PostgreSQL server by asking it what it is. The connection is kept from one check to the
 * next; that it ends in between is a reason to check at once.
 *
 *     closed -> opening -> asking <-> open
 *
 * @module
 */

import type { Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { type Driver, READ_BUFFER_SIZE_MAX, type Socket } from "../../net/socket.ts";
import type { CheckResult, Probe, ServerState } from "../../upstream/health/check.ts";
import type { ServerCredentials } from "../auth/credentials.ts";
import {
  BackendOpener,
  type LoginTarget,
  type OpenerParts,
  type OpenFailure,
} from "../pooled/backend_opener.ts";
import { CANNOT_CONNECT_NOW, type ServerTls } from "../server_dial.ts";
import { ProtocolError } from "../wire/errors.ts";
import { Framer, HEADER_SIZE } from "../wire/framer.ts";
import { errorFieldsOf, readDataRow, TERMINATE } from "../wire/messages.ts";
import { BACKEND, IS_BACKEND_TAG } from "../wire/tags.ts";
import { connectFailure, type ProbeTarget } from "./probe_target.ts";
import { serverStateOf, STATE_QUERY } from "./state_query.ts";

/** Messages are read whole: the largest, with its header, is as large as a read buffer gets. */
const BODY_SIZE_MAX = READ_BUFFER_SIZE_MAX - HEADER_SIZE;

/** How long a server has to take its Terminate. */
const GOODBYE_MS = 100;

/** too_many_connections, and what a pooler in front of it might say: it is there, and busy. */
const BUSY = ["53300", "53400"];

/** Who logs in, to be asked anew for each login. */
export interface ProbeLogin {
  readonly user: string;
  readonly database: string;
  readonly credentials: ServerCredentials | undefined;
  /** @throws {Error} If TLS cannot be spoken as configured. */
  readonly tls: () => ServerTls | undefined;
}

/** What a probe works with. */
export interface QueryProbeParts extends OpenerParts {
  readonly login: () => ProbeLogin;
  /** The connection has ended between two checks. */
  readonly onLost: () => void;
}

/** One check under way. */
interface UnderWay {
  readonly onResult: (result: CheckResult) => void;
  readonly timer: Timer;
  /** Whether it uses a connection that was there before: that may have been dead for a while. */
  isReused: boolean;
  state: ServerState | undefined;
  error: string | undefined;
}

/** One server's. */
export class QueryProbe implements Probe {
  readonly #target: ProbeTarget;
  readonly #parts: QueryProbeParts;
  #check: UnderWay | undefined;
  #opener: BackendOpener | undefined;
  #socket: Socket | undefined;
  #framer = newFramer();
  /** Why there is no connection, as the driver says. */
  #connectError: unknown;
  /** The newest timeline that a replica has told of on this connection: it follows no older one. */
  #timeline = 0;
  /** What the connection was made with is not what counts now. */
  #isStale = false;

  constructor(target: ProbeTarget, parts: QueryProbeParts) {
    this.#target = target;
    this.#parts = parts;
  }

  check(onResult: (result: CheckResult) => void): void {
    const { timeoutMs } = this.#target;
    if (this.#isStale) this.#disconnect(true);
    this.#isStale = false;
    const timer = this.#parts.clock.after(timeoutMs, () => {
      this.#fail("timeout", `no answer within ${timeoutMs} ms`);
    });
    const isReused = this.#socket !== undefined;
    this.#check = { onResult, timer, isReused, state: undefined, error: undefined };
    if (isReused) this.#ask();
    else this.#open();
  }

  close(): void {
    this.#check?.timer.cancel();
    this.#check = undefined;
    this.#disconnect(true);
  }

  /** Logs in anew with the next check: passwords or certificates have changed. */
  reconnect(): void {
    this.#isStale = true;
  }

  // Login -----------------------------------------------------------------------------------------

  #open(): void {
    try {
      this.#opener = new BackendOpener(this.#loginTarget(), {
        ...this.#parts,
        driver: this.#notingDriver(),
      }, {
        onOpened: ({ socket }) => {
          this.#opener = undefined;
          this.#adopt(socket);
          this.#ask();
        },
        onFailed: (failure) => {
          this.#opener = undefined;
          this.#onNotOpened(failure);
        },
        onState() {},
        onSecured() {},
        onFailedAttempt() {},
      });
    } catch (error) {
      this.#fail("login", messageOf(error));
    }
  }

  #loginTarget(): LoginTarget {
    const { address, timeoutMs } = this.#target;
    const { user, database, credentials, tls } = this.#parts.login();
    return {
      server: {
        name: "",
        address,
        dialTimeoutMs: timeoutMs,
        retries: 0,
        backoffMs: 0,
        backoffMultiplier: 1,
        keepAlive: true,
        noDelay: true,
      },
      tls,
      database,
      user,
      credentials: () => credentials,
      loginTimeoutMs: timeoutMs,
      parameters: new Map([["application_name", "sluice health check"]]),
    };
  }

  /** Keeps the error itself: the text alone does not say what kind it is. */
  #notingDriver(): Driver {
    const { driver } = this.#parts;
    return {
      listen: (options, handler) => driver.listen(options, handler),
      connect: async (options) => {
        try {
          return await driver.connect(options);
        } catch (error) {
          this.#connectError = error;
          throw error;
        }
      },
    };
  }

  #onNotOpened(failure: OpenFailure): void {
    switch (failure.kind) {
      case "unreachable":
        return this.#end(connectFailure(this.#connectError));
      case "silent":
        return this.#fail("timeout", failure.message);
      case "login":
        return this.#fail("login", failure.message);
    }
    const sqlState = failure.fields.get("C") ?? "";
    const message = textOfError(failure.fields);
    if (BUSY.includes(sqlState)) return this.#end({ kind: "alive", state: undefined });
    this.#fail(sqlState === CANNOT_CONNECT_NOW ? "starting" : "login", message);
  }

  #adopt(socket: Socket): void {
    this.#socket = socket;
    this.#timeline = 0;
    this.#framer = newFramer();
    const onClosed = (error: Error | undefined) => {
      if (this.#socket === socket) this.#onClosed(error);
    };
    socket.setHandler({
      onData: (view) => this.#socket === socket ? this.#onData(view) : view.length,
      onEnd: () => onClosed(undefined),
      onClose: onClosed,
    });
  }

  // The question ----------------------------------------------------------------------------------

  #ask(): void {
    this.#socket!.write(STATE_QUERY);
  }

  #onData(view: Uint8Array): number {
    const framer = this.#framer;
    let passed = 0;
    framer.begin(view);
    try {
      while (framer.next()) {
        passed = framer.end;
        this.#onMessage(framer.tag, view.subarray(framer.start, framer.end));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail("query", `it broke the protocol: ${error.message}`);
      return view.length;
    }
    return passed;
  }

  #onMessage(tag: number, bytes: Uint8Array): void {
    const check = this.#check;
    if (check === undefined) return; // what it says when it is not asked, such as why it closes
    if (tag === BACKEND.dataRow) check.state = serverStateOf(readDataRow(bytes));
    if (tag === BACKEND.errorResponse) check.error = textOfError(errorFieldsOf(bytes));
    if (tag === BACKEND.readyForQuery) this.#onReady(check);
  }

  #onReady({ state, error }: UnderWay): void {
    if (error !== undefined || state === undefined) {
      return this.#fail("query", error ?? "it answered without a row");
    }
    if (!state.isInRecovery) return this.#end({ kind: "alive", state });
    this.#timeline = Math.max(this.#timeline, state.timeline);
    this.#end({ kind: "alive", state: { ...state, timeline: this.#timeline } });
  }

  // The end ---------------------------------------------------------------------------------------

  #onClosed(error: Error | undefined): void {
    this.#disconnect(false);
    const check = this.#check;
    if (check === undefined) return this.#parts.onLost();
    if (check.isReused) {
      // It may have gone before it was asked, and be back by now.
      check.isReused = false;
      check.error = undefined;
      return this.#open();
    }
    const why = error === undefined ? "it closed the connection" : messageOf(error);
    this.#fail("query", check.error ?? why);
  }

  #fail(failure: Extract<CheckResult, { kind: "failed" }>["failure"], message: string): void {
    this.#disconnect(false);
    this.#end({ kind: "failed", failure, message });
  }

  #end(result: CheckResult): void {
    const check = this.#check;
    this.#check = undefined;
    check?.timer.cancel();
    check?.onResult(result);
  }

  /** @param isPolite Whether the server is told, which it would log otherwise. */
  #disconnect(isPolite: boolean): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#opener?.cancel();
    this.#opener = undefined;
    if (socket === undefined) return;
    if (!isPolite) return socket.destroy();
    socket.write(TERMINATE);
    socket.end(GOODBYE_MS);
  }
}

function newFramer(): Framer {
  return new Framer(BODY_SIZE_MAX, IS_BACKEND_TAG, READ_BUFFER_SIZE_MAX);
}

/** Without the detail and the hint, which may quote what is not for a log. */
function textOfError(fields: ReadonlyMap<string, string>): string {
  return `${fields.get("M") ?? "no reason given"} (SQLSTATE ${fields.get("C") ?? "unknown"})`;
}
