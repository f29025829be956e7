/**
 * One client of a soak: it does one thing after the other, chosen by chance, and knows of every
 * answer what it has to be. Each query carries the client's number, so that an answer that was
 * meant for somebody else is noticed.
 *
 * @module
 */

import { errorFields } from "./messages.ts";
import {
  type ClientTarget,
  ConnectionEnd,
  LogInRefused,
  type Message,
  ProtocolClient,
  rowsOf,
} from "./protocol_client.ts";
import type { Random } from "./random.ts";
import { pause, within } from "./wait.ts";

/** Longest that anything may take, also a place in the queue of a busy gateway. */
const ACTION_TIMEOUT_MS = 60_000;

/** After a lost connection, so that a server that starts is not flooded. */
const RECONNECT_PAUSE_MS = 100;

/** Violations kept: the first ones say enough. */
const VIOLATIONS_MAX = 10;

/**
 * What a client may be told when its server, or the database, was ended under it: class 08,
 * 57P01 to 57P03, and while a server starts 53300, the queue is full then.
 */
const DISTURBED = /^(08...|57P0[1-3]|53300)$/;

/** The cluster's time zones that clients choose from. */
const TIME_ZONES = ["UTC", "Asia/Tokyo", "America/Lima", "Africa/Cairo"] as const;

/** An answer that was not the right one. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** The connection was lost for a reason that the soak has brought about itself. */
export class Disturbed extends Error {
  override readonly name = "Disturbed";
}

/** What all clients of a soak share. */
export class SoakState {
  /** True once clients must come to their end. */
  isStopping = false;
  /** How often each action was done to its end. */
  readonly done = new Map<string, number>();
  /** How often each kind of disturbance was met. */
  readonly disturbances = new Map<string, number>();
  readonly violations: string[] = [];
  /** Rows whose commit was confirmed. */
  committed = 0;
  /** Rows whose commit was asked for. */
  attempted = 0;

  /** Writes down what went wrong, and stops everything. */
  violate(client: number, text: string): void {
    this.isStopping = true;
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(`client ${client}: ${text}`);
  }
}

/** Something that a client does. */
export interface SoakAction {
  /** How often it is chosen, relative to the others. */
  readonly weight: number;
  /** True if it has transaction blocks. */
  readonly hasTransactions: boolean;
  run(client: SoakClient): Promise<void>;
}

/** One client, with one connection after the other. */
export class SoakClient {
  /** Its number, which its queries carry. */
  readonly id: number;
  readonly random: Random;
  readonly state: SoakState;
  readonly #target: ClientTarget;
  readonly #pauseMsMax: number;
  #connection: ProtocolClient | undefined;
  #sequence = 0;
  /** What it has set on this connection, and must find again. */
  #timeZone = "";
  #applicationName = "";
  /** Statements that it has prepared on this connection. */
  readonly prepared = new Set<string>();

  /** @param pauseMsMax Longest pause between two actions. */
  constructor(
    id: number,
    target: ClientTarget,
    random: Random,
    state: SoakState,
    pauseMsMax: number,
  ) {
    this.id = id;
    this.random = random;
    this.state = state;
    this.#target = target;
    this.#pauseMsMax = pauseMsMax;
  }

