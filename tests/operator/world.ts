/**
 * A group of servers whose workers and health checks are played by the test.
 *
 * @module
 */

import type { Address } from "../../src/base/address.ts";
import type { VerbName, VerbRequest } from "../../src/admin/operator_verbs.ts";
import { Operator, type ServerControl } from "../../src/operator/operator.ts";
import type { PrimaryChange, Promote } from "../../src/operator/promotion.ts";
import type { ConnectionCounter } from "../../src/upstream/connection_table.ts";
import { type Member, membersOf } from "../../src/upstream/members.ts";
import {
  FLAG,
  HEALTH,
  ROLE,
  type ServerFacts,
  serverTableFor,
} from "../../src/upstream/server_table.ts";
import { FakeClock } from "../support/fake_clock.ts";

const UNKNOWN: ServerFacts = {
  role: ROLE.unknown,
  health: HEALTH.unknown,
  flags: 0,
  timeline: 1,
  upSinceMs: 0,
  lagMs: 0,
  lagSize: 0,
  position: 0,
};

/** An address of TCP. */
export function tcp(host: string, port = 5432): Address {
  return { kind: "tcp", host, port };
}

const CLIENTS = new Map([
  ["main", { address: tcp("a"), others: [tcp("b"), tcp("c")] }],
  ["other", { address: tcp("d"), others: [] }],
]);

/** The client "main" with the servers a, b and c, and the client "other" with one. */
export class OperatorWorld {
  readonly clock = new FakeClock();
  readonly members = membersOf(CLIENTS);
  readonly table = serverTableFor(CLIENTS, 2);
  /** What the operator wants of each server. */
  readonly #wanted = new Map<Member, number>();
  /** What was logged: levels and messages. */
  readonly log: string[] = [];
  /** Changes of the primary that were asked for. */
  readonly changes: PrimaryChange[] = [];
  /** What a promotion does; undefined where there is none. */
  promote: Promote | undefined = () => Promise.resolve();
  failoverTimeoutMs = 10_000;
  readonly operator: Operator;

  constructor() {
    const { members, table } = this;
    this.operator = new Operator({
      members,
      table,
      connections: table.connections,
      servers: this.#servers(),
      clock: this.clock,
      promotionOf: () => {
        const { promote } = this;
        if (promote === undefined) return undefined;
        return (change) => {
          this.changes.push(change);
          return promote(change);
        };
      },
      failoverTimeoutMsOf: () => this.failoverTimeoutMs,
      log: (level, message, { verb, client }) =>
        void this.log.push(`${level}: ${message}: ${verb} ${client}`),
    });
  }

  /** A server by its host. */
  member(host: string): Member {
    const all = [...this.members.values()].flat();
    return all.find(({ address }) => address.kind === "tcp" && address.host === host)!;
  }

  /** As health checks do: with what operators want merged into the flags. */
  found(host: string, facts: Partial<ServerFacts>): void {
    const member = this.member(host);
    const all = { ...UNKNOWN, health: HEALTH.up, ...facts };
    this.table.set(member.index, { ...all, flags: all.flags | (this.#wanted.get(member) ?? 0) });
  }

  /** Where worker 1 counts its connections to a server. */
  counter(host: string): ConnectionCounter {
    return this.table.connections.counter(1, this.member(host).index)!;
  }

  get isPaused(): boolean {
    return this.table.isPaused(this.members.get("main")![0]!.group);
  }

  /** Has the operator carry out a verb on "main", and says how it ended, if it has. */
  run(verb: VerbName, request: Partial<VerbRequest> = {}): { readonly outcome: string } {
    const result = { outcome: "" };
    this.operator.run(verb, { client: "main", server: "", waitMs: 1_000, ...request }).then(
      (message) => result.outcome = message,
      (error) => result.outcome = `${error.failure ?? error.name}: ${error.message}`,
    );
    return result;
  }

  /** Moves time, and lets promises run. */
  async pass(ms: number): Promise<void> {
    await this.clock.pass(ms, () => new Promise((resolve) => setTimeout(resolve)));
  }

  #servers(): ServerControl {
    const pause = (client: string, isPaused: boolean) =>
      this.table.setPaused(this.members.get(client)![0]!.group, isPaused);
    const want = (name: string, flag: number) => {
      const member = [...this.members.values()].flat().find((one) => one.name === name)!;
      this.#wanted.set(member, flag);
      const { index } = member;
      const { table } = this;
      const others = table.flags(index) & ~(FLAG.disabled | FLAG.draining);
      const [role, health] = [table.role(index), table.health(index)];
      table.set(index, { ...UNKNOWN, role, health, flags: others | flag });
    };
    return {
      pause: (client) => pause(client, true),
      resume: (client) => pause(client, false),
      disable: (name) => want(name, FLAG.disabled),
      drain: (name) => want(name, FLAG.draining),
      enable: (name) => want(name, 0),
    };
  }
}
