/**
 * A session's connection to its server, from dialling to the last byte, and all that comes down it.
 * It owns the place in the pool, and gives it back when the socket is gone: when the server has
 * closed its side, or has not for {@linkcode SERVER_LINGER_MS}. So the database has no more
 * connections than the pool's size, but for backends that do not end even then.
 *
 * @module
 */

import type { Timer } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { LINGER_MS, type Socket } from "../net/socket.ts";
import type { TlsInfo } from "../net/tls/tls_connection.ts";
import { POOL_CELL } from "../observe/counters.ts";
import type { ServerState } from "../observe/facts.ts";
import type { CancelTarget } from "./cancel.ts";
import { checkWhole, Login } from "./login.ts";
import { RelayedRequests } from "./relayed_requests.ts";
import { ServerConnectionFacts } from "./server_connection_facts.ts";
import type { ServerConnectionParts } from "./server_connection_parts.ts";
import { beginsWithTls, CANNOT_CONNECT_NOW, ServerDial } from "./server_dial.ts";
import { ProtocolError } from "./wire/errors.ts";
import { Framer } from "./wire/framer.ts";
import {
  backendKeyData,
  ERROR_FIELD,
  errorField,
  errorFieldsOf,
  isFatal,
  readBackendKeyData,
  readReadyForQuery,
  TERMINATE,
} from "./wire/messages.ts";
import { supportedStartupPacket } from "./wire/startup_packet.ts";
import { BACKEND, FRONTEND, IS_BACKEND_TAG } from "./wire/tags.ts";

/** How long a server may take to end what it runs for a session that is over, in milliseconds. */
const SERVER_LINGER_MS = 30_000;

/** One server connection for one session. */
export class ServerConnection {
  readonly #parts: ServerConnectionParts;
  readonly #facts: ServerConnectionFacts;
  readonly #framer: Framer;
  #state: ServerState | "gone" = "connecting";
  #dial: ServerDial | undefined;
  #socket: Socket | undefined;
  /** Runs until the server has answered the StartupMessage. */
  #silence: Timer | undefined;
  #tls: CancelTarget["tls"];
  /** No message of the server has come yet. */
  #isUnheard = true;
  /** Translates what must be translated; undefined once the login is done. */
  #login: Login | undefined;
  /** What the client cancels with, and what that means to the server. */
  #key: { readonly processId: number; readonly target: CancelTarget } | undefined;
  readonly #requests: RelayedRequests;
  /** The client has said Terminate: the server is expected to close. */
  #isTerminated = false;
  /** The last message was FATAL or PANIC: if the server closes now, the client knows why. */
  #hasSaidWhy = false;

  constructor(parts: ServerConnectionParts) {
    this.#parts = parts;
    this.#facts = new ServerConnectionFacts(parts);
    this.#requests = new RelayedRequests(parts.gateway.clock, parts.route.cells);
    this.#login = new Login(parts.startup);
    this.#framer = new Framer(parts.messageSizeMax, IS_BACKEND_TAG);
  }

  /** True when nothing of it is left. */
  get isGone(): boolean {
    return this.#state === "gone";
  }

  /** True if the server owes nothing, and no transaction is open. */
  get isIdle(): boolean {
    return this.#requests.isIdle && this.isClientBetweenMessages;
  }

  /** False while a large message is on its way to the client: nothing else may be sent to it. */
  get isClientBetweenMessages(): boolean {
    return this.#framer.isBetweenMessages;
  }

