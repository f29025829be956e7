/**
 * Lets clients in: finds out how a client has to show who it is, has it do so, and makes what
 * stands behind its session. Failures of an address are slowed down, then refused for a while.
 *
 *     throttle -> rule -> secret -> exchange -> admitted
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Socket } from "../net/socket.ts";
import type { TlsInfo } from "../net/tls/tls_connection.ts";
import type { AuthenticationFailure, Observer } from "../observe/facts.ts";
import {
  ClientAuthentication,
  type ClientAuthenticationShared,
  type Step,
} from "./auth/client_authentication.ts";
import type { ServerCredentials } from "./auth/credentials.ts";
import type { FailureThrottle } from "./auth/failure_throttle.ts";
import { type HbaConnection, rejectionMessage } from "./auth/hba.ts";
import * as reply from "./error_reply.ts";
import { isReplication } from "./replication.ts";
import { PASSWORD_SIZE_MAX, type Secret } from "./secrets/secret.ts";
import type { Upstream, UpstreamOwner } from "./upstream.ts";
import { Framer, HEADER_SIZE } from "./wire/framer.ts";
import { authenticationOk, negotiateProtocolVersion } from "./wire/messages.ts";
import {
  MINOR_VERSION_MAX,
  type StartupMessage,
  unknownExtensions,
} from "./wire/startup_packet.ts";
import { FRONTEND } from "./wire/tags.ts";

/** PostgreSQL's names end here: NAMEDATALEN - 1. It cuts longer ones in a StartupMessage. */
const NAME_SIZE_MAX = 63;

/** Room for the password's NUL, or for what SASL puts around a response. */
const MESSAGE_SIZE_MAX = PASSWORD_SIZE_MAX + 1;

const IS_PASSWORD_TAG = Uint8Array.from(
  { length: 256 },
  (_, tag) => tag === FRONTEND.password || tag === FRONTEND.terminate ? 1 : 0,
);

/** How a listener's rule has a client show who it is. */
export interface GateRule {
  readonly method: "trust" | "password" | "md5" | "scram-sha-256" | "cert" | "relay" | "reject";
  /** What its certificate must be besides. */
  readonly clientCertificate: "verify-ca" | "verify-full" | undefined;
  /** Whether a verified certificate of this common name stands for the user. */
  readonly isNameRight: (commonName: string, user: string) => boolean;
}

/** Who has shown who it is. */
export interface Admitted {
  readonly session: number;
  readonly user: string;
  readonly database: string;
  readonly startup: StartupMessage;
  /** Name of a proxy to take first. */
  readonly proxy: string | undefined;
  /** What it called the gateway in its TLS handshake; "" without TLS, or without a name. */
  readonly tlsServerName: string;
  /** What it can be logged in to a server with, if anything was learned. */
  readonly learned: ServerCredentials | undefined;
}

type ErrorFields = ReturnType<typeof reply.secretNotFound>;

/** A secret cannot be looked up in the database that the client asks for. */
export class DatabaseRefused extends Error {
  override readonly name = "DatabaseRefused";
  /** What the client is told. */
  readonly fields: ErrorFields;

  constructor(message: string, fields: ErrorFields) {
    super(message);
    this.fields = fields;
  }
}

type Failure = Extract<Step, { readonly kind: "failed" }>;

/** Makes what stands behind the session. */
export type MakeUpstream = (client: Socket, owner: UpstreamOwner) => Upstream;

/** What a listener's gate is given. */
export interface GateContext {
  readonly listener: string;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly shared: ClientAuthenticationShared;
  readonly throttle: FailureThrottle;
  /** The first rule that fits, if any does. */
  findRule(connection: HbaConnection): GateRule | undefined;
  /**
   * The stored secret; a promise where it has to be asked for, which rejects if that fails: with
   * {@linkcode DatabaseRefused} where it is the client who asked for what is not to be had.
   *
   * @param signal Gives what is aborted when the client has gone.
   */
  secretOf(
    user: string,
    database: string,
    signal: () => AbortSignal,
  ): Secret | undefined | Promise<Secret | undefined>;
  /** Calls one of the two at once: what stands behind the session, or why it may not begin. */
  admit(
    admitted: Admitted,
    onAdmitted: (make: MakeUpstream) => void,
    onRefused: (fields: ReturnType<typeof reply.tooManyClients>, reason: string) => void,
  ): void;
}

/** The client at the gate. */
export interface GateParts {
  readonly client: Socket;
  readonly session: number;
  readonly tls: TlsInfo | undefined;
  readonly startup: StartupMessage;
  readonly owner: UpstreamOwner;
  /** Name of a proxy that plugins have chosen. */
  readonly proxy: string | undefined;
  /** The server is to authenticate it. */
  readonly onRelayed: () => void;
  readonly onAdmitted: (make: MakeUpstream) => void;
}

