/**
 * A client that shares server connections with others. It has one while something of its is under
 * way: a session, a transaction or a statement, as the pool's mode says, or for longer if its
 * session holds what only that server has.
 *
 *     login -> active -> over          active: without a server, waiting for one, or with one
 *
 * A client's message that needs a server is left unread until there is one, so nothing is kept
 * here, and the client is held back by its own socket.
 *
 * @module
 */

import type { Socket } from "../../net/socket.ts";
import { POOL_CELL } from "../../observe/counters.ts";
import type { SessionTimeout } from "../../observe/facts.ts";
import type { Refusal } from "../../pool/server_pool_types.ts";
import type { CancelKey } from "../cancel.ts";
import * as reply from "../error_reply.ts";
import type { Need } from "../../upstream/router.ts";
import { ServerStay } from "../server_stay.ts";
import type { Upstream, UpstreamPlace } from "../upstream.ts";
import { ProtocolError } from "../wire/errors.ts";
import { type ErrorFields, isFatal } from "../wire/messages.ts";
import { STATUS_IDLE } from "../wire/tags.ts";
import type { Backend } from "./backend.ts";
import type { OpenFailure } from "./backend_opener.ts";
import type { BackendOwner } from "./backend_parts.ts";
import { FrontendRelay } from "./frontend_relay.ts";
import type { PairState } from "./pair_state.ts";
import { SessionParameters } from "./parameters.ts";
import { Pins } from "./pins.ts";
import type { Identity, PooledContext, PooledRoute, PoolSettings } from "./pooled_context.ts";
import { type PooledEnd, type PooledOwner, TERMINATED } from "./pooled_end.ts";
import { RequestRouting } from "./request_routing.ts";
import * as answers from "./search_replies.ts";
import { ServerSearch, type ServerSearchOwner } from "./server_search.ts";
import { SessionCancelKey } from "./session_cancel_key.ts";
import { SessionErrors } from "./session_errors.ts";
import { SessionLimits } from "./session_limits.ts";
import { TouchedParameters } from "./touched_parameters.ts";
import { Welcome } from "./welcome.ts";

/** Serves one authenticated client from pooled connections. */
export class PooledSession implements Upstream, BackendOwner, ServerSearchOwner {
  readonly #context: PooledContext;
  readonly #identity: Identity;
  readonly #owner: PooledOwner;
  readonly #relay: FrontendRelay;
  readonly client: Socket;
  readonly parameters = new SessionParameters();
  readonly #search: ServerSearch;
  /** Those of the first route, whichever is taken: a session does not change its mode. */
  readonly #settings: PoolSettings;
  #state: "login" | "active" | "over" = "login";
  #backend: Backend | undefined;
  #isTerminating = false;
  readonly stay: ServerStay;
  /** Undefined where all requests are alike. */
  readonly routing: RequestRouting | undefined;
  /** The gateway stops: what is under way is the last. */
  #isDraining = false;
  readonly touched: TouchedParameters = new TouchedParameters(this);
  readonly #pins: Pins;
  readonly #limits: SessionLimits;
  readonly #errors: SessionErrors;
  readonly #cancelKey: SessionCancelKey;
  #welcome: Welcome | undefined;

  constructor(context: PooledContext, identity: Identity, client: Socket, owner: PooledOwner) {
    this.#context = context;
    this.#identity = identity;
    this.#owner = owner;
    this.client = client;
    this.#search = new ServerSearch(identity.router, this);
    this.#settings = this.route.settings;
    this.stay = new ServerStay(this, owner);
    this.routing = identity.rules && new RequestRouting(identity.rules, {
      user: identity.user,
      parameters: this.parameters,
      textOf: (name) => this.#relay.textOf(name),
      onWrongHint: (problem) => client.write(answers.hintNotice(problem)),
    });
    this.#cancelKey = new SessionCancelKey(context.cancelKeys, this);
    this.#relay = new FrontendRelay(context, this.#settings, this);
    this.#limits = new SessionLimits(context, this.#settings, this);
    this.#pins = new Pins(context.observer, identity.session, this);
    this.#errors = new SessionErrors(context.observer, identity.session, this.#relay, this.#limits);
  }

  // For the parts of a session --------------------------------------------------------------------

  get pair(): PairState {
    return this.route.pair;
  }

  issueCancelKey(): CancelKey {
    return this.#cancelKey.issue(this.#identity.startup.minorVersion);
  }

  get route(): PooledRoute {
    return this.#search.route;
  }

  get isOnReplica(): boolean {
    return this.#search.isReplica; // as it is known now
  }

  get backend(): Backend | undefined {
    return this.#backend;
  }

  get isClientBetweenMessages(): boolean {
    return this.#backend?.isClientBetweenMessages ?? true;
  }