  /** Begins. */
  dial(): void {
    const { gateway, route, owner } = this.#parts;
    this.#facts.state(undefined, "connecting");
    const tls = route.tls();
    this.#dial = new ServerDial(route.server, tls, beginsWithTls(tls), gateway, {
      onConnected: (socket, info) => owner.guard(() => this.#onConnected(socket, info)),
      onFailedAttempt: (failed) => this.#facts.dialFailed(failed),
      onFailed: ({ message, isReached, isTimeout, isLost }) =>
        owner.guard(() => {
          if (isReached) this.#facts.loginFailed(message, isTimeout ? "timeout" : "other");
          this.#giveBack();
          if (isReached && !isTimeout && !isLost) owner.onDisagreed();
          else owner.onUnreachable();
        }),
    });
  }

  /** A message of this type is about to be forwarded. */
  onFrontendMessage(tag: number): void {
    if (tag === FRONTEND.terminate) this.#isTerminated = true;
    else this.#requests.onFrontendMessage(tag);
  }

  /** Sends the client's bytes. */
  forward(bytes: Uint8Array): void {
    this.#socket!.write(bytes);
    this.#parts.route.cells.add(POOL_CELL.bytesFromClients, bytes.length);
  }

  /**
   * The session needs it no longer. A query that nobody waits for is cancelled.
   *
   * @param isBetweenMessages False if the client went in the middle of a message: then a Terminate
   * would be taken for the rest of it.
   */
  release(isBetweenMessages: boolean): void {
    this.#dial?.cancel();
    if (this.#state === "connecting") return this.#giveBack();
    if (this.#state === "closing" || this.#state === "gone") return;
    const mayRun = this.#state === "active" && !this.#isTerminated;
    if (mayRun && this.#requests.isBusy) this.#cancelAbandoned();
    else if (mayRun && isBetweenMessages) this.#socket!.write(TERMINATE);
    // Who was still logging in runs nothing, and is not waited for.
    const lingerMs = this.#state === "active" ? SERVER_LINGER_MS : LINGER_MS;
    this.#setState("closing");
    this.#socket!.end(lingerMs);
  }

  /** PostgreSQL itself would run it to its end, with its place in the pool taken all the while. */
  #cancelAbandoned(): void {
    if (this.#key === undefined) return;
    const { gateway } = this.#parts;
    gateway.cancelAbandoned(this.#key.target).then(({ outcome, message = "" }) => {
      if (outcome !== "forwarded") this.#facts.abandonedQuery(message);
    });
  }

  #onConnected(socket: Socket, tls: TlsInfo | undefined): void {
    const { startup, owner, route } = this.#parts;
    this.#socket = socket;
    this.#setState("login");
    if (tls !== undefined) {
      this.#tls = route.tls;
      this.#facts.secured(tls);
    }
    socket.setHandler({
      onData: (view) => this.#onData(view),
      onEnd: () => owner.guard(() => this.#onEnd("it closed the connection")),
      onClose: (error) =>
        owner.guard(() => {
          this.#onEnd(error?.message ?? "it closed the connection");
          this.#giveBack();
          owner.onGone();
        }),
    });
    socket.write(supportedStartupPacket(startup));
    this.#silence = this.#parts.gateway.clock.after(
      route.server.dialTimeoutMs,
      () => owner.guard(() => this.#onSilent()),
    );
    owner.onLogin();
  }

  /** Whatever accepts connections there does not answer: as good as not reached. */
  #onSilent(): void {
    const time = formatDuration(this.#parts.route.server.dialTimeoutMs);
    this.#facts.loginFailed(`no answer to the StartupMessage in ${time}`, "timeout");
    this.#giveUp();
  }

  #giveUp(): void {
    this.#socket!.setHandler({ onData: (view) => view.length, onEnd() {}, onClose() {} });
    this.#socket!.destroy();
    this.#giveBack();
    this.#parts.owner.onUnreachable();
  }

  #onAnswer(): void {
    this.#silence!.cancel();
    this.#silence = undefined;
    this.#parts.owner.onAnswer();
  }

  // From the server ---------------------------------------------------------------------------

  #onData(view: Uint8Array): number {
    if (this.#state === "closing") return view.length;
    if (this.#silence !== undefined) this.#onAnswer();
    try {
      return this.#login === undefined
        ? this.#relayDown(view)
        : this.#relayLogin(view, this.#login);
    } catch (error) {
      const { owner } = this.#parts;
      owner.guard(() => {
        if (!(error instanceof ProtocolError)) throw error;
        owner.onBrokenProtocol(error, this.isClientBetweenMessages);
      });
      return view.length;
    }
  }

  /** Server to client. Headers are read, bytes are forwarded as they came. */
  #relayDown(view: Uint8Array): number {
    const framer = this.#framer;
    let passed = 0;
    framer.begin(view);
    try {
      while (framer.next()) {
        this.#onMessage(view);
        passed = framer.end;
      }
    } finally {
      // What came before a broken message is whole, and the client is told of the break after it.
      this.#send(view, 0, passed);
    }
    return passed;
  }

  #onMessage(view: Uint8Array): void {
    const framer = this.#framer;
    if (!framer.isFirst) return;
    this.#hasSaidWhy = false;
    switch (framer.tag) {
      case BACKEND.readyForQuery:
        return this.#onReadyForQuery(view);
      case BACKEND.errorResponse:
        return this.#onErrorResponse(view);
      case BACKEND.copyInResponse:
        return this.#requests.onCopyIn();
    }
  }

  #onReadyForQuery(view: Uint8Array): void {
    const { start, end } = this.#framer;
    this.#requests.onReadyForQuery(readReadyForQuery(view.subarray(start, end)));
  }

  #onErrorResponse(view: Uint8Array): void {
    const { start, end } = this.#framer;
    this.#requests.onError();
    // A message too large to be seen whole still begins with its severity and SQLSTATE.
    const bytes = view.subarray(start, end);
    this.#hasSaidWhy = isFatal(bytes);
    this.#facts.errorReported(errorField(bytes, ERROR_FIELD.sqlState));
  }

  #send(view: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.#parts.client.write(end - start === view.length ? view : view.subarray(start, end));
    this.#parts.route.cells.add(POOL_CELL.bytesFromServers, end - start);
  }

  // Login -------------------------------------------------------------------------------------

  #relayLogin(view: Uint8Array, login: Login): number {
    const framer = this.#framer;
    let sent = 0;
    let passed = 0;
    framer.begin(view);
    try {
      while (framer.next()) {
        if (this.#isUnheard && this.#isSentAway(view)) return view.length;
        this.#isUnheard = false;
        const replacement = this.#onLoginMessage(view, login);
        if (replacement !== undefined) {
          this.#send(view, sent, framer.start);
          this.#send(replacement, 0, replacement.length);
          sent = framer.end;
        }
        passed = framer.end;
      }
    } finally {
      this.#send(view, sent, passed);
    }
    return passed;
  }

  /** @returns What the client gets instead, if it is not the message as it is. */
  #onLoginMessage(view: Uint8Array, login: Login): Uint8Array | undefined {
    const { tag, isFirst } = this.#framer;
    if (!isFirst) return undefined;
    if (this.#login === undefined) {
      this.#onMessage(view); // the client was ahead with its first queries
      return undefined;
    }
    this.#hasSaidWhy = false;
    if (tag === BACKEND.errorResponse) this.#onErrorResponse(view);
    const replacement = this.#translate(view, login);
    if (tag === BACKEND.readyForQuery) this.#onReady();
    return replacement;
  }

  /**
   * The server starts or stops, as it says. Like one that is not there it is dialled again, or
   * another one is: the client hears of it when neither is left.
   */
  #isSentAway(view: Uint8Array): boolean {
    const { start, end, tag, isLast } = this.#framer;
    if (tag !== BACKEND.errorResponse || !isLast) return false;
    const fields = errorFieldsOf(view.subarray(start, end));
    if (fields.get("C") !== CANNOT_CONNECT_NOW) return false;
    const message = `${CANNOT_CONNECT_NOW}: ${fields.get("M")}`;
    if (this.#asksAgain(message)) return true;
    const { owner } = this.#parts;
    if (!owner.maySendElsewhere()) return false;
    owner.guard(() => {
      this.#facts.loginFailed(message, "unavailable");
      this.#giveUp();
    });
    return true;
  }

  /** @returns False if the server has got more than the StartupMessage, or no attempt is left. */
  #asksAgain(message: string): boolean {
    if (!this.#parts.owner.mayAskAgain() || !this.#dial!.again(message)) return false;
    this.#silence?.cancel();
    this.#silence = undefined;
    this.#tls = undefined;
    this.#setState("connecting");
    this.#parts.owner.onDialAgain();
    return true;
  }

  #translate(view: Uint8Array, login: Login): Uint8Array | undefined {
    const { tag, start, end, isLast } = this.#framer;
    const isRead = tag === BACKEND.backendKeyData || tag === BACKEND.negotiateProtocolVersion;
    if (isRead) checkWhole(isLast, tag);
    return login.translate(tag, view.subarray(start, end), (serverKey, minorVersion) => {
      const { gateway, route } = this.#parts;
      const target = { server: route.server, tls: this.#tls, ...readBackendKeyData(serverKey) };
      const { processId, key } = gateway.cancelKeys.issue(
        { target: () => target, hold: () => () => {} }, // it never changes
        minorVersion,
      );
      this.#revokeKey();
      this.#key = { processId, target };
      return backendKeyData(processId, key);
    });
  }

  #onReady(): void {
    this.#login = undefined;
    this.#setState("active");
    this.#parts.owner.onReady();
  }

  // The end -----------------------------------------------------------------------------------

  #onEnd(message: string): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    const { owner } = this.#parts;
    if (this.#isUnheard && this.#asksAgain(message)) return;
    const isFailedLogin = this.#state === "login" && this.#hasSaidWhy; // which is no loss
    const isLost = !this.#isTerminated && !isFailedLogin;
    if (isLost) this.#facts.lost(message);
    const canTell = this.isClientBetweenMessages && !this.#hasSaidWhy && !this.#isTerminated;
    this.#setState("closing");
    this.#socket!.end();
    owner.onLost(canTell);
  }

  #revokeKey(): void {
    if (this.#key !== undefined) this.#parts.gateway.cancelKeys.revoke(this.#key.processId);
    this.#key = undefined;
  }

  #giveBack(): void {
    if (this.#state === "gone") return;
    this.#revokeKey();
    this.#facts.state(this.#state, undefined);
    this.#state = "gone";
    this.#parts.lease[Symbol.dispose]();
  }

  #setState(to: ServerState): void {
    if (this.#state === to || this.#state === "gone") return;
    this.#silence?.cancel();
    this.#facts.state(this.#state, to);
    this.#state = to;
  }
}
