/**
 * One worker's choice of servers: its view of the shared table, what it knows of servers by using
 * them, each listener's router, and who waits for news.
 *
 * @module
 */

import type { Clock, Timer } from "./base/clock.ts";
import { PlacedList } from "./base/placed_list.ts";
import type { ClientConfig, ServerConfig } from "./config/config.ts";
import type { TargetSessionAttrs } from "./config/routing_settings.ts";
import type { DataPlaneSnapshot } from "./data_plane_messages.ts";
import {
  BalancingRules,
  type Conditions,
  type FailedCondition,
  type RuledClient,
} from "./balancing_rules.ts";
import type { PooledRoute, RoutingRules } from "./postgres/pooled/pooled_context.ts";
import type { StatementClass } from "./postgres/routing/statement_class.ts";
import type { WriteMarks } from "./upstream/write_marks.ts";
import { RoutedSession } from "./routed_session.ts";
import type { SessionRouter } from "./postgres/pooled/session_router.ts";
import type { ConnectionCounter } from "./upstream/connection_table.ts";
import { makeStrategy } from "./upstream/balancer/make_strategy.ts";
import { type Member, membersOf } from "./upstream/members.ts";
import { ANY_NEED, type Need, roleChosen, Router, type ServerRoute } from "./upstream/router.ts";
import { type NewsWatcher, ServerLoad } from "./upstream/server_loads.ts";
import { HEALTH, ServerTable } from "./upstream/server_table.ts";

/** How often those who wait look whether something has changed, in milliseconds. */
const NEWS_MS = 50;

/** After so many looks without news they try again: a server that was suspected may be back. */
const LOOKS_MAX = 10;

/** How often connections are looked through that are not to be used any more, in milliseconds. */
const EPOCH_MS = 100;

/** A server's failures are reported to the control plane so often at most, in milliseconds. */
const REPORT_MS = 100;

/** What tells reads from writes, by the name of the listener. */
export type Classifiers = ReadonlyMap<string, { classify(text: Uint8Array): StatementClass }>;

/** What a worker's routing works with. */
export interface ServerRoutingParts {
  readonly snapshot: DataPlaneSnapshot;
  readonly clock: Clock;
  readonly wallMs: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly marks: WriteMarks;
  /** Of the listeners that send reads to replicas, by their names. */
  readonly classifiers: Classifiers;
  /** Of all listeners' rules. */
  readonly conditions: Conditions;
  readonly onRuleFailed: (listener: string, failed: FailedCondition) => void;
  /** Tells the control plane that a server could not be used. */
  readonly onFailure: (member: number) => void;
}

/** Whose session it is, as far as routing depends on it. */
export interface RoutedClient extends RuledClient {
  /** A proxy that was chosen for the session. */
  readonly proxy: string | undefined;
}

/** A worker's. */
export class ServerRouting {
  readonly #parts: ServerRoutingParts;
  readonly #members: ReadonlyMap<string, readonly Member[]>;
  readonly #loads: readonly ServerLoad[];
  readonly #routers = new Map<string, Router>();
  readonly #rules = new Map<string, BalancingRules>();
  /** Of sessions' copies. */
  readonly #inOrder: Router;
  /** Of listeners with one way: their sessions have nothing to remember, and share them. */
  readonly #only = new WeakMap<PooledRoute, SessionRouter>();
  readonly #watching = new PlacedList<NewsWatcher>();
  #lastTurn = 0;
  readonly #reportedMs = new Map<number, number>();
  readonly #epochs: number[];
  readonly #isChecked: boolean;
  readonly #asksLatency: boolean;
  readonly table: ServerTable;
  #newsTimer: Timer | undefined;
  #seen = 0;
  #looks = 0;

  constructor(parts: ServerRoutingParts) {
    const { snapshot: { clients, servers, serverTable }, clock, wallMs, random } = parts;
    this.#parts = parts;
    this.#members = membersOf(clients);
    const count = [...this.#members.values()].flat().length;
    this.table = new ServerTable(serverTable, count, clients.size);
    this.#loads = Array.from({ length: count }, () => new ServerLoad(clock));
    this.#epochs = Array.from({ length: count }, (_, member) => this.table.epoch(member));
    this.#isChecked = [...clients.values()].some(isChecked);
    this.#asksLatency = [...servers.values()].some(({ routing: { strategy } }) =>
      strategy === "LEAST_LATENCY"
    );
    const inOrder = makeStrategy("ORDERED", random);
    this.#inOrder = new Router(this.table, inOrder, inOrder, wallMs);
    for (const [name, { routing }] of servers) {
      const strategy = makeStrategy(routing.strategy, random);
      const isHashed = routing.strategy === "CONSISTENT_HASH";
      const sharing = isHashed ? "CONSISTENT_HASH" : "WEIGHTED_ROUND_ROBIN";
      const router = new Router(this.table, strategy, makeStrategy(sharing, random), wallMs);
      this.#routers.set(name, router);
      const rules = new BalancingRules(
        routing.rules,
        parts.conditions,
        (failed) => parts.onRuleFailed(name, failed),
      );
      this.#rules.set(name, rules);
    }
  }

