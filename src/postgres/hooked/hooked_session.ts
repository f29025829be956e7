/**
 * One session's plugins: stands between a client's session and whoever serves it, looks at what
 * passes both ways while plugins want it, and gets out of the way while they do not.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { FIELD, IS } from "../../hooks/event.ts";
import type { HookSwitch } from "../../hooks/hook_switch.ts";
import { HOOK, HOOKS } from "../../hooks/hooks.ts";
import type { Verdict } from "../../hooks/verdict.ts";
import type { Socket } from "../../net/socket.ts";
import * as reply from "../error_reply.ts";
import type { Upstream, UpstreamOwner } from "../upstream.ts";
import type { ErrorFields } from "../wire/messages.ts";
import { STATUS_IDLE } from "../wire/tags.ts";
import { ClientMessages } from "./client_messages.ts";
import { ClientState } from "./client_state.ts";
import { FromClient } from "./from_client.ts";
import { HookCalls } from "./hook_calls.ts";
import { type Filter, HookedSocket } from "./hooked_socket.ts";
import type { LoneRequests } from "./lone_requests.ts";
import { Pipeline } from "./pipeline.ts";
import { rejectionFields } from "./plugin_reply.ts";
import { ServerMessages } from "./server_messages.ts";
import { encodeParameters, HookedFacts } from "./session_facts.ts";
import { ToClient } from "./to_client.ts";

/** What the hooked sessions of one listener share. */
export interface HookedListener {
  readonly hooks: HookSwitch;
  readonly clock: Clock;
  /** Its name. */
  readonly listener: string;
  readonly messageSizeMax: number;
}

/** Whose session it is. */
export interface HookedOwner extends UpstreamOwner {
  /** The session's. */
  readonly number: number;
  /** What a plugin wants cannot be done, and the session goes on. */
  onIgnored(plugin: string, message: string): void;
}

/** What passes, while somebody looks at it. */
interface Watched {
  readonly lone: LoneRequests;
  readonly pipeline: Pipeline;
  readonly fromClient: FromClient;
  readonly toClient: ToClient;
  /** To the client, as it is. */
  readonly send: (bytes: Uint8Array) => void;
}

/** What plugins have made of a StartupMessage. */
export interface HookedStartup {
  /** Undefined if it is as the client sent it. */
  readonly payload: Uint8Array | undefined;
  /** Name of a proxy that plugins have chosen. */
  readonly proxy: string | undefined;
}

const NOTHING = new Uint8Array();

