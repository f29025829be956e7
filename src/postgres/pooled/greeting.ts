/**
 * What a client is told when it is welcome, and begins with. Clients that ask for the same are
 * told the same, so it is made once, and sessions share it.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import { parameterStatusOf, type SessionDefaults, textOfAll } from "./parameters.ts";

/** The parameter that most clients differ in. */
export const APPLICATION_NAME = "application_name";

/** Reported by PostgreSQL 14 and newer. */
const HOT_STANDBY = "in_hot_standby";

/** Greetings that are kept of one set of startup parameters: most of its clients have one name. */
const GREETINGS_MAX = 8;

/** What the gateway says, whatever servers do. */
interface OwnWord {
  /** An `application_name` that needs no server's opinion. */
  readonly applicationName: string | undefined;
  /** What in_hot_standby is, whichever server was asked; undefined is what that one says. */
  readonly hotStandby: "on" | "off" | undefined;
}

/** One greeting. */
interface Greeting extends OwnWord {
  readonly defaults: SessionDefaults;
  /** Under the names that servers give them, in their order. */
  readonly told: ReadonlyMap<string, string>;
  /** ParameterStatus for each. */
  readonly statuses: Uint8Array;
}

/** Those of clients whose startup parameters are the same, but for their names. */
export class Greetings {
  readonly #settings: ReadonlyMap<string, string>;
  readonly #reported: ReadonlyMap<string, string>;
  readonly #made: Greeting[] = [];

  /**
   * @param settings What servers made of the startup parameters, by lower-case name.
   * @param reported What a server with these settings reports, under its own names, in its order.
   */
  constructor(settings: ReadonlyMap<string, string>, reported: ReadonlyMap<string, string>) {
    this.#settings = settings;
    this.#reported = reported;
  }

  /** The greeting of a client of this name. */
  of(word: OwnWord): Greeting {
    const { applicationName, hotStandby } = word;
    for (const made of this.#made) {
      if (made.applicationName === applicationName && made.hotStandby === hotStandby) return made;
    }
    const greeting = this.#make(word);
    if (this.#made.length >= GREETINGS_MAX) this.#made.shift();
    this.#made.push(greeting);
    return greeting;
  }

  #make({ applicationName, hotStandby }: OwnWord): Greeting {
    const values = new Map(this.#settings);
    const told = new Map(this.#reported);
    // libpq's target_session_attrs goes by it.
    if (hotStandby !== undefined && told.has(HOT_STANDBY)) told.set(HOT_STANDBY, hotStandby);
    if (applicationName !== undefined) {
      values.set(APPLICATION_NAME, applicationName);
      told.set(APPLICATION_NAME, applicationName);
    }
    const statuses = concat(...[...told].map(([name, value]) => parameterStatusOf(name, value)));
    const defaults = { values, text: textOfAll(values) };
    return { applicationName, hotStandby, defaults, told, statuses };
  }
}
