/**
 * The state of one PostgreSQL session as far as poolers can confuse it: parameters, transactions,
 * prepared statements, temporary tables. It understands the few statements that the tests use.
 *
 * @module
 */

/** What all sessions of one database share. */
export class ModelDatabase {
  /** What was inserted and committed, in order. */
  readonly committed: string[] = [];
  /** What must never happen, such as two clients in one transaction. */
  readonly faults: string[] = [];
}

/** What a statement does, when it does not fail. */
export type Outcome =
  | { readonly kind: "rows"; readonly rows: readonly (readonly (string | undefined)[])[] }
  | { readonly kind: "done"; readonly tag: string }
  | { readonly kind: "copy in"; readonly failsAtOnce: boolean }
  | { readonly kind: "copy out" };

/** An ErrorResponse. */
export class ModelError extends Error {
  readonly sqlState: string;

  constructor(sqlState: string, message: string) {
    super(message);
    this.sqlState = sqlState;
  }
}

/** Parameters that are reported, by their lower-case names. */
const REPORTED: ReadonlyMap<string, string> = new Map([
  ["application_name", "application_name"],
  ["client_encoding", "client_encoding"],
  ["server_version", "server_version"],
  ["standard_conforming_strings", "standard_conforming_strings"],
  ["timezone", "TimeZone"],
]);

/** Not touched by RESET ALL: GUC_NO_RESET_ALL in guc_tables.c. */
const NOT_RESET_BY_ALL = ["role"];

const LOGIN_VALUES: ReadonlyMap<string, string> = new Map([
  ["application_name", ""],
  ["client_encoding", "UTF8"],
  ["role", "none"],
  ["search_path", '"$user", public'],
  ["server_version", "18.0"],
  ["standard_conforming_strings", "on"],
  ["statement_timeout", "0"],
  ["timezone", "UTC"],
  ["work_mem", "4MB"],
]);

interface Snapshot {
  readonly values: ReadonlyMap<string, string>;
  readonly tables: ReadonlyMap<string, string>;
}

/** One session. */
export class ModelState {
  readonly #database: ModelDatabase;
  readonly #defaults: ReadonlyMap<string, string>;
  #values: Map<string, string>;
  /** What `#values` becomes when the transaction is committed: without SET LOCAL. */
  #lasting: Map<string, string>;
  #tables = new Map<string, string>();
  #begin: Snapshot | undefined;
  #inserted: string[] = [];
  #isDeferredBroken = false;
  #who = "";
  #reported = new Map<string, string>();
  /** Texts of prepared statements by name; "" is the unnamed one. */
  readonly prepared = new Map<string, string>();
  status: "I" | "T" | "E" = "I";
  /** Something was executed that its Sync has still to commit. */
  isPipelining = false;

  /** @param startup What the StartupMessage sets. */
  constructor(database: ModelDatabase, startup: ReadonlyMap<string, string>) {
    this.#database = database;
    this.#defaults = new Map([...LOGIN_VALUES, ...startup]);
    this.#values = new Map(this.#defaults);
    this.#lasting = new Map(this.#defaults);
  }