/** The hooks of one session. */
export class HookedSession implements Filter {
  readonly #shared: HookedListener;
  readonly #owner: HookedOwner;
  readonly facts: HookedFacts;
  #upstream: Upstream | undefined;
  #client: Socket | undefined;
  /** Undefined while nobody looks. */
  #watched: Watched | undefined;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(shared: HookedListener, client: Socket, owner: HookedOwner) {
    this.#shared = shared;
    this.#owner = owner;
    this.facts = new HookedFacts(owner.number, shared.listener, client);
  }

  // What passes -----------------------------------------------------------------------------------

  /** The client's socket for whoever serves it. */
  wrap(client: Socket): Socket {
    this.#client = client;
    if (this.#shared.hooks.chain.wantsTraffic) this.#watched = this.#watch();
    else this.facts.onMissed();
    return new HookedSocket(client, this);
  }

  get isLooking(): boolean {
    return this.#watched !== undefined;
  }

  filter(bytes: Uint8Array, send: (bytes: Uint8Array) => void): void {
    this.#watched!.toClient.write(bytes, send);
  }

  /** Whoever serves the client is there. */
  attach(upstream: Upstream): void {
    this.#upstream = upstream;
    if (upstream.isPooled) this.facts.flags |= IS.pooled;
    this.facts.setPlace(upstream);
  }

  /** Bytes of the client. @returns How many are done with. */
  onClientData(view: Uint8Array): number {
    const upstream = this.#upstream!;
    if (this.#isOver) return view.length;
    const lone = this.#watched?.lone;
    if (lone?.passes(view, this.#shared.messageSizeMax) === true) {
      return this.#passAlone(view, this.#watched!);
    }
    lone?.note();
    if (this.#watched !== undefined) this.#checkNeeded(this.#watched);
    if (this.#watched === undefined) {
      if (!this.#shared.hooks.chain.wantsTraffic || !upstream.isIdle) {
        return upstream.onClientData(view);
      }
      this.#watched = this.#watch();
      this.#watched.pipeline.status = STATUS_IDLE;
    }
    const done = this.#watched.fromClient.onData(view);
    if (this.#isOver) return view.length;
    const { toClient, send } = this.#watched;
    toClient.answer(send);
    return done;
  }

  #passAlone(view: Uint8Array, { lone, fromClient }: Watched): number {
    const taken = this.#upstream!.onClientData(view);
    if (taken < view.length) {
      lone.note();
      fromClient.onLeft(view.length - taken);
    }
    return taken;
  }

  /**
   * False while a message is under way to the client: nothing else may be sent to it. Undefined if
   * the upstream knows.
   */
  get isClientBetweenMessages(): boolean | undefined {
    return this.#watched?.toClient.isBetweenMessages;
  }

  /** @returns How many bytes whoever serves the client has taken. */
  #offer(bytes: Uint8Array): number {
    // An answer that is due is sent before the client is served on: that may end its session.
    if (!this.#isOver) this.#watched?.toClient.answer(this.#watched.send);
    return this.#isOver ? bytes.length : this.#upstream!.onClientData(bytes);
  }

  #watch(): Watched {
    const { hooks, clock, messageSizeMax } = this.#shared;
    const pipeline = new Pipeline();
    const state = new ClientState();
    const calls = new HookCalls(hooks, clock, this.facts, pipeline);
    const refuse = (why: string) => this.#refuse(why);
    const close = (plugin: string) => this.#close(plugin);
    const isOver = () => this.#isOver;
    const serverMessages = new ServerMessages(calls, state, { refuse, close });
    const clientMessages = new ClientMessages(calls, state, {
      refuse,
      close,
      isOver,
      canRoute: () => this.#upstream?.canRoute === true,
      route: (proxy, plugin) => this.#route(proxy, plugin),
      ignore: (plugin, why) => this.#owner.onIgnored(plugin, why),
    });
    const fromClient = new FromClient(clientMessages, messageSizeMax, {
      refuse,
      isOver,
      offer: (bytes) => this.#offer(bytes),
      wait: (ms) => this.#wait(ms),
    });
    const { lone } = clientMessages;
    const toClient = new ToClient(calls, serverMessages, lone, {
      refuse,
      onAnswered: () => {
        if (!fromClient.isHeldBack || pipeline.isFull || pipeline.status === 0) return;
        this.#client!.reoffer();
      },
      onAllAnswered: () => {
        if (fromClient.isAtRest) lone.rest();
      },
    });
    const client = this.#client!;
    return { lone, pipeline, fromClient, toClient, send: (bytes) => client.write(bytes) };
  }

  /** Nobody looks any more: what passes is only passed on, from a moment of rest on. */
  #checkNeeded({ pipeline, fromClient, toClient }: Watched): void {
    if (this.#shared.hooks.chain.wantsTraffic) return;
    if (!fromClient.isEmpty || !toClient.isEmpty) return;
    if (!pipeline.isEmpty || pipeline.status !== STATUS_IDLE) return;
    if (this.#upstream?.isIdle !== true) return;
    this.#watched = undefined;
    this.facts.onMissed();
  }

  #wait(ms: number): void {
    this.#timer = this.#shared.clock.after(ms, () => {
      this.#timer = undefined;
      this.#watched?.fromClient.resume();
      this.#client!.reoffer();
    });
  }

  #route(proxy: string | undefined, plugin: string): void {
    if (this.#upstream?.sendTo(proxy) === true || proxy === undefined) return;
    this.#owner.onIgnored(plugin, "it routes to what is no proxy of the listener");
  }

  // What plugins end ------------------------------------------------------------------------------

  #refuse(why: string): void {
    this.#end((owner) => owner.fail(reply.pluginFailed(why), `plugin failed: ${why}`));
  }

  #close(plugin: string): void {
    this.#end((owner) => owner.end(undefined, `closed by plugin "${plugin}"`));
  }

  /** Soon, and not in the middle of what somebody is sending to the client. */
  #end(act: (owner: UpstreamOwner) => void): void {
    if (this.#isOver) return;
    this.release();
    const owner = this.#owner;
    queueMicrotask(() => owner.guard(() => act(owner)));
  }

  /** The session is over for its client. */
  release(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#watched?.toClient.close();
  }

  // The session's own hooks -----------------------------------------------------------------------

  /** @returns False if a plugin does not want the client. */
  onOpening(): boolean {
    return this.#run(HOOK.onOpening, NOTHING).kind === "forward";
  }

  /** @returns What becomes of it, or what the client is told, or "close". */
  onStartup(parameters: ReadonlyMap<string, string>): HookedStartup | ErrorFields | "close" {
    this.facts.onStartup(parameters);
    if (!this.#wants(HOOK.onStartup)) return { payload: undefined, proxy: undefined };
    const payload = encodeParameters(parameters);
    const verdict = this.#run(HOOK.onStartup, payload);
    if (verdict.kind === "close") return "close";
    if (verdict.kind === "reject") return rejectionFields(verdict.plugin, verdict.rejection);
    const result = this.#shared.hooks.event.payload;
    return {
      payload: result === payload ? undefined : result.slice(),
      proxy: verdict.kind === "route" ? verdict.proxy : undefined,
    };
  }

  /** @returns What the client is told if it may not go on; "close" is without a word. */
  onAuthenticated(): ErrorFields | "close" | undefined {
    const verdict = this.#run(HOOK.onAuthenticated, NOTHING);
    if (verdict.kind !== "close" && verdict.kind !== "reject") return undefined;
    this.release(); // whatever the client has said meanwhile is not looked at
    if (verdict.kind === "close") return "close";
    return rejectionFields(verdict.plugin, verdict.rejection);
  }

  /** The client may send queries. */
  onOpened(): void {
    this.#run(HOOK.onOpened, NOTHING);
    this.#run(HOOK.onTraffic, NOTHING);
  }

  onClosing(reason: string): void {
    this.#run(HOOK.onClosing, NOTHING, reason);
  }

  onClosed(reason: string, durationMs: number): void {
    this.#run(HOOK.onClosed, NOTHING, reason, durationMs);
  }

  /** The client has agreed on TLS. */
  onSecured(): void {
    this.facts.flags |= IS.tls;
  }

  #wants(hook: number): boolean {
    return this.#shared.hooks.chain.wants[hook] === 1;
  }

  #run(hook: number, payload: Uint8Array, message?: string, durationMs = 0): Verdict {
    if (!this.#wants(hook)) return { kind: "forward" };
    const { chain, event } = this.#shared.hooks;
    event.clear(hook, this.facts);
    event.flags = HOOKS[hook - 1]!.can | this.facts.flags;
    event.payload = payload;
    event.transactionStatus = this.#watched?.pipeline.status ?? 0;
    event.durationUs = Math.round(durationMs * 1_000);
    if (message !== undefined) event.fields.set(FIELD.message, utf8(message));
    return chain.run(event);
  }
}
