/**
 * One worker's half of mirroring: which sessions are copied, where to, and what is counted of it.
 *
 * @module
 */

import type { Clock } from "./base/clock.ts";
import { fractionOf } from "./base/fraction.ts";
import type { ServerConfig } from "./config/config.ts";
import type { MirrorConfig } from "./config/routing_settings.ts";
import type { DataPlaneSnapshot } from "./data_plane_messages.ts";
import { type Cells, MIRROR_CELL, type WorkerCounters } from "./observe/counters.ts";
import type { Fact, Observer } from "./observe/facts.ts";
import { MIRROR_DROPS } from "./observe/label_values.ts";
import type { Admitted, MakeUpstream } from "./postgres/client_gate.ts";
import { isReplication } from "./postgres/replication.ts";
import { Comparison } from "./postgres/mirror/comparison.ts";
import { Mirror, type MirrorEnd, type MirrorRefusal } from "./postgres/mirror/mirror.ts";
import { compared, MirroredSession } from "./postgres/mirror/mirrored_session.ts";
import { RareFacts } from "./postgres/mirror/rare_facts.ts";
import type { Identity, PooledContext, PooledRoute } from "./postgres/pooled/pooled_context.ts";
import { PooledSession } from "./postgres/pooled/pooled_session.ts";
import { Holds } from "./pool/holds.ts";
import type { ServerRouting } from "./server_routing.ts";
import type { TakenRoute, Way } from "./session_routes.ts";

/** What one worker's mirroring works with. */
export interface MirrorPlaneParts {
  readonly snapshot: DataPlaneSnapshot;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly observer: Observer;
  readonly counters: WorkerCounters;
  readonly routing: ServerRouting;
  /** The way to one server by one proxy, or why there is none. */
  readonly take: (way: Way, admitted: Admitted) => TakenRoute | MirrorRefusal;
}

/** A session that could be copied. */
export interface Mirrorable {
  readonly listener: string;
  readonly server: ServerConfig;
  readonly admitted: Admitted;
  /** Where the real session may be served. */
  readonly routes: readonly PooledRoute[];
  readonly context: PooledContext;
}

interface ProxyMirror {
  readonly proxy: string;
  readonly config: MirrorConfig;
  readonly cells: Cells;
}

/** One worker's mirrors. */
export class MirrorPlane {
  readonly #parts: MirrorPlaneParts;
  readonly #mirrors = new Map<string, ProxyMirror>();
  readonly #facts: RareFacts;

  constructor(parts: MirrorPlaneParts) {
    this.#parts = parts;
    this.#facts = new RareFacts(() => parts.clock.nowMs());
    for (const [proxy, { mirror }] of parts.snapshot.proxies) {
      if (mirror === undefined) continue;
      const cells = parts.counters.mirror(proxy);
      this.#mirrors.set(proxy, { proxy, config: mirror, cells });
    }
  }

  /** Names in `clients` of the servers that a proxy's sessions may reach, mirrors included. */
  clientsOf(proxy: string): string[] {
    const { proxies } = this.#parts.snapshot;
    const { client, mirror } = proxies.get(proxy)!;
    return mirror === undefined ? [client] : [client, proxies.get(mirror.proxy)!.client];
  }

  /** What makes the session, with a copy if it is one of those that are copied. */
  wrap(session: Mirrorable, make: MakeUpstream): MakeUpstream {
    const name = session.routes.find(({ proxy }) => this.#mirrors.has(proxy))?.proxy;
    if (name === undefined || isReplication(session.admitted.startup)) return make;
    const mirror = this.#mirrors.get(name)!;
    if (fractionOf(this.#parts.randomBytes(4)) >= mirror.config.share) return make;
    return (client, owner) => {
      const comparison = mirror.config.compare ? this.#comparison(mirror, session) : undefined;
      const seen = comparison === undefined ? client : compared(client, comparison);
      const copy = this.#copy(mirror, session, comparison);
      return new MirroredSession(make(seen, owner), copy, comparison);
    };
  }

  #comparison({ proxy, cells }: ProxyMirror, { admitted }: Mirrorable): Comparison {
    const { clock, observer } = this.#parts;
    return new Comparison({
      clock,
      cells,
      onDifference: (result, real, mirror) => {
        const count = this.#facts.next(`${proxy} ${result}`);
        if (count === 0) return;
        observer.emit({
          kind: "mirror_differed",
          session: admitted.session,
          proxy,
          result,
          sqlState: real.sqlState,
          mirrorSqlState: mirror.sqlState,
          rows: real.rows,
          mirrorRows: mirror.rows,
          count,
        });
      },
    });
  }

  #copy(
    mirror: ProxyMirror,
    session: Mirrorable,
    comparison: Comparison | undefined,
  ): Mirror {
    const { clock, observer } = this.#parts;
    const { server, admitted } = session;
    const context = { ...session.context, observer: ownFacts(observer) };
    return new Mirror({
      clock,
      bufferMax: mirror.config.bufferMax,
      messageSizeMax: server.messageSizeMax,
      comparison,
      open: (client, owner) => {
        const identity = this.#identity(mirror.config.proxy, session);
        return "sqlState" in identity
          ? identity
          : new PooledSession(context, identity, client, owner);
      },
      cancel: ({ backend }) => {
        if (backend === undefined || backend.busySinceMs === undefined) return;
        const release = backend.holdForCancel();
        context.cancel(backend.cancelTarget).then(release);
      },
      onEnd: (end) => this.#onEnd(mirror, admitted.session, end),
      onDefect: (error) => {
        const message = error instanceof Error ? error.stack ?? error.message : String(error);
        observer.emit({ kind: "internal_error", session: admitted.session, message });
      },
    });
  }

  /** Who it is at the mirror, and which of its servers it may use; or why it cannot be there. */
  #identity(
    proxy: string,
    { listener, server, admitted }: Mirrorable,
  ): Identity | MirrorRefusal {
    const { snapshot, routing, take } = this.#parts;
    const routes: PooledRoute[] = [];
    const holds = new Holds();
    for (const member of routing.membersOf(snapshot.proxies.get(proxy)!.client)) {
      const taken = take({ listener, server, proxy, member }, admitted);
      if ("sqlState" in taken) {
        holds[Symbol.dispose]();
        return taken;
      }
      routes.push(withoutIdleTimeout(taken.route));
      holds.add(taken.use);
    }
    const router = routing.mirrorRouter(routes);
    const { session: number, user, database, startup } = admitted;
    return { session: number, user, database, startup, router, rules: undefined, holds };
  }

  #onEnd({ proxy, cells }: ProxyMirror, session: number, end: MirrorEnd): void {
    if (end.kind === "complete") return cells.add(MIRROR_CELL.complete, 1);
    const { cause, reason } = end;
    cells.add(MIRROR_CELL.drops + MIRROR_DROPS.indexOf(cause), 1);
    const count = this.#facts.next(`${proxy} ${cause}`);
    if (count === 0) return;
    this.#parts.observer.emit({ kind: "mirror_dropped", session, proxy, cause, reason, count });
  }
}

/** It is the real session that knows how long its client has said nothing. */
function withoutIdleTimeout(route: PooledRoute): PooledRoute {
  return { ...route, settings: { ...route.settings, clientIdleTimeoutMs: 0 } };
}

/** Of what a mirror's session says, clients and their logins are the real one's. */
function ownFacts(observer: Observer): Observer {
  return {
    emit(fact: Fact): void {
      if (fact.kind === "session_pinned") observer.emit(fact);
    },
  };
}
