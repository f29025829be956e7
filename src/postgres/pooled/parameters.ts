/**
 * Session parameters that follow a client from server to server. A session knows what its client
 * wants and has been told; a server connection knows what is set on it. Before a server works for
 * a session, the difference is sent and answered ahead of the client's first message:
 *
 *     session wants:   TimeZone=UTC, work_mem=64MB       server has:  TimeZone=UTC, search_path=x
 *     sent ahead:      RESET search_path; SELECT set_config('work_mem', '64MB', false)
 *
 * Values are kept as the bytes they are, one character a byte: what they mean depends on the
 * client's encoding, which is a parameter itself.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import { LateMap } from "../../base/late_collections.ts";
import { LentMap } from "../../base/lent_map.ts";
import { ProtocolError } from "../wire/errors.ts";
import { nameBytes, nameOf } from "../wire/extended_messages.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { parameterStatus } from "../wire/messages.ts";
import { follows, ROLE_PARAMETERS } from "./parameter_names.ts";
import type { ServerParameters } from "./server_parameters.ts";

/** Names that one session may have set; one that sets more stays on its server. */
export const PARAMETERS_MAX = 64;

/** Longest value that is kept, in bytes; one that is longer stays on its server. */
const VALUE_SIZE_MAX = 16 * 1024;

/** What a client's StartupMessage asked for, as servers put it. */
export interface SessionDefaults {
  /** By lower-case name. */
  readonly values: ReadonlyMap<string, string>;
  /** The same as one text: see {@linkcode SessionParameters.wantedText}. */
  readonly text: string;
}

const NO_DEFAULTS: SessionDefaults = { values: new Map(), text: "" };

/** What one client wants. Names are lower case, values one character a byte. */
export class SessionParameters {
  readonly #told = new LentMap<string, string>();
  readonly #wanted = new LentMap<string, string>();
  /** What is wanted, as one text; undefined if that has to be made. */
  #wantedText: string | undefined;
  #defaults = NO_DEFAULTS;

  /** False until the client is welcome: what servers report is gathered, but not told. */
  isTold = false;
  /** A RESET or DISCARD ALL is on its way: it means the client's defaults, not the server's. */
  isResetting = false;
  /** The number of that request: see `ReplyQueue.requestCount`. */
  resettingRequest = 0;
  /** Those that it resets. */
  #resetting: readonly string[] | "all" = [];
  /** Those that it sets behind that. */
  #notReset: readonly string[] = [];
  /**
   * Those of which a client that resets them in a transaction takes its own default for set, while
   * the server has its own; with the request that has set them since, or 0.
   */
  readonly #apart = new LateMap<string, number>();

