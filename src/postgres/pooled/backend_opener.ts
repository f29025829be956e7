/**
 * Opens server connections for a pool: reaches the server, agrees on TLS, logs in with the
 * credentials at hand, and waits for the first ReadyForQuery. What comes of it is a backend that
 * any session of the same database and user may have.
 *
 *     dialling -> login -> done
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { type Driver, READ_BUFFER_SIZE_MAX, type Socket } from "../../net/socket.ts";
import type { TlsInfo } from "../../net/tls/tls_connection.ts";
import type { FailedAttempt, ServerAddress } from "../../upstream/dial.ts";
import type { ServerCredentials } from "../auth/credentials.ts";
import type { ScramKeysCache } from "../auth/scram_keys_cache.ts";
import { ServerAuthentication } from "../auth/server_authentication.ts";
import { beginsWithTls, CANNOT_CONNECT_NOW, ServerDial, type ServerTls } from "../server_dial.ts";
import { ProtocolError } from "../wire/errors.ts";
import { Framer, HEADER_SIZE } from "../wire/framer.ts";
import { errorFieldsOf, readBackendKeyData } from "../wire/messages.ts";
import { startupPacket } from "../wire/startup_packet.ts";
import { BACKEND, IS_BACKEND_TAG } from "../wire/tags.ts";
import { readParameterStatus } from "./parameters.ts";
import { ServerParameters } from "./server_parameters.ts";

/** Why there is no connection. */
export type OpenFailure =
  /** It could not be reached at all. */
  | { readonly kind: "unreachable"; readonly message: string }
  /** It answered with an ErrorResponse: its fields by their codes. */
  | { readonly kind: "refused"; readonly fields: ReadonlyMap<string, string> }
  /** It accepted a connection, and said nothing until its time was over: as good as not reached. */
  | { readonly kind: "silent"; readonly message: string }
  /** The login cannot go on: what is missing or wrong, or that its time is over. */
  | {
    readonly kind: "login";
    readonly message: string;
    readonly isTimeout?: true;
    readonly isLost?: true;
  };

/** What a login needs to know. */
export interface LoginTarget {
  readonly server: ServerAddress;
  /** How TLS is spoken, or undefined if it is not. @throws {Error} If a file is broken. */
  readonly tls: () => ServerTls | undefined;
  readonly database: string;
  readonly user: string;
  /** Asked for anew for each login: passwords change. Undefined: there are none. */
  readonly credentials: () => ServerCredentials | undefined;
  /** How long it may take, once the server is reached, in milliseconds. */
  readonly loginTimeoutMs: number;
  /** Further parameters of the StartupMessage, such as `replication`. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** A login that has come to its first ReadyForQuery. */
export interface LoggedIn {
  readonly socket: Socket;
  /** Whether TLS is spoken. */
  readonly isEncrypted: boolean;
  readonly parameters: ServerParameters;
  /** As reported, under the server's own names, in its order. */
  readonly reported: ReadonlyMap<string, string>;
  readonly processId: number;
  readonly key: Uint8Array;
}

/** Told what becomes of it: exactly one of the first two, unless it is cancelled. */
export interface OpenWatcher {
  onOpened(login: LoggedIn): void;
  onFailed(failure: OpenFailure): void;
  onState(state: "login"): void;
  /** The connection is encrypted. */
  onSecured(info: TlsInfo): void;
  onFailedAttempt(failed: FailedAttempt): void;
}

/** What the logins of a worker share. */
export interface OpenerParts {
  readonly driver: Driver;
  readonly clock: Clock;
  /** Cryptographically strong. */
  readonly randomBytes: (size: number) => Uint8Array;
  readonly keysCache: ScramKeysCache;
}

/** Where it is on its way. */
type State = "dialling" | "login" | "done";

/** One login. It begins when it is made. */
export class BackendOpener {
  readonly #target: LoginTarget;
  readonly #watcher: OpenWatcher;
  readonly #parts: OpenerParts;
  readonly #serverTls: ServerTls | undefined;
  readonly #framer = new Framer(LOGIN_BODY_SIZE_MAX, IS_BACKEND_TAG, READ_BUFFER_SIZE_MAX);
  #parameters = new ServerParameters();
  #reported = new Map<string, string>();
  #state: State = "dialling";
  #dial: ServerDial;
  #timer: Timer | undefined;
  #socket: Socket | undefined;
  #tls: TlsInfo | undefined;
  #authentication: ServerAuthentication | undefined;
  /** What is at the other end has said anything. */
  #hasAnswered = false;
  #isAuthenticated = false;
  #key: { readonly processId: number; readonly key: Uint8Array } | undefined;
  /**
   * With mode `allow`: plain was refused, so TLS is tried. With `prefer`: the other way round. This
   * is how the first one failed.
   */
  #firstFailure: OpenFailure | undefined;