  /** What has changed of the reported parameters since it was asked last. */
  takeReports(): [string, string][] {
    const reports: [string, string][] = [];
    for (const [key, name] of REPORTED) {
      const value = this.#values.get(key)!;
      if (this.#reported.get(key) === value) continue;
      this.#reported.set(key, value);
      reports.push([name, value]);
    }
    return reports;
  }

  /** What a session with these parameters is like, as text; for comparing. */
  get values(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /** Temporary tables. */
  get tables(): ReadonlyMap<string, string> {
    return this.#tables;
  }

  /** A transaction is begun if there is none. */
  open(): void {
    this.#begin ??= { values: new Map(this.#lasting), tables: new Map(this.#tables) };
  }

  /** True if a transaction is open, be it an implicit one. */
  get isOpen(): boolean {
    return this.#begin !== undefined;
  }

  /** Ends an implicit transaction. @throws {ModelError} If a deferred constraint is violated. */
  closeImplicit(): void {
    if (this.status === "I") this.commit();
  }

  /** @throws {ModelError} If a deferred constraint is violated. */
  commit(): void {
    if (this.#isDeferredBroken) {
      this.rollback();
      throw new ModelError("23503", "a deferred constraint is violated");
    }
    this.#database.committed.push(...this.#inserted);
    this.#values = new Map(this.#lasting);
    this.#end();
  }

  rollback(): void {
    this.#undo();
    this.#end();
  }

  /** What an error does to the transaction: in a block, too, parameters are back at once. */
  fail(): void {
    if (this.status === "I") return this.rollback();
    this.#undo();
    this.status = "E";
  }

  #undo(): void {
    if (this.#begin === undefined) return;
    this.#lasting = new Map(this.#begin.values);
    this.#values = new Map(this.#begin.values);
    this.#tables = new Map(this.#begin.tables);
  }

  /** @throws {ModelError} If nothing but the end of the transaction is allowed. */
  checkAborted(text: string): void {
    if (this.status !== "E" || /^\s*(commit|rollback)/i.test(text)) return;
    throw new ModelError("25P02", "current transaction is aborted, commands ignored");
  }

  /** What is found out when a text is parsed. @throws {ModelError} If it cannot be. */
  analyse(text: string): void {
    const [, table] = /^select c from (\w+)$/i.exec(text) ?? [];
    if (table === undefined || this.#tables.has(table)) return;
    throw new ModelError("42P01", `relation "${table}" does not exist`);
  }

  /** Runs one statement. @throws {ModelError} If it fails. */
  run(text: string): Outcome {
    this.checkAborted(text);
    this.analyse(text);
    this.#notice(text);
    const [, word = ""] = /^(\w+)/.exec(text) ?? [];
    switch (word.toLowerCase()) {
      case "begin":
        this.open();
        this.status = "T";
        return done("BEGIN");
      case "commit":
      case "rollback":
        return this.#endTransaction(word.toLowerCase());
      case "set":
        return this.#set(text);
      case "reset":
        return this.#reset(text);
      case "prepare":
      case "deallocate":
        return this.#name(text);
      case "discard":
        return this.#discard();
      case "create": {
        const [, table = "", value = ""] = /table (\w+) as select '(.*)'$/i.exec(text) ?? [];
        if (this.#tables.has(table)) throw new ModelError("42P07", `"${table}" already exists`);
        this.#tables.set(table, value);
        return done("SELECT 1");
      }
      case "insert":
        this.#inserted.push(/'(.*)'/.exec(text)![1]!);
        this.#isDeferredBroken ||= text.includes("deferred");
        return done("INSERT 0 1");
      case "copy":
        return this.#copy(text);
      case "show":
        return rows([this.#values.get(text.slice(5).toLowerCase())]);
    }
    return this.#select(text);
  }

  /** The text that EXECUTE means. @throws {ModelError} If there is none. */
  textOf(name: string): string {
    const text = this.prepared.get(name);
    if (text !== undefined) return text;
    throw new ModelError("26000", `prepared statement "${name}" does not exist`);
  }

  #end(): void {
    this.#begin = undefined;
    this.#inserted = [];
    this.#isDeferredBroken = false;
    this.#who = "";
    this.isPipelining = false;
    this.status = "I";
  }

  /** Every value that a test uses begins with its client's number: one transaction, one client. */
  #notice(text: string): void {
    const [, who] = /'(c\d+)-/.exec(text) ?? [];
    if (who === undefined) return;
    if (this.#who !== "" && this.#who !== who) {
      this.#database.faults.push(`${this.#who} and ${who} are in one transaction: ${text}`);
    }
    this.#who = who;
  }

  #endTransaction(word: string): Outcome {
    const isFailed = this.status === "E";
    if (word === "rollback" || isFailed) {
      this.rollback();
      return done("ROLLBACK");
    }
    this.commit();
    return done("COMMIT");
  }

  #set(text: string): Outcome {
    const [, scope, name = "", value = ""] =
      /^set (session |local )?([\w.]+) *(?:=|to) *'?([^']*)'?$/i.exec(text) ?? [];
    this.#change(name.toLowerCase(), value, scope?.toLowerCase() === "local ");
    return done("SET");
  }