/** One client's way through the gate. */
export class ClientGate {
  readonly #context: GateContext;
  readonly #parts: GateParts;
  readonly #user: string;
  readonly #database: string;
  readonly #address: string;
  /** Once the client says something, which many are not asked to. */
  #framer: Framer | undefined;
  #state: "waiting" | "exchange" | "over" = "waiting";
  #authentication: ClientAuthentication | undefined;
  #hasAsked = false;
  #delay: Timer | undefined;
  /** Calls off what is looked up, where something is. */
  #lookup: AbortController | undefined;
  /** What has come of a message that is too large to be held by the framer. */
  #pieces: Uint8Array[] = [];

  constructor(context: GateContext, parts: GateParts) {
    const { startup, client: { peerAddress } } = parts;
    const user = startup.parameters.get("user")!;
    this.#context = context;
    this.#parts = parts;
    this.#user = cut(user);
    this.#database = cut(startup.parameters.get("database") || user);
    this.#address = peerAddress.kind === "tcp" ? peerAddress.host : "unix";
  }

  /** Begins. */
  start(): void {
    const delayMs = this.#check();
    if (delayMs === undefined) return;
    if (delayMs === 0) return this.#findRule();
    this.#delay = this.#context.clock.after(
      delayMs,
      () => this.#parts.owner.guard(() => this.#findRule()),
    );
  }

  /** @returns How long the client has to wait, or undefined if it is refused. */
  #check(): number | undefined {
    if (this.#parts.client.peerAddress.kind === "unix") return 0; // all users are at one address
    const verdict = this.#context.throttle.check(this.#address, this.#user);
    if (verdict.kind === "allow") return verdict.delayMs;
    this.#emitFailure("throttled", "too many failures of this address");
    const fields = reply.tooManyFailures(verdict.retryAfterMs);
    this.#parts.owner.fail(fields, "too many authentication failures");
    return undefined;
  }

  /** The session is over. */
  stop(): void {
    this.#state = "over";
    this.#delay?.cancel();
    this.#lookup?.abort();
  }

  /** @returns How many bytes are done with. */
  onClientData(view: Uint8Array): number {
    if (this.#state === "over") return view.length;
    const framer = this.#framer ??= new Framer(MESSAGE_SIZE_MAX, IS_PASSWORD_TAG);
    let taken = 0;
    framer.begin(view);
    while (this.#state === "exchange" && framer.next()) {
      taken = framer.end;
      if (framer.tag === FRONTEND.terminate) return this.#onTerminate(view);
      const piece = view.subarray(framer.start, framer.end);
      if (!framer.isLast) this.#pieces.push(piece.slice());
      else this.#onMessage(concat(...this.#pieces.splice(0), piece));
    }
    return taken;
  }

  #onTerminate(view: Uint8Array): number {
    this.#parts.owner.onTerminate();
    this.#parts.owner.end(undefined, "client terminated");
    return view.length;
  }

  #findRule(): void {
    if (this.#state === "over") return;
    const { client: { peerAddress }, tls, startup } = this.#parts;
    // First: an unknown word must be refused, and not relayed to a server that may know it.
    const replicates = isReplication(startup);
    const connection: HbaConnection = {
      isUnix: peerAddress.kind === "unix",
      isTls: tls !== undefined,
      database: this.#database,
      user: this.#user,
      address: this.#address,
      isPhysicalReplication: replicates && startup.parameters.get("replication") !== "database",
    };
    const rule = this.#context.findRule(connection);
    if (rule === undefined || rule.method === "reject") {
      this.#emitFailure("rule", rule === undefined ? "no rule fits" : "a rule rejects it");
      const text = rejectionMessage(connection, rule);
      return this.#parts.owner.fail(reply.notAdmitted(text), "rejected by a rule");
    }
    if (rule.method === "relay") {
      this.#state = "over";
      return this.#parts.onRelayed();
    }
    this.#findSecret(rule, rule.method);
  }

  #findSecret(rule: GateRule, method: Exclude<GateRule["method"], "relay" | "reject">): void {
    const { owner } = this.#parts;
    const signal = () => (this.#lookup ??= new AbortController()).signal;
    const found = this.#context.secretOf(this.#user, this.#database, signal);
    if (!(found instanceof Promise)) return this.#exchange(rule, method, found);
    owner.runLoginTime(false); // it is the gateway that takes its time
    found.then(
      (secret) =>
        owner.guard(() => {
          if (this.#state === "over") return;
          owner.runLoginTime(true);
          this.#exchange(rule, method, secret);
        }),
      (error) => owner.guard(() => this.#onLookupFailed(error)),
    );
  }

  #onLookupFailed(error: Error): void {
    if (this.#state === "over") return;
    const isClients = error instanceof DatabaseRefused;
    if (isClients) this.#countFailure(); // names that are tried out cost a connection each
    this.#emitFailure("lookup", `the secret cannot be looked up: ${error.message}`);
    const fields = isClients ? error.fields : reply.secretNotFound();
    this.#parts.owner.fail(fields, "authentication query failed");
  }

  #countFailure(): void {
    if (this.#parts.client.peerAddress.kind === "unix") return;
    this.#context.throttle.onFailure(this.#address, this.#user);
  }

  #exchange(
    rule: GateRule,
    method: Exclude<GateRule["method"], "relay" | "reject">,
    secret: Secret | undefined,
  ): void {
    const { tls, startup, client } = this.#parts;
    const certificate = tls?.peerCertificate;
    const name = certificate?.isVerified === true ? certificate.commonName ?? "" : "";
    const needsCertificate = rule.clientCertificate !== undefined;
    const isNameRight = name !== "" && rule.isNameRight(name, this.#user);
    if (needsCertificate) {
      const isGood = rule.clientCertificate === "verify-full"
        ? isNameRight
        : certificate?.isVerified === true;
      if (!isGood) return this.#onFailed(certificateFailure(this.#user), "certificate");
    }
    const negotiation = negotiationFor(startup);
    if (negotiation !== undefined) client.write(negotiation);
    const channelBinding = tls?.serverEndPoint;
    this.#authentication = new ClientAuthentication({
      method,
      user: this.#user,
      secret,
      ...(channelBinding === undefined ? {} : { channelBinding }),
      isCertificateRight: isNameRight,
    }, this.#context.shared);
    this.#onStep(this.#authentication.start());
    if (this.#state === "exchange") client.reoffer();
  }

  #onMessage(bytes: Uint8Array): void {
    this.#state = "waiting";
    // Others of its address may have failed meanwhile: many at once must not have more attempts.
    if (this.#check() === undefined) return;
    this.#onStep(this.#authentication!.onPassword(bytes.subarray(HEADER_SIZE)));
  }

  #onStep(step: Step): void {
    const { client } = this.#parts;
    switch (step.kind) {
      case "send":
        this.#state = "exchange";
        this.#hasAsked = true;
        return client.write(step.bytes);
      case "failed":
        return this.#onFailed(step, this.#causeOf(step));
      case "ok":
        client.write(step.bytes);
        return this.#onAuthenticated(step.learned);
    }
  }

  #onAuthenticated(learned: ServerCredentials | undefined): void {
    const { session, startup, proxy, owner, client, onAdmitted } = this.#parts;
    this.#state = "over";
    this.#context.throttle.onSuccess(this.#address, this.#user);
    const tlsServerName = this.#parts.tls?.serverName ?? "";
    const who = { session, user: this.#user, database: this.#database, tlsServerName };
    this.#context.admit({ ...who, startup, proxy, learned }, (make) => {
      client.write(authenticationOk());
      onAdmitted(make);
    }, (fields, reason) => owner.fail(fields, reason));
  }

  #causeOf({ sqlState }: Failure): AuthenticationFailure {
    if (sqlState === "28P01") return "password";
    // Without a question, a certificate is all that can be wrong.
    return this.#hasAsked ? "protocol" : "certificate";
  }

  #onFailed(step: Failure, cause: AuthenticationFailure): void {
    this.#countFailure();
    this.#emitFailure(cause, step.reason);
    const { message, sqlState } = step;
    this.#parts.owner.fail({ severity: "FATAL", sqlState, message }, "authentication failed");
  }

  #emitFailure(cause: AuthenticationFailure, reason: string): void {
    this.#context.observer.emit({
      kind: "authentication_failed",
      session: this.#parts.session,
      listener: this.#context.listener,
      user: this.#user,
      database: this.#database,
      cause,
      reason,
    });
  }
}

function certificateFailure(user: string): Failure {
  return {
    kind: "failed",
    sqlState: "28000",
    message: `certificate authentication failed for user "${user}"`,
    reason: "the client's certificate is missing, not verified, or somebody else's",
  };
}

/** The gateway speaks for every server: what it does not know is declined once, here. */
function negotiationFor(startup: StartupMessage): Uint8Array | undefined {
  const extensions = unknownExtensions(startup);
  if (extensions.length === 0 && startup.minorVersion <= MINOR_VERSION_MAX) return undefined;
  const minorVersion = Math.min(startup.minorVersion, MINOR_VERSION_MAX);
  return negotiateProtocolVersion({ minorVersion, extensions });
}

/** As PostgreSQL cuts names: at a character, not within one. */
function cut(name: string): string {
  if (3 * name.length <= NAME_SIZE_MAX) return name; // no character takes more in UTF-8
  const encoder = new TextEncoder();
  if (encoder.encode(name).length <= NAME_SIZE_MAX) return name;
  const bytes = new Uint8Array(NAME_SIZE_MAX);
  const { read } = encoder.encodeInto(name, bytes);
  return name.slice(0, read);
}
