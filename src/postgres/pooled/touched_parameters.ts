/**
 * Parameters that statements of a session have touched: what they have become is asked once the
 * statements are done, since a transaction may have been rolled back, and a server writes values
 * in its own way.
 *
 * @module
 */

import { LateMap } from "../../base/late_collections.ts";
import { NAMING_PARAMETERS } from "../sql/traits.ts";
import { executeOnce, nameOf } from "../wire/extended_messages.ts";
import type { Backend } from "./backend.ts";
import type { OwnResult } from "./own_queries.ts";
import { readStatement } from "./parameter_statements.ts";
import { PARAMETERS_MAX, type SessionParameters } from "./parameters.ts";
import { OWN_NAME } from "./statements.ts";

/** The session that they belong to. */
export interface Toucher {
  readonly parameters: SessionParameters;
  /** Only its server knows what is set. */
  pin(why: string): void;
  /** RESET has gone back to the server's default where the client had asked for another one. */
  unsettle(): void;
}

interface Touch {
  readonly isReset: boolean;
}

/** One session's. */
export class TouchedParameters {
  readonly #session: Toucher;
  /** By name, what touched it last. */
  readonly #touched = new LateMap<string, Touch>();
  #isReading = false;
  #hasLocalNames = false;

  constructor(session: Toucher) {
    this.#session = session;
  }

  /** True if what is set is not known. */
  get isPending(): boolean {
    return this.#isReading || this.#touched.size > 0;
  }

  /** True while a server is asked. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** @param resets Those of the names that are touched by a RESET. */
  touch(names: readonly string[], resets: readonly string[]): void {
    for (const name of names) {
      const isReset = resets.includes(name);
      if (this.#touched.size >= PARAMETERS_MAX) return this.#session.pin("too many parameters");
      this.#touched.set(name, { isReset });
      // Becoming another user resets the role.
      if (name === "session_authorization") this.#touched.set("role", { isReset });
    }
  }

  /** SET LOCAL of what names depend on. */
  touchNamesLocally(): void {
    this.#hasLocalNames = true;
  }

  /** RESET ALL: everything that is set. */
  touchAll(backend: Backend): void {
    const names = [...backend.parameters.changed, ...this.#session.parameters.wanted.keys()];
    this.touch(names, names);
  }

  /**
   * DISCARD ALL is going to be sent.
   *
   * @returns To be called if it has succeeded: what was touched before is no matter then.
   */
  discard(): () => void {
    const before = [...this.#touched];
    return () => {
      for (const [name, touch] of before) {
        if (this.#touched.get(name) === touch) this.#touched.delete(name);
      }
    };
  }

  /**
   * What names of tables and functions mean for the session now: its `search_path`, and the role
   * that `$user` in it is.
   *
   * @returns Undefined if it is not known.
   */
  namesNow(): string | undefined {
    const { wanted } = this.#session.parameters;
    if (this.#hasLocalNames) return undefined;
    if (this.#touched.size === 0 && wanted.size === 0) return "";
    if (NAMING_PARAMETERS.some((name) => this.#touched.has(name))) return undefined;
    return NAMING_PARAMETERS.map((name) => wanted.get(name) ?? "").join("\0").replace(/^\0*$/, "");
  }

  /** Asks a server that is quiet. @returns False if there is nothing to ask. */
  read(backend: Backend): boolean {
    this.#hasLocalNames = false; // its transaction is over
    if (this.#touched.size === 0) return false;
    const touched = [...this.#touched];
    this.#touched.clear();
    this.#isReading = true;
    const text = readStatement(touched.map(([name]) => name));
    // Not as a Query, which would end the client's unnamed statement.
    backend.runMessages(executeOnce(OWN_NAME, text), (result) => {
      this.#isReading = false;
      this.#onRead(backend, touched, result);
    });
    return true;
  }

  #keep(name: string, value: string | undefined): void {
    const { parameters } = this.#session;
    if (parameters.takes(name, value)) parameters.set(name, value);
    else this.#session.pin("too many parameters");
  }

  #onRead(
    backend: Backend,
    touched: readonly (readonly [string, Touch])[],
    { rows: [row] }: OwnResult,
  ): void {
    const session = this.#session;
    // It may have been cancelled, or timed out by what was set: nobody knows what is set now.
    if (row === undefined) return session.pin("parameter");
    touched.forEach(([name, { isReset }], i) => {
      const value = row[i] === undefined ? undefined : nameOf(row[i]);
      backend.parameters.change(name, value);
      const { defaults, wanted } = session.parameters;
      if (!isReset || !defaults.has(name)) return this.#keep(name, value);
      // After a RESET in a transaction that was rolled back it is as it was.
      if (value !== wanted.get(name)) session.parameters.reset(name);
      session.unsettle();
    });
  }
}
