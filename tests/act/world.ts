/**
 * Policies with everything around them: events of hooks, a clock, a log and counters to look at.
 *
 * @module
 */

import { Act } from "../../src/act/act.ts";
import {
  type ActionOptions,
  type ActOptions,
  policyLabels,
  type PolicyOptions,
} from "../../src/act/options.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { LateMap } from "../../src/base/late_collections.ts";
import { FIELD, HookEvent } from "../../src/hooks/event.ts";
import { HOOK, type HookName, HOOKS } from "../../src/hooks/hooks.ts";
import type { Signal } from "../../src/hooks/signal.ts";
import { FORWARD, type Verdict } from "../../src/hooks/verdict.ts";
import { actBuffer, ActCells, POLICY_CELL } from "../../src/observe/act_cells.ts";
import type { LogRecord } from "../../src/observe/log_record.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** An event of a session of user bob, with everything possible that its hook allows. */
export function eventOf(hook: HookName = "onQuery"): HookEvent {
  const event = new HookEvent();
  const fields = new Map([
    [FIELD.user, "bob"],
    [FIELD.database, "shop"],
    [FIELD.applicationName, "psql"],
    [FIELD.clientAddress, "192.0.2.1:50112"],
    [FIELD.listener, "default"],
  ]);
  event.clear(HOOK[hook], {
    number: 1,
    field: (field) => fields.has(field) ? utf8(fields.get(field)!) : undefined,
    parameter: () => undefined,
    values: new LateMap(),
  });
  event.flags = HOOKS[HOOK[hook] - 1]!.can;
  event.payload = utf8("SELECT 1");
  event.transactionStatus = 0x49;
  return event;
}

/** A policy for the signal `alarm`, but for what is said. */
export function policyOf(action: ActionOptions, said: Partial<PolicyOptions> = {}): PolicyOptions {
  const base = { name: action.kind, signal: "alarm", when: "true", stop: false };
  return { ...base, metadata: new Map(), action, ...said };
}

/** An action reject that says as little as possible. */
export const REJECT: ActionOptions = { kind: "reject", sqlState: "", message: "", hint: "" };

/** Policies of one worker. */
export class ActWorld {
  readonly act: Act;
  readonly clock = new FakeClock();
  readonly records: LogRecord[] = [];
  readonly cells: ActCells;
  readonly #names: readonly string[];

  constructor(
    policies: readonly PolicyOptions[] = [],
    said: Partial<ActOptions> & { fetch?: (url: string, init: RequestInit) => Promise<Response> } =
      {},
  ) {
    const { fetch = () => Promise.reject(new Error("no network")), ...others } = said;
    const options: ActOptions = {
      defaultPolicy: "passthrough",
      actionTimeoutMs: 5_000,
      policies,
      ...others,
    };
    this.#names = policyLabels(options).map(({ policy }) => policy);
    this.cells = new ActCells(this.#names.length, actBuffer(this.#names.length));
    this.act = new Act(options, {
      log: { write: (record) => void this.records.push(record) },
      epochMs: () => 1_700_000_000_000,
      cells: this.cells,
      fetch,
      clock: this.clock,
      random: () => 0.5,
    });
  }

  /** What becomes of `verdict` at an event that comes with signals of these names. */
  decide(
    signals: readonly (string | Signal)[],
    event: HookEvent = eventOf(),
    verdict: Verdict = FORWARD,
  ): Verdict {
    const all = signals.map((one) => typeof one === "string" ? { name: one, metadata: {} } : one);
    return this.act.decide("guard", all, event, verdict);
  }

  /** A cell of a policy. */
  count(policy: string, cell: Exclude<keyof typeof POLICY_CELL, "size">): number {
    return this.cells.policy(this.#names.indexOf(policy)).get(POLICY_CELL[cell]);
  }
}