  /** @throws {Error} If TLS cannot be spoken as configured; nothing has begun then. */
  constructor(target: LoginTarget, parts: OpenerParts, watcher: OpenWatcher) {
    const tls = target.tls();
    this.#target = target;
    this.#watcher = watcher;
    this.#parts = parts;
    this.#serverTls = tls;
    this.#dial = this.#connect(beginsWithTls(tls));
  }

  /** Gives it up without a word. */
  cancel(): void {
    this.#state = "done";
    this.#timer?.cancel();
    this.#dial.cancel();
    this.#socket?.destroy();
  }

  #connect(withTls: boolean): ServerDial {
    return new ServerDial(this.#target.server, this.#serverTls, withTls, this.#parts, {
      onConnected: (socket, info) => this.#onConnected(socket, info),
      onFailedAttempt: (failed) => this.#watcher.onFailedAttempt(failed),
      onFailed: ({ message, isReached, isTimeout, isLost }) => {
        const kind = !isReached ? "unreachable" : isTimeout ? "silent" : "login";
        this.#fail(isLost ? { kind: "login", message, isLost } : { kind, message });
      },
    });
  }

  #onConnected(socket: Socket, tls: TlsInfo | undefined): void {
    const { loginTimeoutMs, user, database, parameters } = this.#target;
    this.#socket = socket;
    this.#tls = tls;
    this.#state = "login";
    this.#watcher.onState("login");
    if (tls !== undefined) this.#watcher.onSecured(tls);
    this.#timer = this.#parts.clock.after(loginTimeoutMs, () => {
      const message = `it did not let us in within ${formatDuration(loginTimeoutMs)}`;
      this.#fail(
        this.#hasAnswered ? { kind: "login", message, isTimeout: true } : {
          kind: "silent",
          message,
        },
      );
    });
    socket.setHandler({
      onData: (view) => this.#onData(view),
      onEnd: () => this.#onEnd(undefined),
      onClose: (error) => this.#onEnd(error),
    });
    socket.write(
      startupPacket(0, new Map([["user", user], ["database", database], ...parameters])),
    );
  }

  // Login -------------------------------------------------------------------------------------

  #onData(view: Uint8Array): number {
    if (this.#state !== "login") return view.length;
    this.#hasAnswered = true;
    const framer = this.#framer; // no message that it accepts is too long to be whole
    let passed = 0;
    framer.begin(view);
    try {
      while (this.#isLoggingIn() && framer.next()) {
        const { start, end, tag } = framer;
        passed = end;
        this.#onMessage(tag, view.subarray(start, end));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail({ kind: "login", message: `it broke the protocol: ${error.message}` });
      return view.length;
    }
    return passed;
  }

  #isLoggingIn(): boolean {
    return this.#state === "login";
  }

  #onMessage(tag: number, bytes: Uint8Array): void {
    switch (tag) {
      case BACKEND.authentication:
        return this.#onAuthentication(bytes);
      case BACKEND.errorResponse:
        return this.#onError(bytes);
      case BACKEND.parameterStatus: {
        const { name, value } = readParameterStatus(bytes);
        this.#reported.set(name, value);
        return this.#parameters.report(name, value);
      }
      case BACKEND.backendKeyData:
        this.#key = readBackendKeyData(bytes);
        return;
      case BACKEND.noticeResponse:
      case BACKEND.negotiateProtocolVersion:
        return;
      case BACKEND.readyForQuery:
        return this.#onReady();
    }
    throw new ProtocolError(`unexpected message "${String.fromCharCode(tag)}" during the login`);
  }

  #onAuthentication(bytes: Uint8Array): void {
    const { user, credentials } = this.#target;
    const socket = this.#socket!;
    const channelBinding = this.#tls?.serverEndPoint;
    this.#authentication ??= new ServerAuthentication({
      user,
      credentials: credentials(),
      isEncrypted: this.#tls !== undefined || socket.peerAddress.kind === "unix",
      ...(channelBinding === undefined ? {} : { channelBinding }),
      randomBytes: this.#parts.randomBytes,
      keysCache: this.#parts.keysCache,
    });
    const step = this.#authentication.onRequest(bytes.subarray(5));
    if (step.kind === "send") socket.write(step.bytes);
    else if (step.kind === "ok") this.#isAuthenticated = true;
    else if (step.kind === "failed") this.#fail({ kind: "login", message: step.message });
  }

  #onError(bytes: Uint8Array): void {
    const failure = { kind: "refused", fields: errorFieldsOf(bytes) } as const;
    if (
      isStarting(failure) && this.#tryAgain(`${CANNOT_CONNECT_NOW}: ${failure.fields.get("M")}`)
    ) {
      return;
    }
    this.#fail(failure);
  }

  #onReady(): void {
    if (!this.#isAuthenticated) throw new ProtocolError("ReadyForQuery before authentication");
    this.#state = "done";
    this.#timer?.cancel();
    const { processId, key } = this.#key ?? { processId: 0, key: new Uint8Array(4) };
    this.#watcher.onOpened({
      socket: this.#socket!,
      isEncrypted: this.#tls !== undefined,
      parameters: this.#parameters,
      reported: this.#reported,
      processId,
      key,
    });
  }

  // The end -----------------------------------------------------------------------------------

  #onEnd(error: Error | undefined): void {
    if (this.#state === "done") return;
    const message = error === undefined ? "it closed the connection" : messageOf(error);
    if (!this.#hasAnswered && this.#tryAgain(message)) return;
    this.#fail({ kind: "login", message, isLost: true });
  }

  #fail(failure: OpenFailure): void {
    if (this.#state === "done") return;
    if (this.#tryOther(failure)) return;
    this.#state = "done";
    this.#timer?.cancel();
    this.#socket?.destroy();
    // Of two refusals the last one counts, as with libpq. That a server cannot do what was only
    // tried because of a refusal says nothing.
    const isSaid = failure.kind === "refused" || this.#firstFailure === undefined;
    this.#watcher.onFailed(isSaid ? failure : this.#firstFailure!);
  }

  /**
   * As libpq: `allow` tries TLS when plain is refused, `prefer` plain when TLS is. Only until we
   * are authenticated: what a server refuses then, it would refuse the other way, too, and would be
   * told in the clear what was meant for TLS.
   */
  #tryOther(failure: OpenFailure): boolean {
    const mode = this.#serverTls?.mode;
    const wasTls = this.#tls !== undefined;
    const mayTry = mode === "allow" && !wasTls || mode === "prefer" && wasTls;
    const isRefused = failure.kind === "refused" && !isWrongPassword(failure) &&
      !isStarting(failure);
    if (this.#firstFailure !== undefined || this.#isAuthenticated) return false;
    if (!isRefused || !mayTry) return false;
    this.#firstFailure = failure;
    const socket = this.#socket!;
    socket.setHandler({ onData: (view) => view.length, onEnd() {}, onClose() {} });
    socket.destroy();
    this.#startOver();
    this.#dial = this.#connect(mode === "allow");
    return true;
  }

  /**
   * A server that starts, stops or breaks down is dialled again like one that is not there.
   *
   * @returns False if no attempt is left.
   */
  #tryAgain(message: string): boolean {
    if (!this.#dial.again(message)) return false;
    this.#startOver();
    return true;
  }

  #startOver(): void {
    this.#timer?.cancel();
    this.#tls = undefined;
    this.#authentication = undefined;
    this.#hasAnswered = this.#isAuthenticated = false;
    this.#parameters = new ServerParameters();
    this.#reported = new Map();
    this.#key = undefined;
    this.#state = "dialling";
  }
}

/**
 * A server's messages before its first ReadyForQuery are small; GSS tokens are not spoken. They are
 * read whole, so the largest one, with its header, is as large as a read buffer gets.
 */
const LOGIN_BODY_SIZE_MAX = READ_BUFFER_SIZE_MAX - HEADER_SIZE;

/** Whether it starts, stops or recovers, as it says. */
export function isStarting(failure: OpenFailure): boolean {
  return failure.kind === "refused" && failure.fields.get("C") === CANNOT_CONNECT_NOW;
}

/** Another way of connecting would not make the password right. */
function isWrongPassword(failure: OpenFailure): boolean {
  return failure.kind === "refused" && failure.fields.get("C") === "28P01";
}
