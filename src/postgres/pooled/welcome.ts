/**
 * The end of a client's login: what its StartupMessage asks for is tried on a server, unless a
 * server has accepted the same before, and the client is told what a server would tell it.
 *
 * @module
 */

import { ROLE_SETTING } from "../routing/routing_hint.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Socket } from "../../net/socket.ts";
import type { CancelKey } from "../cancel.ts";
import * as reply from "../error_reply.ts";
import { RECENT_STARTUP_SIZE_MAX } from "../recent_startups.ts";
import { ProtocolError } from "../wire/errors.ts";
import { nameBytes, nameOf } from "../wire/extended_messages.ts";
import { backendKeyData, readyForQuery } from "../wire/messages.ts";
import type { StartupMessage } from "../wire/startup_packet.ts";
import type { Backend } from "./backend.ts";
import { STATUS_IDLE } from "../wire/tags.ts";
import { APPLICATION_NAME, Greetings } from "./greeting.ts";
import type { OwnResult } from "./own_queries.ts";
import type { PairState } from "./pair_state.ts";
import { setStatement } from "./parameter_statements.ts";
import { PARAMETERS_MAX } from "./parameters.ts";
import type { SessionParameters } from "./parameters.ts";
import { startupSettings } from "./startup_settings.ts";

/** What PostgreSQL keeps as it is: pg_clean_ascii() replaces other characters, NAMEDATALEN cuts. */
const CLEAN_NAME = /^[\x20-\x7e]{0,63}$/;

/** The session that is welcomed. */
export interface Guest {
  readonly client: Socket;
  readonly parameters: SessionParameters;
  readonly backend: Backend | undefined;
  readonly pair: PairState;
  acquire(then: () => void): void;
  readonly isOver: boolean;
  cannotFollow(backend: Backend, error: ReadonlyMap<string, string>): void;
  /** The server does not take what the client asks for. */
  refuse(error: ReadonlyMap<string, string>): void;
  issueCancelKey(): CancelKey;
}

/** What a welcome depends on besides. */
export interface WelcomeOptions {
  /** A walsender's session. */
  readonly isReplicating: boolean;
  /** What in_hot_standby is, whichever server was asked; undefined is what that one says. */
  readonly hotStandby: "on" | "off" | undefined;
  /** The client says at its start which role its servers are to have. */
  readonly onRole: (role: string) => void;
  readonly onDone: () => void;
}

const READY = readyForQuery(STATUS_IDLE);

/** One client's welcome. */
export class Welcome {
  readonly #guest: Guest;
  readonly #options: WelcomeOptions;
  readonly #asked: Asked;

  /** @throws {ProtocolError} If the StartupMessage's `options` cannot be understood. */
  constructor(guest: Guest, startup: StartupMessage, options: WelcomeOptions) {
    this.#guest = guest;
    this.#options = options;
    // A walsender was told all at its own start, and may take no SQL.
    this.#asked = options.isReplicating ? NOTHING_ASKED : askedBy(startup);
  }

  get #settings(): ReadonlyMap<string, string> {
    return this.#asked.settings;
  }

  start(): void {
    const role = this.#settings.get(ROLE_SETTING);
    if (role !== undefined) this.#options.onRole(role);
    const accepted = this.#guest.pair.accepted(this.#settings);
    if (accepted !== undefined) return this.#admit(accepted);
    this.#guest.acquire(() => this.#ask());
    if (this.#guest.backend !== undefined) this.#ask();
  }

  #ask(): void {
    const backend = this.#guest.backend!;
    const { parameters } = this.#guest;
    // Not told before it is welcome: what servers report is gathered.
    for (const [name, value] of backend.reported) parameters.gather(name, value);
    // What another session left set is not what this one asked for.
    for (const text of backend.parameters.follow(parameters)) {
      backend.run(text, ({ error }) => {
        if (error !== undefined) this.#guest.cannotFollow(backend, error);
      });
    }
    const sets = [...this.#settings];
    if (sets.length === 0 && backend.isQuiet) return this.#accept(new Map());
    const isStandard = backend.parameters.get("standard_conforming_strings") === "on";
    const text = nameBytes(sets.length === 0 ? "" : setStatement(sets, isStandard));
    backend.run(text, (result) => this.#onAnswer(backend, sets, result));
  }

  #onAnswer(backend: Backend, sets: [string, string][], { rows, error }: OwnResult): void {
    const { isOver } = this.#guest;
    // One statement sets all or nothing, so that the server is as it was.
    if (error !== undefined) return isOver ? undefined : this.#guest.refuse(error);
    const row = rows[0] ?? [];
    const settings = new Map<string, string>();
    sets.forEach(([name, value], i) => {
      const canonical = row[i] === undefined ? value : nameOf(row[i]);
      settings.set(name, canonical);
      backend.parameters.change(name, canonical); // the next session's, too, if this one has left
    });
    if (!isOver) this.#accept(settings);
  }

  #accept(settings: ReadonlyMap<string, string>): void {
    const { pair, parameters } = this.#guest;
    const greetings = new Greetings(settings, new Map(parameters.told));
    pair.accept(this.#settings, greetings);
    this.#admit(greetings);
  }

  #admit(greetings: Greetings): void {
    const { client, parameters } = this.#guest;
    const { hotStandby, onDone } = this.#options;
    const greeting = greetings.of({ applicationName: this.#asked.applicationName, hotStandby });
    parameters.begin(greeting.defaults, greeting.told);
    client.write(greeting.statuses);
    const { processId, key } = this.#guest.issueCancelKey();
    client.write(backendKeyData(processId, key));
    client.write(READY);
    onDone();
  }
}

/** What a StartupMessage asks for. */
interface Asked {
  /** A name that needs no server's opinion. */
  readonly applicationName: string | undefined;
  /** All but that. */
  readonly settings: ReadonlyMap<string, string>;
}

const NOTHING_ASKED: Asked = { applicationName: undefined, settings: new Map() };

/** Messages of which it is remembered what they ask for: see `RecentStartups`. */
const RECENT_MAX = 32;

/** The one that was noted first goes first. */
const RECENT = new Map<StartupMessage, Asked>();

function askedBy(startup: StartupMessage): Asked {
  const recent = RECENT.get(startup);
  if (recent !== undefined) return recent;
  const asked = readAsked(startup);
  if (startup.packet.length > RECENT_STARTUP_SIZE_MAX) return asked; // comes once
  if (RECENT.size >= RECENT_MAX) RECENT.delete(RECENT.keys().next().value!);
  RECENT.set(startup, asked);
  return asked;
}

function readAsked(startup: StartupMessage): Asked {
  const settings = settingsOf(startup);
  const name = settings.get(APPLICATION_NAME);
  if (name === undefined || !CLEAN_NAME.test(name)) return { applicationName: undefined, settings };
  settings.delete(APPLICATION_NAME);
  return { applicationName: name, settings };
}

/** Values as bytes: the packet was decoded as UTF-8, which most of them are. */
function settingsOf(startup: StartupMessage): Map<string, string> {
  let settings: Map<string, string>;
  try {
    settings = startupSettings(startup.parameters);
  } catch (error) {
    if (error instanceof RangeError) throw new ProtocolError(error.message, "0A000");
    throw error;
  }
  if (settings.size > PARAMETERS_MAX) {
    const rule = `at most ${PARAMETERS_MAX} parameters may be set`;
    throw new ProtocolError(`invalid startup packet: ${rule}`, reply.TOO_MANY_PARAMETERS);
  }
  for (const [name, value] of settings) settings.set(name, nameOf(utf8(value)));
  return settings;
}
