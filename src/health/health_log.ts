/**
 * What the watching of servers says in the log, and counts.
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import type { Log } from "../observe/log.ts";
import type { LogLevel } from "../observe/log_record.ts";
import type { HealthFact } from "../upstream/health/health_facts.ts";
import type { Lag } from "../upstream/health/position_history.ts";
import type { Member } from "../upstream/members.ts";
import { roleName } from "./server_words.ts";

/** Fields of a record. */
type Fields = Readonly<Record<string, string | number>>;

/** Writes what was found out. */
export class HealthLog {
  readonly #sink: Pick<Log, "write">;
  readonly #wallClockMs: () => number;

  constructor(sink: Pick<Log, "write">, wallClockMs: () => number) {
    this.#sink = sink;
    this.#wallClockMs = wallClockMs;
  }

  /** One thing that was found out about a server. */
  onFact(fact: HealthFact): void {
    const server = serverOf(fact.kind === "primary_changed" ? fact.to : fact.member);
    switch (fact.kind) {
      case "up":
        return this.#log("info", "server is up", server);
      case "down":
        return this.#log("error", "server is down", { ...server, ...reasonOf(fact) });
      case "check_failed":
        return this.#log("warn", "check of server failed", { ...server, ...reasonOf(fact) });
      case "role_changed": {
        const { from, to, timeline } = fact;
        const roles = { from: roleName(from), to: roleName(to), timeline };
        return this.#log("info", "server role changed", { ...server, ...roles });
      }
      case "primary_changed": {
        const { client, server: to } = server;
        const { timeline } = fact;
        const from = addressText(fact.from.address);
        return this.#log("warn", "primary changed", { client, from, to, timeline });
      }
      case "fenced": {
        const { timeline, newestTimeline } = fact;
        const primary = fact.primary === undefined ? "" : addressText(fact.primary.address);
        const known = { timeline, primary, newestTimeline };
        return this.#log("error", "server fenced", { ...server, ...known });
      }
      case "unfenced":
        return this.#log("info", "server no longer fenced", server);
      case "two_primaries": {
        const other = addressText(fact.other.address);
        const both = { other, timeline: fact.timeline };
        return this.#log("error", "two primaries on one timeline", { ...server, ...both });
      }
      case "lags":
        return this.#log("warn", "replica lags", { ...server, ...lagOf(fact.lag) });
      case "lags_no_more":
        return this.#log("info", "replica no longer lags", { ...server, ...lagOf(fact.lag) });
    }
  }

  /** An operator has asked for something. */
  onVerb(verb: string, member: Member): void {
    this.#log("info", "server set by operator", { ...serverOf(member), verb });
  }

  /** The same for all servers of a client. */
  onPause(client: string, isPaused: boolean): void {
    if (isPaused) this.#log("info", "client paused", { client });
    else this.#log("info", "client resumed", { client });
  }

  /** Patroni's leader is not among the client's addresses. @param address As Patroni names it. */
  onUnknownLeader(client: string, address: string): void {
    this.#log("error", "Patroni's leader is not configured", { client, leader: address });
  }

  /** No address of Patroni's has answered. @param heldMs How long what it said last still holds. */
  onPatroniSilent(client: string, error: string, heldMs: number): void {
    this.#log("error", "Patroni does not answer", { client, error, heldMs });
  }

  /** What it said last holds no more. */
  onPatroniForgotten(client: string): void {
    this.#log("error", "Patroni is silent for too long", { client });
  }

  onPatroniBack(client: string): void {
    this.#log("info", "Patroni answers again", { client });
  }

  /** @param output Its first lines. */
  onScriptFailed(client: string, error: string, output: string): void {
    this.#log("error", "failoverScript failed", { client, error, output });
  }

  onScriptDone(client: string, durationMs: number): void {
    this.#log("info", "failoverScript done", { client, durationMs });
  }

  #log(level: LogLevel, message: string, fields: Fields): void {
    this.#sink.write({ level, message, fields, timeMs: this.#wallClockMs() });
  }
}

function serverOf({ client, address }: Member) {
  return { client, server: addressText(address) };
}

function reasonOf({ failure, message }: { failure: string; message: string }) {
  return { reason: failure, error: message };
}

function lagOf({ ms, size }: Lag) {
  return { lagMs: Math.round(ms), lagSize: size };
}