  /**
   * A statement on its way sets parameters.
   *
   * @param resets Those that it resets, if not all.
   * @param sets Those that it sets, behind what it resets.
   */
  expect(request: number, resets: readonly string[] | "all", sets: readonly string[]): void {
    for (const name of sets) if (this.#apart.has(name)) this.#apart.set(name, request);
    const isBehind = this.isReset(request); // another statement of the same request
    if (!isBehind && resets.length === 0) return;
    const before = isBehind ? this.#notReset.filter((name) => !resets.includes(name)) : [];
    if (resets === "all") [this.#resetting, this.#notReset] = [resets, sets];
    else {
      if (!isBehind) this.#resetting = resets;
      else if (this.#resetting !== "all") this.#resetting = [...this.#resetting, ...resets];
      this.#notReset = [...before, ...sets];
    }
    this.isResetting = true;
    this.resettingRequest = request;
  }

  /** All requests up to this number have failed that were not answered before. */
  onFailed(request: number): void {
    if (this.resettingRequest <= request) this.isResetting = false;
    for (const [name, setBy] of this.#apart) if (setBy <= request) this.#apart.set(name, 0);
  }

  /** Whether the client may have to be told of what the server does not report. */
  get mayReport(): boolean {
    return this.isResetting || this.#apart.size > 0;
  }

  /** Whether the client's request of this number resets parameters. */
  isReset(request: number): boolean {
    return this.isResetting && this.resettingRequest === request;
  }

  /**
   * The server that the session has reports a parameter.
   *
   * @param request The client's request that it belongs to.
   * @returns As `tell`.
   */
  hear(name: string, value: string, request: number): string | undefined {
    const key = name.toLowerCase();
    const isReset = this.isReset(request) && this.#isResetOf(key);
    if (!isReset || !this.defaults.has(key)) this.set(key, value);
    return this.tell(name, value, isReset);
  }

  /**
   * A server reports a parameter.
   *
   * @param isReset Whether it belongs to a RESET of the client.
   * @returns What the client is to be told, if anything; it counts as told from now on.
   */
  tell(name: string, value: string, isReset: boolean): string | undefined {
    const key = name.toLowerCase();
    const own = isReset ? this.defaults.get(key) : undefined;
    if (own !== undefined && own !== value) this.#apart.set(key, 0);
    else this.#apart.delete(key);
    const meant = own ?? value;
    if (this.#told.map.get(name) === meant) return undefined;
    this.#told.set(name, meant);
    return this.isTold ? meant : undefined;
  }

  /**
   * A RESET of the client has been carried out: parameters whose defaults are its own, and that the
   * server did not report because its own default is what they were.
   *
   * @returns ParameterStatus for each; they count as told.
   */
  takeResets(): Uint8Array {
    const messages: Uint8Array[] = [];
    for (const [name, value] of this.told) {
      const key = name.toLowerCase();
      const meant = this.defaults.get(key);
      if (meant === undefined || meant === value) continue;
      if (!this.#isResetOf(key)) continue;
      this.#told.set(name, meant);
      messages.push(parameterStatusOf(name, meant));
    }
    return concat(...messages);
  }

  /**
   * Requests up to this number have been answered: what they have set to what the server had of its
   * own, and so did not report.
   *
   * @returns As `takeResets`.
   */
  takeSets(request: number, actual: ServerParameters): Uint8Array {
    const messages: Uint8Array[] = [];
    if (this.#apart.size === 0) return concat();
    for (const name of this.told.keys()) {
      const setBy = this.#apart.get(name.toLowerCase()) ?? 0;
      const value = actual.get(name.toLowerCase());
      if (setBy === 0 || setBy > request || value === undefined) continue;
      if (this.tell(name, value, false) !== undefined) {
        messages.push(parameterStatusOf(name, value));
      }
    }
    return concat(...messages);
  }

  #isResetOf(key: string): boolean {
    if (this.#notReset.includes(key)) return false;
    return this.#resetting === "all" || this.#resetting.includes(key);
  }

  /** What the client has been told by ParameterStatus, under the names the server gives them. */
  get told(): ReadonlyMap<string, string> {
    return this.#told.map;
  }

  /** What RESET goes back to: what the client's StartupMessage asked for, as servers put it. */
  get defaults(): ReadonlyMap<string, string> {
    return this.#defaults.values;
  }

  /** What must be set on a server that works for it. */
  get wanted(): ReadonlyMap<string, string> {
    return this.#wanted.map;
  }

  /** The same as one text, which is equal to another session's if that wants the same. */
  get wantedText(): string {
    return this.#wantedText ??= textOfAll(this.wanted);
  }

  /** A server reports a parameter to a client that is not welcome yet. */
  gather(name: string, value: string): void {
    this.#told.set(name, value);
  }

  /**
   * The client is welcome.
   *
   * @param defaults What RESET goes back to, which servers have accepted.
   * @param told What the client is told.
   */
  begin(defaults: SessionDefaults, told: ReadonlyMap<string, string>): void {
    this.#defaults = defaults;
    this.#told.borrow(told);
    this.isTold = true;
    this.restore();
  }

  /** DISCARD ALL. */
  restore(): void {
    this.#wanted.borrow(this.defaults);
    this.#wantedText = this.#defaults.text;
  }

  /** RESET of one. */
  reset(name: string): void {
    this.#want(name, this.defaults.get(name));
  }

  /** RESET ALL, which leaves the role. */
  resetAll(): void {
    for (const name of [...this.wanted.keys(), ...this.defaults.keys()]) {
      if (!ROLE_PARAMETERS.has(name)) this.reset(name);
    }
  }

  /** Whether what a parameter is now can be taken to another server. */
  takes(name: string, value: string | undefined): boolean {
    if (value === undefined || !follows(name)) return true;
    const hasRoom = this.wanted.has(name) || this.wanted.size < PARAMETERS_MAX;
    return hasRoom && value.length <= VALUE_SIZE_MAX;
  }

  /** A server has said what a parameter is now; `value` is undefined if it does not exist. */
  set(name: string, value: string | undefined): void {
    if (follows(name)) this.#want(name, value);
  }

  #want(name: string, value: string | undefined): void {
    this.#wantedText = undefined;
    if (value === undefined) this.#wanted.delete(name);
    else this.#wanted.set(name, value);
  }
}

/** Settings as one text, which is equal to that of the same ones in the same order. */
export function textOfAll(settings: ReadonlyMap<string, string>): string {
  return [...settings].flat().join("\0");
}

/** Encodes ParameterStatus from texts of one character a byte. */
export function parameterStatusOf(name: string, value: string): Uint8Array {
  return parameterStatus(nameBytes(name), nameBytes(value));
}

/**
 * Decodes ParameterStatus.
 *
 * @param bytes The whole message, header included.
 * @throws {ProtocolError} If it does not hold two strings.
 */
export function readParameterStatus(bytes: Uint8Array): { name: string; value: string } {
  const nameEnd = bytes.indexOf(0, HEADER_SIZE);
  const valueEnd = nameEnd < 0 ? -1 : bytes.indexOf(0, nameEnd + 1);
  if (valueEnd < 0) throw new ProtocolError("invalid ParameterStatus");
  return {
    name: nameOf(bytes.subarray(HEADER_SIZE, nameEnd)),
    value: nameOf(bytes.subarray(nameEnd + 1, valueEnd)),
  };
}