  readonly isPooled = true;

  get place(): UpstreamPlace {
    return { proxy: this.route.proxy, server: this.route.address };
  }

  get isIdle(): boolean {
    if (this.#state !== "active" || this.isWaiting || !this.#relay.isBetweenMessages) return false;
    return this.#backend === undefined || (this.#backend.isQuiet && !this.#backend.isInTransaction);
  }

  get canRoute(): boolean {
    return this.#backend === undefined && this.#state === "active";
  }

  sendTo(proxy: string | undefined): boolean {
    if (!this.canRoute) return false;
    if (proxy !== undefined) return this.#search.choose(proxy);
    if (!this.isWaiting) this.#search.forgetChoice();
    return true;
  }

  readonly isGone = true; // what becomes of a server connection is no business of one that is over

  // Life ------------------------------------------------------------------------------------------

  start(): void {
    this.#welcome = new Welcome(this, this.#identity.startup, {
      isReplicating: this.#settings.isReplicating,
      hotStandby: answers.hotStandbyOf(this.#identity),
      onRole: (role) => this.#search.need = this.routing?.needFor(role),
      onDone: () => this.#onWelcomed(),
    });
    this.#owner.runLoginTime(false);
    this.#welcome.start();
  }

  #onWelcomed(): void {
    this.#welcome = undefined;
    this.#state = "active";
    this.#owner.runLoginTime(false);
    this.#owner.setState("active");
    this.#context.observer.emit(answers.readyFact(this.#identity, this.route));
    this.#limits.start();
    if (this.#backend !== undefined) this.#letGo();
    this.client.reoffer();
  }

