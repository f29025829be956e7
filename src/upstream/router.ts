/**
 * Which servers could serve what comes next, best first: role, health, lag and an operator's will
 * say who could, and the listener's strategy says in which order. It knows no protocol and opens
 * nothing.
 *
 * @module
 */

import type { Candidate, Strategy } from "./balancer/strategy.ts";
import type { Member } from "./members.ts";
import type { ServerLoad } from "./server_loads.ts";
import { FLAG, HEALTH, KEEPS_AWAY, ROLE, type ServerTable } from "./server_table.ts";

/** What a server has to be. `prefer-replica` takes the primary where no replica can serve. */
export type WantedRole = "any" | "primary" | "replica" | "prefer-replica";

/** What is asked of a server. */
export interface Need {
  readonly role: WantedRole;
  /** Only servers of this proxy; undefined is any. */
  readonly proxy: string | undefined;
  /** A replica must have replayed what was written in this round, and before; -1 is nothing. */
  readonly writtenRound: number;
}

/** Anybody will do. */
export const ANY_NEED: Need = { role: "any", proxy: undefined, writtenRound: -1 };

/** What a plugin may route to in place of a proxy, in the words of hints. */
const ROLE_CHOICES: ReadonlyMap<string, WantedRole> = new Map([
  ["role=primary", "primary"],
  ["role=replica", "prefer-replica"],
]);

/** The role that a choice names; undefined if it is the name of a proxy. */
export function roleChosen(choice: string | undefined): WantedRole | undefined {
  return choice === undefined ? undefined : ROLE_CHOICES.get(choice);
}

/** A way to one server, through one proxy. */
export interface ServerRoute {
  readonly proxy: string;
  readonly member: Member;
  readonly load: ServerLoad;
  readonly weight: number;
  /** How long a server that came up gets less than its share, in milliseconds. */
  readonly slowStartMs: number;
  /** Whether all servers of its group are tried when none is healthy. */
  readonly triesAll: boolean;
}

/** Which proxies serve a session, with weights in place of their own. */
export type Shares = ReadonlyMap<string, number>;

/** A server that came back begins with this part of its weight. */
const SLOW_START_MIN = 0.1;

/** One listener's choice of servers, in one worker. */
export class Router {
  readonly #table: ServerTable;
  readonly #strategy: Strategy;
  readonly #shareStrategy: Strategy;
  readonly #wallMs: () => number;

  /**
   * @param shareStrategy Chooses among proxies that each have a share, and looks at weights.
   * @param wallMs Milliseconds since 1970.
   */
  constructor(
    table: ServerTable,
    strategy: Strategy,
    shareStrategy: Strategy,
    wallMs: () => number,
  ) {
    this.#table = table;
    this.#strategy = strategy;
    this.#shareStrategy = shareStrategy;
    this.#wallMs = wallMs;
  }

  /**
   * Orders the routes that could serve now.
   *
   * @param shares Undefined: every proxy.
   * @param key Who belongs together, for consistent hashing.
   * @returns Indexes of `routes`, the best first; none while nobody can serve.
   */
  order(
    routes: readonly ServerRoute[],
    need: Need,
    shares: Shares | undefined,
    key: string,
  ): readonly number[] {
    const wanted = this.#thoseOf(routes, need, shares);
    const first = need.role === "prefer-replica" ? "replica" : need.role;
    const best = this.#usable(routes, wanted, first, need);
    if (best.length > 0 || need.role !== "prefer-replica") {
      return this.#sorted(routes, best, shares, key);
    }
    return this.#sorted(routes, this.#usable(routes, wanted, "primary", need), shares, key);
  }