  #change(name: string, value: string, isLocal: boolean): void {
    if (value === "bad") {
      throw new ModelError("22023", `invalid value for parameter "${name}": "${value}"`);
    }
    this.#values.set(name, value);
    if (!isLocal) this.#lasting.set(name, value);
  }

  #reset(text: string): Outcome {
    const name = text.slice(6).replaceAll('"', "").toLowerCase();
    const names = name === "all"
      ? [...this.#values.keys()].filter((one) => !NOT_RESET_BY_ALL.includes(one))
      : [name];
    for (const one of names) this.#restore(one);
    return done("RESET");
  }

  #restore(name: string): void {
    const value = this.#defaults.get(name) ?? "";
    this.#values.set(name, value);
    this.#lasting.set(name, value);
  }

  #name(text: string): Outcome {
    const [, name, definition = ""] = /^prepare (\w+) as (.*)$/i.exec(text) ?? [];
    if (name !== undefined) {
      this.analyse(definition);
      if (this.prepared.has(name)) {
        throw new ModelError("42P05", `prepared statement "${name}" already exists`);
      }
      this.prepared.set(name, definition);
      return done("PREPARE");
    }
    const what = text.slice("deallocate ".length).replaceAll('"', "");
    if (what.toLowerCase() === "all") {
      // DEALLOCATE ALL spares the unnamed one, which is not in the hash table.
      for (const one of [...this.prepared.keys()]) if (one !== "") this.prepared.delete(one);
      return done("DEALLOCATE ALL");
    }
    this.textOf(what);
    this.prepared.delete(what);
    return done("DEALLOCATE");
  }

  #discard(): Outcome {
    if (this.status !== "I" || this.isPipelining) {
      throw new ModelError("25001", "DISCARD ALL cannot run inside a transaction block");
    }
    for (const name of [...this.#values.keys()]) this.#restore(name);
    for (const one of [...this.prepared.keys()]) if (one !== "") this.prepared.delete(one);
    this.#tables.clear();
    return done("DISCARD ALL");
  }

  #copy(text: string): Outcome {
    const [, table, way] = /^copy (\w+) (from|to)/i.exec(text) ?? [];
    if (table === "missing") throw new ModelError("42P01", 'relation "missing" does not exist');
    if (way === "to") return { kind: "copy out" };
    return { kind: "copy in", failsAtOnce: table === "view" };
  }

  #select(text: string): Outcome {
    if (text.includes("1/0")) throw new ModelError("22012", "division by zero");
    if (text.includes("nowhere")) throw new ModelError("42P01", 'relation "nowhere" is missing');
    const [, table] = /^select c from (\w+)$/i.exec(text) ?? [];
    if (table !== undefined) return rows([this.#tables.get(table)]);
    const values: (string | undefined)[] = [];
    for (const [, name, , value, isLocal] of text.matchAll(SET_CONFIG)) {
      this.#change(name!.toLowerCase(), value!.replaceAll("''", "'"), isLocal === "true");
      values.push(value!.replaceAll("''", "'"));
    }
    for (const [, name] of text.matchAll(/current_setting\('([^']*)'/gi)) {
      values.push(this.#values.get(name!.toLowerCase()));
    }
    if (values.length > 0) return rows(values);
    return rows([/'(.*)'/s.exec(text)?.[1] ?? "?"]);
  }
}

const SET_CONFIG = /set_config\('([^']*)', *(E?)'((?:[^']|'')*)', *(true|false)\)/gi;

function done(tag: string): Outcome {
  return { kind: "done", tag };
}

function rows(row: readonly (string | undefined)[]): Outcome {
  return { kind: "rows", rows: [row] };
}