  onClientData(view: Uint8Array): number {
    if (this.#state === "login" || this.#search.isWaiting) return 0;
    if (this.#state === "over" || this.#isTerminating) return view.length;
    this.#limits.onClient();
    return this.#relay.onClientData(view);
  }

  /** A message needs a server. @returns It, or undefined if it comes later. */
  needServer(view?: Uint8Array, at = 0): Backend | undefined {
    if (this.#backend === undefined && !this.#search.isWaiting) {
      if (view !== undefined) this.#search.need = this.routing?.needOf(view, at);
      this.acquire(() => this.client.reoffer());
    }
    return this.#backend;
  }

  /** Asks the pool; `then` is called if it takes a while, and not if the session is over. */
  acquire(then: () => void): void {
    this.#search.acquire(then);
    if (this.#search.isWaiting && this.#state === "login") this.#owner.setState("waiting");
  }

  onServer(backend: Backend): void {
    this.#backend = backend;
    this.stay.begin(this.route);
    backend.attach(this);
    this.#relay.onLinked(backend);
    if (this.#state === "login") this.#owner.runLoginTime(true);
  }

  onRefused(refusal: Refusal<OpenFailure>): void {
    answers.refuse(this.#owner, refusal, this.route, this.#search.routes);
  }

  onHeldTooLong({ role }: Need, heldMs: number): void {
    this.#owner.fail(reply.noServerOfRole(role, heldMs), "no server could serve");
  }

  onNotice(waitedMs: number): void {
    if (this.#welcome === undefined) {
      this.client.write(answers.waitNotice(this.#settings.pool, waitedMs));
    }
  }

  /** It has its server no more. */
  #forgetServer(): void {
    this.#backend = undefined;
    this.routing?.onReleased();
    this.stay.end();
  }

  get mayStay(): boolean {
    return this.#search.mayStay;
  }

  // From the server -------------------------------------------------------------------------------

  onError(bytes: Uint8Array): boolean {
    this.#errors.report(bytes);
    this.#relay.onError(this.#backend!);
    return isFatal(bytes);
  }

  retries(bytes: Uint8Array, answers: number): boolean {
    return this.#relay.retries(bytes, answers);
  }

  onRetry(): void {
    this.#relay.retry(this.#backend!);
  }

  translateError(bytes: Uint8Array): Uint8Array | undefined {
    return this.#errors.translate(bytes);
  }

  onReady(status: number, isOwn: boolean): void {
    const backend = this.#backend!;
    if (!isOwn) this.#relay.onReady(backend);
    this.#limits.onReady(isOwn, status !== STATUS_IDLE, !backend.replies.isEmpty);
    if (this.#state !== "active" || this.#relay.isFollowing) return;
    // What has waited for the answer to a SET may want another server, if servers differ.
    const isFollowed = isOwn && this.#relay.isHeldBack && this.routing?.hasSent !== true;
    if (this.#relay.isHeldBack) this.#relay.goOn(); // soon, and maybe with another server
    // The server is now as the client's message wants it, which has waited for that.
    if (isFollowed && backend.isQuiet && !this.touched.isPending) return;
    if (this.#isTerminating && !backend.replies.isRequestDue) {
      return this.#owner.end(undefined, TERMINATED);
    }
    // PostgreSQL 18 says T where a Query has come before the Sync of what was sent.
    const isBlock = status !== STATUS_IDLE && !backend.replies.isUncertain;
    if (isBlock && this.#settings.mode === "statement") {
      return this.#owner.fail(reply.transactionInStatementMode(), "transaction in statement mode");
    }
    this.#letGo();
  }

  onReleasable(): void {
    if (this.#state !== "active") return;
    const before = this.#backend;
    this.#letGo();
    // What waited for another server can have it now.
    if (before !== this.#backend && this.#relay.isHeldBack) this.#relay.goOn();
  }

  beforeReady(): void {
    this.routing?.onAnswered();
  }

  /** Whether its server stays with it when what is under way is done. */
  get stays(): boolean {
    return this.#settings.mode === "session" || !this.#pins.isEmpty;
  }

  get isHeldBack(): boolean {
    return this.#relay.isHeldBack;
  }

  onRoom(): void {
    this.#relay.goOn();
  }

  get isWaiting(): boolean {
    return this.#search.isWaiting;
  }

  /** A server that was quiet is asked something. */
  onRequest(): void {
    this.#limits.onRequest();
  }

  /** Gives the server back, if nothing speaks against it. */
  #letGo(): void {
    const backend = this.#backend;
    if (backend === undefined || !backend.isQuiet || this.touched.isReading) return;
    if (this.touched.read(backend)) return;
    this.#pins.set("statement", this.#relay.needsItsServer);
    const { stays } = this;
    if (stays || backend.isBeingCancelled || !this.#relay.isBetweenMessages) return;
    if (backend.isClientBehind && this.client.isSending) {
      return this.client.whenSent(() => this.onReleasable());
    }
    this.#forgetServer();
    backend.detach();
    this.#search.forgetChoice();
    if (this.#isDraining) this.#owner.fail(reply.shuttingDown(), "gateway shut down");
  }

  pin(why: string): void {
    if (this.#backend !== undefined) this.#backend.isDirty = true;
    this.#pins.add(why);
  }

  unpin(why: string | undefined): void {
    if (why === undefined) this.#pins.clear();
    else this.#pins.delete(why);
  }

  /** A RESET means what the client asked for at its login: it is to be set again. */
  unsettle(): void {
    this.#relay.unsettle();
  }

  // The end ---------------------------------------------------------------------------------------

  mayFinish(): boolean {
    this.#isDraining = true;
    return this.#state === "active" && this.#backend !== undefined;
  }

  get isOver(): boolean {
    return this.#state === "over" || this.#isTerminating;
  }

  /** The client has said Terminate. What it asked before is still answered. */
  terminated(): void {
    this.#isTerminating = true;
    this.#owner.onTerminate();
    if (this.#backend?.replies.isRequestDue !== true) this.#owner.end(undefined, TERMINATED);
  }

  release(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#limits.stop();
    this.#pins.end();
    this.#search.cancel();
    this.#cancelKey.revoke();
    this.#identity.holds[Symbol.dispose]();
    const backend = this.#backend;
    this.#forgetServer();
    if (backend === undefined) return;
    // What was on its way may have changed what nobody has read yet.
    if (this.touched.isPending || this.#relay.isPending) backend.distrust();
    backend.abandon(this.#relay.isBetweenMessages, this.#isTerminating);
  }

  onLost(canTell: boolean): void {
    this.#forgetServer();
    this.#search.onLost();
    const fields = canTell ? reply.serverLost() : undefined;
    answers.endFor(this.#owner, fields, "server closed the connection");
  }

  onBrokenServer(error: unknown, canTell: boolean): void {
    this.#forgetServer();
    if (!(error instanceof ProtocolError)) throw error;
    const fields = canTell ? reply.serverBrokeProtocol(error) : undefined;
    answers.endFor(this.#owner, fields, "server broke the protocol");
  }

  onTimeout(timeout: SessionTimeout): void {
    const [{ session }, { pool }] = [this.#identity, this.#settings];
    this.#context.observer.emit({ kind: "session_timeout", session, pool, timeout });
  }

  cannotFollow(backend: Backend, error: ReadonlyMap<string, string>): void {
    backend.distrust(); // some of it was taken for set
    this.refuse(error);
  }

  refuse(error: ReadonlyMap<string, string>): void {
    this.#owner.fail(reply.parameterRefused(error), "parameter refused", true);
  }

  fail(fields: ErrorFields, reason: PooledEnd): void {
    this.#owner.fail(fields, reason);
  }

  guard(act: () => void): void {
    this.#owner.guard(act);
  }

  countBytes(size: number): void {
    this.route.cells.add(POOL_CELL.bytesFromClients, size);
  }
}
