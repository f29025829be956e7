/**
 * The session parameters of one server connection: see `parameters.ts`.
 *
 * @module
 */

import { nameBytes } from "../wire/extended_messages.ts";
import { follows, ROLE_PARAMETERS } from "./parameter_names.ts";
import { statementsFor } from "./parameter_statements.ts";
import type { SessionParameters } from "./parameters.ts";

/** Undoes every setting; the session's user comes first, since it decides what may be reset. */
const RESET_EVERYTHING = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL";

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