  /** The open connection. */
  get connection(): ProtocolClient {
    if (this.#connection === undefined) throw new Disturbed("not connected");
    return this.#connection;
  }

  /** Where to connect. */
  get target(): ClientTarget {
    return this.#target;
  }

  /** A new number, so that no two queries are the same. */
  next(): number {
    return ++this.#sequence;
  }

  /** Does things until the state says to stop; the first wrong answer stops all clients. */
  async run(actions: readonly (readonly [string, SoakAction])[]): Promise<void> {
    const weighted = actions.flatMap((entry) =>
      Array.from({ length: entry[1].weight }, () => entry)
    );
    while (!this.state.isStopping) {
      const [name, action] = this.random.pick(weighted);
      try {
        await within(ACTION_TIMEOUT_MS, name, this.#act(action));
        this.state.done.set(name, (this.state.done.get(name) ?? 0) + 1);
      } catch (error) {
        await this.#onError(name, error);
      }
      await pause(this.random.below(this.#pauseMsMax + 1));
    }
    this.leave();
  }

  /** Closes the connection at once; the next action opens another. */
  leave(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Says goodbye; the next action opens another connection. */
  async sayGoodbye(): Promise<void> {
    const connection = this.connection;
    this.#connection = undefined;
    await connection.end();
  }

  /** Asks, and fails unless the answer is exactly these rows. */
  async ask(text: string, rows: readonly (readonly (string | null)[])[]): Promise<void> {
    this.check(await this.connection.query(text), rows, text);
  }

  /** Fails unless `messages` hold exactly these rows and no error. */
  check(
    messages: readonly Message[],
    rows: readonly (readonly (string | null)[])[],
    what: string,
  ): void {
    this.checkErrors(messages, [], what);
    const found = JSON.stringify(rowsOf(messages));
    const expected = JSON.stringify(rows);
    if (found !== expected) {
      throw new Violation(`${what}: expected ${shortened(expected)}, got ${shortened(found)}`);
    }
  }

  /** Fails unless the errors in `messages` are those of `expected`, in order. */
  checkErrors(messages: readonly Message[], expected: readonly string[], what: string): void {
    const errors = messages.filter(({ tag }) => tag === "E").map(({ bytes }) => errorFields(bytes));
    const codes = errors.map((fields) => fields.get("C") ?? "");
    const disturbance = codes.find((code) => DISTURBED.test(code) && !expected.includes(code));
    if (disturbance !== undefined) throw new Disturbed(disturbance);
    if (codes.join() === expected.join()) return;
    const text = errors.map((fields) => `${fields.get("C")} ${fields.get("M")}`).join("; ");
    throw new Violation(`${what}: expected errors [${expected.join()}], got [${text}]`);
  }

  /** Sets parameters that must follow this client, whichever server it gets. */
  async setParameters(): Promise<void> {
    const timeZone = this.random.pick(TIME_ZONES);
    const name = `soak ${this.id}/${this.next()}`;
    await this.ask(`set timezone = '${timeZone}'`, []);
    this.#timeZone = timeZone;
    await this.ask(`set application_name = '${name}'`, []);
    this.#applicationName = name;
  }

  /** Fails if the parameters are not the client's own. */
  async checkParameters(): Promise<void> {
    await this.ask(
      `select ${this.id}, current_setting('TimeZone'), current_setting('application_name')`,
      [[String(this.id), this.#timeZone, this.#applicationName]],
    );
  }

  async #act(action: SoakAction): Promise<void> {
    if (this.#connection === undefined || !this.#connection.isOpen) await this.#connect();
    await action.run(this);
  }

  async #connect(): Promise<void> {
    this.leave();
    this.#applicationName = `soak ${this.id}`;
    this.#timeZone = this.random.pick(TIME_ZONES);
    this.prepared.clear();
    const parameters = {
      "application_name": this.#applicationName,
      "TimeZone": this.#timeZone,
    };
    this.#connection = await ProtocolClient.logIn(this.#target, { parameters });
  }

  async #onError(action: string, error: unknown): Promise<void> {
    this.leave();
    const disturbance = disturbanceOf(error);
    if (disturbance === undefined) {
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.state.violate(this.id, `${action}: ${text}`);
      return;
    }
    const { disturbances } = this.state;
    disturbances.set(disturbance, (disturbances.get(disturbance) ?? 0) + 1);
    await pause(this.random.below(RECONNECT_PAUSE_MS));
  }
}

/** A word for what the soak has brought about; undefined for what must not happen. */
function disturbanceOf(error: unknown): string | undefined {
  if (error instanceof Disturbed) return error.message;
  if (error instanceof LogInRefused) return DISTURBED.test(error.code) ? error.code : undefined;
  if (error instanceof ConnectionEnd) {
    const last = error.messages.findLast(({ tag }) => tag === "E");
    const code = last === undefined ? "closed" : errorFields(last.bytes).get("C") ?? "";
    return code === "closed" || DISTURBED.test(code) ? code : undefined;
  }
  return error instanceof Deno.errors.ConnectionReset ? "reset" : undefined;
}

function shortened(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}... (${text.length})` : text;
}