  /**
   * Routes that could serve in place of one that is kept, should it not be reached. The strategy is
   * not asked: no turn counts for what is not used.
   */
  others(
    routes: readonly ServerRoute[],
    kept: number,
    need: Need,
    shares: Shares | undefined,
  ): readonly number[] {
    return this.#thoseOf(routes, need, shares).filter((index) =>
      index !== kept && !routes[index]!.load.isSuspect && this.isUsable(routes[index]!, need)
    );
  }

  /** Whether a server may serve a need that it was chosen for before. */
  isUsable(route: ServerRoute, need: Need): boolean {
    const role = need.role === "prefer-replica" ? "any" : need.role;
    return this.#mayServe(route.member, role, need) &&
      this.#table.health(route.member.index) !== HEALTH.down;
  }

  /**
   * Whether a session may keep a connection that it has, when those who are free are closed: unless
   * the server is not what the session needs any more. An operator's will is about new work only.
   */
  mayStay({ member: { index } }: ServerRoute, { role }: Need): boolean {
    if ((this.#table.flags(index) & FLAG.fenced) !== 0) return false;
    const is = this.#table.role(index);
    if (role === "primary") return is === ROLE.primary;
    return role !== "replica" || is !== ROLE.primary;
  }

  #thoseOf(routes: readonly ServerRoute[], { proxy }: Need, shares: Shares | undefined): number[] {
    const wanted: number[] = [];
    for (const [index, route] of routes.entries()) {
      if (proxy !== undefined ? route.proxy === proxy : shares?.has(route.proxy) ?? true) {
        wanted.push(index);
      }
    }
    return wanted;
  }

  #usable(
    routes: readonly ServerRoute[],
    wanted: readonly number[],
    role: "any" | "primary" | "replica",
    need: Need,
  ): readonly number[] {
    const able = wanted.filter((index) => this.#mayServe(routes[index]!.member, role, need));
    const healthy = able.filter((index) =>
      this.#table.health(routes[index]!.member.index) !== HEALTH.down
    );
    if (healthy.length > 0) {
      const trusted = healthy.filter((index) => !routes[index]!.load.isSuspect);
      if (trusted.length > 0) return trusted;
      // Of those that are checked, more is going to be known soon; the others are tried again.
      return healthy.filter((index) =>
        this.#table.health(routes[index]!.member.index) === HEALTH.unknown
      );
    }
    // When all of a group seem to be down, it may be the checks that are.
    return able.filter((index) =>
      routes[index]!.triesAll && !routes[index]!.load.isSuspect &&
      this.#isGroupDown(routes, routes[index]!.member.group)
    );
  }

  #mayServe({ index, group }: Member, role: "any" | "primary" | "replica", need: Need): boolean {
    const flags = this.#table.flags(index);
    if ((flags & KEEPS_AWAY) !== 0 || this.#table.isPaused(group)) return false;
    const is = this.#table.role(index);
    if (role === "primary") return is === ROLE.primary;
    if (is === ROLE.primary) return role === "any";
    if (role === "replica" && is !== ROLE.replica) return false;
    if ((flags & FLAG.lagging) !== 0) return false;
    return need.writtenRound < 0 || this.#table.caughtUpRound(index) > need.writtenRound;
  }

  #isGroupDown(routes: readonly ServerRoute[], group: number): boolean {
    return routes.every(({ member }) =>
      member.group !== group || this.#table.health(member.index) === HEALTH.down
    );
  }

  #sorted(
    routes: readonly ServerRoute[],
    usable: readonly number[],
    shares: Shares | undefined,
    key: string,
  ): readonly number[] {
    if (usable.length < 2) return usable;
    if (shares !== undefined && shares.size > 1) return this.#shared(routes, usable, shares, key);
    const candidates = usable.map((index) => this.#candidate(routes[index]!));
    return this.#strategy.order(candidates, key).map((at) => usable[at]!);
  }

  /** First one proxy by the shares, then its servers by the strategy; the others stand by. */
  #shared(
    routes: readonly ServerRoute[],
    usable: readonly number[],
    shares: Shares,
    key: string,
  ): readonly number[] {
    const byProxy = Map.groupBy(usable, (index) => routes[index]!.proxy);
    const proxies = [...byProxy.keys()];
    const candidates = proxies.map((name): Candidate => ({
      name,
      weight: shares.get(name) ?? 0,
      connections: 0,
      latencyMs: 0,
    }));
    const [first, ...others] = this.#shareStrategy.order(candidates, key).map((at) => proxies[at]!);
    const best = this.#sorted(routes, byProxy.get(first!)!, undefined, key);
    return [...best, ...others.flatMap((name) => byProxy.get(name)!)];
  }

  #candidate(route: ServerRoute): Candidate {
    const { member: { name, index }, load, slowStartMs } = route;
    let { weight } = route;
    if (slowStartMs > 0) {
      const upMs = this.#wallMs() - this.#table.upSinceMs(index);
      weight *= Math.min(1, Math.max(SLOW_START_MIN, upMs / slowStartMs));
    }
    const { connections, latencyMs } = load;
    return { name: `${route.proxy}/${name}`, weight, connections, latencyMs };
  }
}
