/**
 * Collects what a scan finds, under limits, and makes the {@linkcode Traits} of it. Almost every
 * text has nothing but a command and flags: such traits are made once and given again.
 *
 * @module
 */

import { lowerCase } from "./identifiers.ts";
import type { Keyword } from "./keywords.ts";
import {
  type Command,
  COMMANDS,
  type Discard,
  NAMING_PARAMETERS,
  type Pin,
  type StatementName,
  type Traits,
  type Unpin,
} from "./traits.ts";

/** Most names of parameters, and most names of statements, that are kept of one text. */
export const NAMES_MAX = 16;

/** Longest name of a parameter that is kept, in characters: two identifiers, a dot and some. */
const PARAMETER_LENGTH_MAX = 256;

/** Parameters that exist for one transaction, like SET TRANSACTION, whoever sets them. */
const TRANSACTION_PARAMETERS: ReadonlySet<string> = new Set([
  "transaction_isolation",
  "transaction_read_only",
  "transaction_deferrable",
]);

const COMMAND_OF_KEYWORD: ReadonlyMap<string, Command> = new Map(
  COMMANDS.map((command) => [command, command]),
);

/** The traits that are true or false, each a bit. */
export const Flag = {
  setsUnknownParameter: 1,
  resetsAllParameters: 2,
  changesSchema: 4,
  beginsTransaction: 8,
  isOpaque: 16,
  setsNamesLocally: 32,
} as const;

const FLAG_COMBINATIONS = 64;

/** The traits of one text while it is scanned. */
export class TraitsDraft {
  /** Traits that have no lists, by command and flags. */
  readonly #simple = new Map<Command, (Traits | undefined)[]>();
  #statementCount = 0;
  #command: Command = "none";
  #flags = 0;
  #hasLists = false;
  #parameters: string[] = [];
  #resets: string[] = [];
  #discards: Discard[] = [];
  #statementNames: StatementName[] = [];
  #hasMoreStatementNames = false;
  #hasPrepare = false;
  #pins: Pin[] = [];
  #unpins: Unpin[] = [];

  /** Forgets the last text. */
  begin(): void {
    this.#statementCount = 0;
    this.#command = "none";
    this.#flags = 0;
    if (!this.#hasLists) return;
    this.#hasLists = false;
    this.#parameters = [];
    this.#resets = [];
    this.#discards = [];
    this.#statementNames = [];
    this.#hasMoreStatementNames = false;
    this.#hasPrepare = false;
    this.#pins = [];
    this.#unpins = [];
  }

  /** Counts a statement that begins with this word. */
  addStatement(word: Keyword): void {
    if (this.#statementCount === 0) this.#command = COMMAND_OF_KEYWORD.get(word) ?? "other";
    this.#statementCount += 1;
  }

  /** Sets one of {@linkcode Flag}. */
  setFlag(flag: number): void {
    this.#flags |= flag;
  }

  /**
   * Adds a parameter that the session keeps; undefined if its name cannot be known.
   *
   * @param isReset Whether it is set to what it was, so to say.
   */
  addParameter(name: string | undefined, isReset = false): void {
    if (name === undefined || name.length > PARAMETER_LENGTH_MAX) {
      this.setFlag(Flag.setsUnknownParameter);
      return;
    }
    const folded = lowerCase(name); // the server compares names of parameters without case
    this.#resets = this.#resets.filter((other) => other !== folded);
    if (isReset && !TRANSACTION_PARAMETERS.has(folded)) this.#resets.push(folded);
    if (TRANSACTION_PARAMETERS.has(folded) || this.#parameters.includes(folded)) return;
    if (this.#parameters.length === NAMES_MAX) {
      this.setFlag(Flag.setsUnknownParameter);
      return;
    }
    this.#hasLists = true;
    this.#parameters.push(folded);
  }

  /** RESET ALL: what has been set before counts as reset, but for the role (GUC_NO_RESET_ALL). */
  resetAllParameters(): void {
    this.setFlag(Flag.resetsAllParameters);
    const isKept = (name: string) => name === "role" || name === "session_authorization";
    const kept = this.#resets.filter(isKept);
    this.#resets = [...kept, ...this.#parameters.filter((name) => !isKept(name))];
  }

  /** Adds a parameter that the transaction keeps; undefined if its name cannot be known. */
  addLocalParameter(name: string | undefined): void {
    const isNaming = name === undefined || NAMING_PARAMETERS.includes(lowerCase(name));
    if (isNaming) this.setFlag(Flag.setsNamesLocally);
  }

  /** Adds a prepared statement's name. */
  addStatementName(use: StatementName["use"], name: string, start: number, end: number): void {
    this.#hasLists = true;
    if (use === "prepare") this.#hasPrepare = true;
    if (this.#statementNames.length === NAMES_MAX) this.#hasMoreStatementNames = true;
    else this.#statementNames.push(Object.freeze({ use, name, start, end }));
  }

  /** Adds a DISCARD. */
  addDiscard(discard: Discard): void {
    this.#hasLists = true;
    if (!this.#discards.includes(discard)) this.#discards.push(discard);
  }

  /** Adds a reason to keep the server. */
  addPin(pin: Pin): void {
    this.#hasLists = true;
    if (!this.#pins.includes(pin)) this.#pins.push(pin);
  }

  /** Adds the end of such reasons. */
  addUnpin(unpin: Unpin): void {
    this.#hasLists = true;
    if (!this.#unpins.includes(unpin)) this.#unpins.push(unpin);
  }

  /** The traits of what was added since {@linkcode begin}. */
  finish(): Traits {
    if (this.#hasPrepare && this.#statementCount > 1) this.addPin("prepare");
    if (this.#hasLists || this.#statementCount > 1) return this.#make();
    let simple = this.#simple.get(this.#command);
    if (simple === undefined) {
      simple = new Array<Traits | undefined>(FLAG_COMBINATIONS).fill(undefined);
      this.#simple.set(this.#command, simple);
    }
    return simple[this.#flags] ??= this.#make();
  }

  #make(): Traits {
    const isSet = (flag: number) => (this.#flags & flag) !== 0;
    return Object.freeze({
      statementCount: this.#statementCount,
      command: this.#command,
      parameters: Object.freeze([...this.#parameters]),
      resets: Object.freeze(this.#resets.filter((name) => this.#parameters.includes(name))),
      setsUnknownParameter: isSet(Flag.setsUnknownParameter),
      resetsAllParameters: isSet(Flag.resetsAllParameters),
      discards: Object.freeze([...this.#discards]),
      statementNames: Object.freeze([...this.#statementNames]),
      hasMoreStatementNames: this.#hasMoreStatementNames,
      pins: Object.freeze([...this.#pins]),
      unpins: Object.freeze([...this.#unpins]),
      changesSchema: isSet(Flag.changesSchema),
      beginsTransaction: isSet(Flag.beginsTransaction),
      isOpaque: isSet(Flag.isOpaque),
      setsNamesLocally: isSet(Flag.setsNamesLocally),
    });
  }
}
