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
import { LateMap, type ReadonlyLateMap } from "../../base/late_collections.ts";
import { ProtocolError } from "../wire/errors.ts";
import { nameBytes, nameOf } from "../wire/extended_messages.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { parameterStatus } from "../wire/messages.ts";
import { statementsFor } from "./parameter_statements.ts";

/** Reported by servers, but not for a client to set. */
const FIXED: ReadonlySet<string> = new Set([
  "server_version",
  "server_encoding",
  "integer_datetimes",
  "is_superuser",
  "in_hot_standby",
]);

/** Belong to a transaction, or cannot be read back: they never follow a client. */
const TRANSIENT: ReadonlySet<string> = new Set([
  "transaction_isolation",
  "transaction_read_only",
  "transaction_deferrable",
  "seed",
]);

/** RESET ALL leaves these (GUC_NO_RESET_ALL in guc_tables.c). */
const ROLE_PARAMETERS: ReadonlySet<string> = new Set(["role", "session_authorization"]);

/** Undoes every setting; the session's user comes first, since it decides what may be reset. */
const RESET_EVERYTHING = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL";

/** Names that one session may have set; one that sets more stays on its server. */
export const PARAMETERS_MAX = 64;

/** Longest value that is kept, in bytes; one that is longer stays on its server. */
const VALUE_SIZE_MAX = 16 * 1024;

/** Longest name: NAMEDATALEN - 1 for each of a class and a name, and the dot between. */
const NAME_SIZE_MAX = 127;

/** What one client wants. Names are lower case, values one character a byte. */
export class SessionParameters {
  /** What the client has been told by ParameterStatus, under the names the server gives them. */
  readonly told = new Map<string, string>();
  readonly #wanted = new LateMap<string, string>();
  /** What is wanted, as one text; undefined if that has to be made. */
  #wantedText: string | undefined;
  /** What RESET goes back to: what the client's StartupMessage asked for, as servers put it. */
  defaults: ReadonlyMap<string, string> = new Map();

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
    if (this.told.get(name) === meant) return undefined;
    this.told.set(name, meant);
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
      this.told.set(name, meant);
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

  /** What must be set on a server that works for it. */
  get wanted(): ReadonlyLateMap<string, string> {
    return this.#wanted;
  }

  /** The same as one text, which is equal to another session's if that wants the same. */
  get wantedText(): string {
    return this.#wantedText ??= [...this.#wanted].flat().join("\0");
  }

  /** The client begins with these, which servers have accepted. */
  begin(defaults: ReadonlyMap<string, string>): void {
    this.defaults = defaults;
    this.restore();
  }

  /** DISCARD ALL. */
  restore(): void {
    this.#wantedText = undefined;
    this.#wanted.clear();
    for (const [name, value] of this.defaults) this.#wanted.set(name, value);
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

/** What is set on one server connection. Names are lower case. */
export class ServerParameters {
  readonly #actual = new Map<string, string>();
  /** What was reported when it logged in. */
  readonly #login = new Map<string, string>();
  /** Set since by somebody: to be reset for whoever does not want it. */
  readonly #changed = new Set<string>();
  /** What a session wanted for which nothing had to be changed, while nothing has changed since. */
  #fits: string | undefined;
  /** A statement that nobody can see through may have set anything. */
  mayHaveChanged = false;

  /** The server reports a parameter while it logs in, or to nobody. */
  report(name: string, value: string): void {
    const key = name.toLowerCase();
    this.#fits = undefined;
    this.#actual.set(key, value);
    this.#login.set(key, value);
  }

  /** Somebody's statement changed it. */
  change(name: string, value: string | undefined): void {
    this.#fits = undefined;
    if (value === undefined) this.#actual.delete(name);
    else this.#actual.set(name, value);
    if (value === undefined || this.#login.get(name) === value) this.#changed.delete(name);
    else if (follows(name)) this.#changed.add(name);
  }

  /** Names that somebody has set since. */
  get changed(): Iterable<string> {
    return this.#changed;
  }

  /**
   * DISCARD ALL, or RESET ALL, which leaves the role: what the server reports of that comes by
   * `change`.
   */
  restore(keepsRole: boolean): void {
    this.#fits = undefined;
    for (const name of [...this.#changed]) {
      if (keepsRole && ROLE_PARAMETERS.has(name)) continue;
      this.forget(name);
      this.#changed.delete(name);
    }
    this.mayHaveChanged = false;
  }

  get(name: string): string | undefined {
    return this.#actual.get(name);
  }

  /**
   * The statements that make this server what `session` wants; it is taken to be so from now on.
   *
   * @returns Texts to be sent as a Query each, in this order; mostly none.
   * @throws {ProtocolError} As `literal`; then nothing is taken to be so.
   */
  follow(session: SessionParameters): Uint8Array[] {
    if (this.mayHaveChanged) return this.#followAnew(session);
    if (this.#fits === session.wantedText) return [];
    const resets: string[] = [];
    for (const name of this.#changed) {
      if (!session.wanted.has(name)) resets.push(name);
    }
    const sets: [string, string][] = [];
    for (const pair of session.wanted) if (this.#isAnother(pair)) sets.push(pair);
    if (resets.length === 0 && sets.length === 0) {
      this.#fits = session.wantedText;
      return [];
    }
    const statements = statementsFor(resets, sets, this.#isStandardStrings);
    for (const name of resets) {
      this.#changed.delete(name);
      this.forget(name);
    }
    for (const [name, value] of sets) this.change(name, value);
    return statements;
  }

  /** As `follow`, but nothing is reset, and only these are set: each text is one statement. */
  set(parameters: Iterable<[string, string]>): Uint8Array[] {
    const sets = [...parameters].filter((pair) => this.#isAnother(pair));
    if (sets.length === 0) return [];
    const statements = statementsFor([], sets, this.#isStandardStrings);
    for (const [name, value] of sets) this.change(name, value);
    return statements;
  }

  #isAnother([name, value]: readonly [string, string]): boolean {
    return this.#actual.get(name) !== value;
  }

  /** As it is now: a Query is read as a whole before its first statement changes anything. */
  get #isStandardStrings(): boolean {
    return this.#actual.get("standard_conforming_strings") === "on";
  }

  #followAnew(session: SessionParameters): Uint8Array[] {
    this.restore(false);
    try {
      return [nameBytes(RESET_EVERYTHING), ...this.follow(session)];
    } catch (error) {
      this.mayHaveChanged = true; // nothing will be sent
      throw error;
    }
  }

  /** A RESET has put it back to what the server has of its own. */
  forget(name: string): void {
    this.#fits = undefined;
    const value = this.#login.get(name);
    if (value === undefined) this.#actual.delete(name);
    else this.#actual.set(name, value);
  }
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

/** Whether a parameter of this name may be sent from one server to another. */
export function follows(name: string): boolean {
  return !FIXED.has(name) && !TRANSIENT.has(name) && name.length <= NAME_SIZE_MAX;
}