  /** The servers of a configured client. */
  membersOf(client: string): readonly Member[] {
    return this.#members.get(client)!;
  }

  /** Where this worker counts its connections to a server. */
  counterOf({ index }: Member): ConnectionCounter | undefined {
    return this.table.connections.counter(this.#parts.snapshot.worker, index);
  }

  /** One that is likely to answer. */
  likeliest(client: string): Member {
    const members = this.membersOf(client);
    const isUp = ({ index }: Member) => this.table.health(index) !== HEALTH.down;
    return members.find(isUp) ?? members[0]!;
  }

  /** What this worker knows of a server. */
  loadOf({ index }: Pick<Member, "index">): ServerLoad {
    return this.#loads[index]!;
  }

  /** The same, where how long answers take is asked for. */
  latencyOf(member: Member): ServerLoad | undefined {
    return this.#asksLatency ? this.loadOf(member) : undefined;
  }

  /** What routing has to know of a server, by a proxy. */
  routeOf(proxy: string, member: Member): ServerRoute {
    const { weight } = this.#parts.snapshot.proxies.get(proxy)!;
    const { health } = this.#client(member).group;
    return {
      proxy,
      member,
      load: this.loadOf(member),
      weight,
      slowStartMs: health.slowStartMs,
      triesAll: health.panic === "try",
    };
  }

  /** One session's view of its listener's router. */
  sessionRouter(
    server: ServerConfig,
    routes: readonly PooledRoute[],
    client: RoutedClient,
  ): SessionRouter {
    const { strategy, key, per } = server.routing;
    const shares = this.#rules.get(client.listener)!.choose(client);
    const [only] = routes;
    const isOnly = routes.length === 1 && shares === undefined && client.proxy === undefined;
    const known = isOnly ? this.#only.get(only!) : undefined;
    if (known !== undefined) return known;
    // Where nobody finds out, who answered last is the best that is known.
    const isFixed = strategy === "ORDERED" &&
      !routes.some(({ member }) => isChecked(this.#client(member)));
    const router = new RoutedSession(this, {
      router: this.#routers.get(client.listener)!,
      routes,
      need: this.#needOfClient(server, routes, client.proxy),
      shares,
      key: strategy === "CONSISTENT_HASH" && !isOnly ? keyOf(key, client) : "",
      isPerSession: !isOnly && (isFixed || per === "session"),
    });
    if (isOnly) this.#only.set(only!, router);
    return router;
  }

  /** @param choice A proxy, or a role, that was chosen for the session. */
  #needOfClient(
    server: ServerConfig,
    routes: readonly PooledRoute[],
    choice: string | undefined,
  ): Need {
    const need = this.needOf(server);
    const role = roleChosen(choice);
    if (role !== undefined) return { ...need, role };
    // Where servers are tried in order, its servers are the first of them, and not the only ones.
    const isOnly = server.routing.strategy !== "ORDERED" &&
      routes.some(({ proxy }) => proxy === choice);
    return isOnly ? { ...need, proxy: choice } : need;
  }

  /**
   * The same for a copy of a session, which is no business of the listener's rules: all of it goes
   * to one server, the primary where roles are known.
   */
  mirrorRouter(routes: readonly PooledRoute[]): SessionRouter {
    const { health, patroni } = this.#client(routes[0]!.member).group;
    const areRolesKnown = routes.length > 1 && (health.check === "query" || patroni.length > 0);
    return new RoutedSession(this, {
      router: this.#inOrder,
      routes,
      need: areRolesKnown ? NEEDS.primary : ANY_NEED,
      shares: undefined,
      key: "",
      isPerSession: true,
    });
  }

  /** How the requests of a listener's sessions are told apart; undefined where all are alike. */
  rulesOf(
    listener: string,
    { routing, proxies }: ServerConfig,
    routes: readonly ServerRoute[],
    choice: string | undefined,
  ): RoutingRules | undefined {
    const isChoice = routes.length > 1 && routing.hints;
    if (!routing.readWriteSplit && !isChoice) return undefined;
    const { classifiers, marks } = this.#parts;
    const classifier = classifiers.get(listener);
    return {
      isSplit: routing.readWriteSplit,
      hints: routing.hints,
      role: NEEDS[routing.targetSessionAttrs].role,
      chosenRole: roleChosen(choice),
      causality: routing.readWriteSplit ? routing.causality : "off",
      proxies,
      marks,
      round: () => this.table.round,
      classify: classifier === undefined ? undefined : (text) => classifier.classify(text),
    };
  }

  /** What every server of a listener has to be. */
  needOf({ routing }: ServerConfig): Need {
    return NEEDS[routing.targetSessionAttrs];
  }

  /**
   * Routes of a client whose one connection is chosen once, the best first; those that are not what
   * is wanted are not among them.
   */
  relayOrder(
    server: ServerConfig,
    routes: readonly ServerRoute[],
    client: RoutedClient,
  ): readonly number[] {
    const { strategy, key: keyName } = server.routing;
    const router = this.#routers.get(client.listener)!;
    const shares = this.#rules.get(client.listener)!.choose(client);
    const key = strategy === "CONSISTENT_HASH" ? keyOf(keyName, client) : "";
    const need = this.needOf(server);
    const role = roleChosen(client.proxy) ?? need.role;
    const order = router.order(routes, { ...need, role }, shares, key);
    if (client.proxy === undefined) return order;
    return order.toSorted((a, b) =>
      Number(routes[b]!.proxy === client.proxy) - Number(routes[a]!.proxy === client.proxy)
    );
  }

  /** Whether a listener's route may still serve whom it was chosen for. */
  mayStay(listener: string, server: ServerConfig, route: ServerRoute): boolean {
    return this.#routers.get(listener)!.mayStay(route, this.needOf(server));
  }

  /** How long a client may be held for a server of a group. */
  holdMs(member: Member, acquireTimeoutMs: number): number {
    if (this.table.isPaused(member.group)) return acquireTimeoutMs;
    const client = this.#client(member);
    return isChecked(client) ? client.group.failoverTimeoutMs : 0;
  }

  /**
   * Calls `onEpoch` for each server whose connections are not to be used any more, now and then,
   * and then tells who has one of them.
   */
  watchEpochs(onEpoch: (member: number) => void): void {
    if (!this.#isChecked) return;
    this.#parts.clock.after(EPOCH_MS, () => {
      this.checkEpochs(onEpoch);
      this.watchEpochs(onEpoch);
    });
  }

  /** The same, once. */
  checkEpochs(onEpoch: (member: number) => void): void {
    for (const [member, seen] of this.#epochs.entries()) {
      const epoch = this.table.epoch(member);
      if (epoch === seen) continue;
      this.#epochs[member] = epoch;
      onEpoch(member);
      const isDown = this.table.health(member) === HEALTH.down;
      // They are told as those who use it now, not as those who get it next.
      for (const user of [...this.#loads[member]!.users.members]) user.onServerUnusable(isDown);
    }
  }

  #client({ client }: Member): ClientConfig {
    return this.#parts.snapshot.clients.get(client)!;
  }

  /** A server could not be reached. */
  onUnreachable(member: Member): void {
    this.loadOf(member).onUnreachable();
    this.#report(member.index);
  }

  /** A server may not be what it was taken for: it is asked. */
  onDoubt(member: Member): void {
    this.#report(member.index);
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  #report(member: number): void {
    const nowMs = this.#parts.clock.nowMs();
    this.table.countFailure(member);
    if (nowMs - (this.#reportedMs.get(member) ?? -REPORT_MS) < REPORT_MS) return;
    this.#reportedMs.set(member, nowMs);
    this.#parts.onFailure(member);
  }

  /** Tells somebody when something has changed. */
  watch(watcher: NewsWatcher): void {
    if (!this.#watching.has(watcher)) {
      watcher.turn = this.#lastTurn += 1;
      this.#watching.add(watcher);
    }
    if (this.#newsTimer === undefined) {
      this.#seen = this.table.changes;
      this.#looks = 0;
      this.#newsTimer = this.#look();
    }
  }

  /** It wants to know no more. */
  unwatch(watcher: NewsWatcher): void {
    this.#watching.delete(watcher);
  }

  #look(): Timer {
    return this.#parts.clock.after(NEWS_MS, () => {
      const { changes } = this.table;
      this.#looks += 1;
      if (changes !== this.#seen || this.#looks >= LOOKS_MAX) {
        if (changes !== this.#seen) { for (const load of this.#loads) load.clear(); }
        this.#seen = changes;
        this.#looks = 0;
        // First come, first served.
        const watchers = [...this.#watching.members].sort((a, b) => a.turn - b.turn);
        for (const watcher of watchers) watcher.onNews();
      }
      this.#newsTimer = this.#watching.size > 0 ? this.#look() : undefined;
    });
  }
}

/** Who belongs together: the value of what the configuration names. */
function keyOf(name: string, { address, parameters }: RoutedClient): string {
  const user = parameters.get("user") ?? "";
  switch (name) {
    case "client-address":
      return address.kind === "tcp" ? address.host : "unix";
    case "user":
      return user;
    case "database":
      return parameters.get("database") ?? user;
  }
  return parameters.get(name.slice("parameter:".length)) ?? "";
}

/** Whether anybody finds out what the servers of a group are. */
function isChecked({ group }: ClientConfig): boolean {
  return group.health.check !== "off" || group.patroni.length > 0;
}

/** What servers have to be, in our words. */
const NEEDS: Readonly<Record<TargetSessionAttrs, Need>> = {
  "any": ANY_NEED,
  "read-write": { ...ANY_NEED, role: "primary" },
  "primary": { ...ANY_NEED, role: "primary" },
  "read-only": { ...ANY_NEED, role: "replica" },
  "standby": { ...ANY_NEED, role: "replica" },
  "prefer-standby": { ...ANY_NEED, role: "prefer-replica" },
};
