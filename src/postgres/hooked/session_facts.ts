/**
 * What plugins are told of a session.
 *
 * @module
 */

import { concat, textOf, utf8 } from "../../base/bytes.ts";
import { LateMap } from "../../base/late_collections.ts";
import { FIELD, type SessionFacts } from "../../hooks/event.ts";
import type { UpstreamPlace } from "../upstream.ts";
import { HEADER_SIZE } from "../wire/framer.ts";

/** Parameters that are remembered of one session; servers report about 15. */
const SETTINGS_MAX = 200;

/** Bytes of one of them. */
const SETTING_SIZE_MAX = 4_096;

/** Where a session has got to. */
export interface Placed {
  /** Undefined while it is nowhere. */
  readonly place: UpstreamPlace | undefined;
}

/** Whose session it is. */
interface Client {
  /** Its address as text. */
  readonly peer: string;
}

/** One session's facts. */
export class HookedFacts implements SessionFacts {
  readonly number: number;
  readonly values = new LateMap<string, Uint8Array>();
  /** `IS.tls` and `IS.pooled`: what a session is, whatever is asked of it. */
  flags = 0;
  readonly #listener: string;
  readonly #client: Client;
  #parameters: ReadonlyMap<string, string> = NO_PARAMETERS;
  /** Those that do not change, once they have been asked for. */
  readonly #fields = new LateMap<number, Uint8Array>();
  /** What the server reported. */
  #settings: Map<string, string> | undefined;
  /** Something of that may have been missed. */
  #hasMissed = false;
  #placed: Placed | undefined;

  constructor(number: number, listener: string, client: Client) {
    this.number = number;
    this.#listener = listener;
    this.#client = client;
  }

  /** What the client said, or what plugins have made of it. */
  onStartup(parameters: ReadonlyMap<string, string>): void {
    this.#parameters = parameters;
    this.#fields.clear();
  }

  /** Says whom to ask for the session's place from now on. */
  setPlace(placed: Placed): void {
    this.#placed = placed;
  }

  /** @param message A whole ParameterStatus. */
  onParameterStatus(message: Uint8Array): void {
    const nameEnd = message.indexOf(0, HEADER_SIZE);
    const valueEnd = message.indexOf(0, nameEnd + 1);
    if (this.#hasMissed || nameEnd < 0 || valueEnd < 0) return;
    const settings = this.#settings ??= new Map();
    const isKept = settings.size < SETTINGS_MAX && message.length <= SETTING_SIZE_MAX;
    if (!isKept) return this.onMissed(); // half of them would be a lie
    const name = textOf(message.subarray(HEADER_SIZE, nameEnd));
    settings.set(name, textOf(message.subarray(nameEnd + 1, valueEnd)));
  }

  /** Messages have passed that nobody looked at. */
  onMissed(): void {
    this.#hasMissed = true;
    this.#settings = undefined;
  }

  field(field: number): Uint8Array | undefined {
    switch (field) {
      case FIELD.settings:
        return this.#hasMissed ? undefined : encodeParameters(this.#settings ?? []);
      case FIELD.applicationName:
        return optional(this.parameter("application_name"));
      case FIELD.proxy:
        return optional(this.#placed?.place?.proxy);
      case FIELD.serverAddress:
        return optional(this.#placed?.place?.server);
    }
    const known = this.#fields.get(field);
    if (known !== undefined) return known;
    const made = this.#make(field);
    if (made !== undefined) this.#fields.set(field, made);
    return made;
  }

  #make(field: number): Uint8Array | undefined {
    const user = this.#parameters.get("user");
    switch (field) {
      case FIELD.listener:
        return utf8(this.#listener);
      case FIELD.clientAddress:
        return utf8(this.#client.peer);
      case FIELD.user:
        return optional(user);
      case FIELD.database:
        return optional(this.#parameters.get("database") ?? user);
      case FIELD.startupParameters:
        return encodeParameters(this.#parameters);
    }
    return undefined;
  }

  parameter(name: string): string | undefined {
    return this.#settings?.get(name) ?? this.#parameters.get(name);
  }
}

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

function optional(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : utf8(text);
}

/** Name and value in turn, each ended by a zero byte. */
export function encodeParameters(parameters: Iterable<readonly [string, string]>): Uint8Array {
  return concat(...[...parameters].map(([name, value]) => utf8(`${name}\0${value}\0`)));
}

/** @returns What {@linkcode encodeParameters} was made from, or undefined if it is malformed. */
export function decodeParameters(bytes: Uint8Array): Map<string, string> | undefined {
  const parameters = new Map<string, string>();
  if (bytes.length > 0 && bytes.at(-1) !== 0) return undefined;
  const texts = textOf(bytes).split("\0").slice(0, -1);
  if (texts.length % 2 !== 0) return undefined;
  for (let i = 0; i < texts.length; i += 2) parameters.set(texts[i]!, texts[i + 1]!);
  return parameters;
}
